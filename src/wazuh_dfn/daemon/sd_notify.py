"""Reports the state of the service to systemd with the protocol of sd_notify(3): a datagram of `NAME=value` lines.

The available libraries do not support RELOADING or are unmaintained.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

import structlog

log = structlog.get_logger(__name__)


class ServiceNotifier:
    """Sends to the socket that systemd named. Without one it does nothing.

    Args:
        environ: The environment, with NOTIFY_SOCKET, and with WATCHDOG_USEC and WATCHDOG_PID if there is a watchdog.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._has_failed = False
        is_for_us = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environ.get("WATCHDOG_USEC", "") if is_for_us else ""
        self.watchdog_seconds = int(microseconds) / 1e6 if self._address and microseconds.isdecimal() else None
        """Maximum time in seconds between two watchdog notifications. None without a watchdog."""

    @property
    def is_enabled(self) -> bool:
        """Whether there is a service manager to notify."""
        return bool(self._address)

    def ready(self) -> None:
        """Report that the start or a reload is complete."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Report that a reload has begun. `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the stop has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Show one line in `systemctl status`."""
        self._send(f"STATUS={' '.join(text.split())}")

    def extend_timeout(self, seconds: float) -> None:
        """Extend the start timeout to that many seconds from now."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def feed_watchdog(self) -> None:
        """Notify the watchdog. It must be called at least every `watchdog_seconds`."""
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        """Send without blocking.

        Errors are not raised, because the daemon does not depend on its service manager. Only the first of several in a row is logged.
        """
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as sender:
                sender.sendto(text.encode(), self._address)
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                log.warning("cannot notify systemd", reason=str(error))
        else:
            self._has_failed = False
