"""Sending old alerts again with the daemon's own pipeline: from files (`replay`) or from the dead letters (`dead-letters retry`)."""
