"""Wazuh's queue as the feedback sees it: protocols that a real socket implements, and simulations."""

from __future__ import annotations

from typing import Protocol


class WazuhConnection(Protocol):
    """A connection to the queue socket of Wazuh; one `send` at a time."""

    async def send(self, message: bytes) -> None:
        """Hand one message over to the operating system; whether Wazuh reads it is not known.

        Where there is room at once, this may return without a turn of the event loop: the caller has to give up its own.

        Raises:
            WazuhUnavailableError: Wazuh is gone, or did not take it in time; close this connection.
        """

    async def aclose(self) -> None:
        """Close it without waiting for anything."""


class WazuhSocket(Protocol):
    """Makes connections to the queue socket of Wazuh; after a restart of Wazuh it is another one of the same name."""

    async def connect(self) -> WazuhConnection:
        """Connect in time.

        Raises:
            WazuhUnavailableError: there is no socket, or nobody behind it.
        """
