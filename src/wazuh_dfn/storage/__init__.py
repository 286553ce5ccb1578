"""Storage: the dead letters, and the local disk."""
