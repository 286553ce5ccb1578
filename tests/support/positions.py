"""A position somewhere in a file, for tests to which it does not matter in which."""

from wazuh_dfn.messages import Position


def position(offset=0):
    return Position("alerts.json", 2, offset)
