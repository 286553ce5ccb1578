"""A position somewhere in a file, for tests to which it does not matter in which."""

from wazuh_dfn.messages import FileIdentity, Fingerprint, Position

FILE = FileIdentity(device=1, inode=2, head=Fingerprint.of(b'{"timestamp"'))


def position(offset=0):
    return Position("alerts.json", FILE, offset)
