"""The HTTP API: reports the daemon's health, read-only. It is imported only if it is enabled."""
