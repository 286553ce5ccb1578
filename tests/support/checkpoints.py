"""What the checkpoint of a daemon says, read while the daemon may be replacing it."""

import json


def saved_position(daemon):
    """Return the position as it was saved; None while there is none.

    A checkpoint is replaced by two renames. Between them, and after a kill between them, there is only its predecessor.
    """
    for path in (daemon.checkpoint, daemon.checkpoint.with_name(f"{daemon.checkpoint.name}.previous")):
        try:
            return json.loads(path.read_text())["position"]
        except FileNotFoundError:
            continue
    return None


def settled(daemon):
    """Return the offset up to which all is settled; 0 while there is no checkpoint."""
    position = saved_position(daemon)
    return position["offset"] if position else 0


def has_settled_all(daemon):
    """Tell whether all of the present alert file is settled, and not that of one that was there before."""
    position, status = saved_position(daemon), daemon.alerts.stat()
    return position is not None and (position["file"]["inode"], position["offset"]) == (status.st_ino, status.st_size)
