"""Sending old alerts again, by the daemon's own pipeline: from files (`replay`) or from the dead letters (`dead-letters retry`)."""
