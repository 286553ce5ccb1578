"""What the checkpoint of a daemon says, read while the daemon may be replacing it."""

from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.tailing.checkpoint_file import load


def saved_files(daemon):
    """Return the files that are known, as they are saved or noted; none while there is no checkpoint."""
    saved = load(LocalDisk(), daemon.checkpoint)
    return saved.files if saved is not None else ()


def progress(daemon):
    """Return how far each file is settled, by its number."""
    return {known.number: known.settled.offset for known in saved_files(daemon)}


def settled(daemon):
    """Return the offset up to which all is settled in the file that was begun last; 0 while there is no checkpoint."""
    return max(progress(daemon).items(), default=(0, 0))[1]


def has_settled_all(daemon):
    """Tell whether all of the present alert file is settled, and not that of one that was there before."""
    data = daemon.alerts.read_bytes()
    return any(known.settled.offset == len(data) and known.head.fits(data) for known in saved_files(daemon))
