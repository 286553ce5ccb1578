"""Delivery: the ledger of what was read and what has become of it, the dead letters, poison messages, and measured durations."""
