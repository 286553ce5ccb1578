"""Protocols of Wazuh's queue, implemented by real sockets and by simulations."""

from __future__ import annotations

from typing import Protocol


class WazuhConnection(Protocol):
    """A connection to the queue socket of Wazuh.

    Only one `send` may run at a time.
    """

    async def send(self, message: bytes) -> None:
        """Pass one message to the operating system.

        Whether Wazuh reads it is not known. If there is room at once, this may return without yielding to the event loop, so the caller has
        to yield.

        Raises:
            WazuhUnavailableError: Wazuh is gone, or did not accept the message in time. The connection must be closed.
        """

    async def aclose(self) -> None:
        """Close the connection without waiting."""


class WazuhSocket(Protocol):
    """Makes connections to the queue socket of Wazuh.

    After a restart of Wazuh it is a new socket of the same name.
    """

    async def connect(self) -> WazuhConnection:
        """Connect within the time limit.

        Raises:
            WazuhUnavailableError: there is no socket, or nothing listens on it.
        """
