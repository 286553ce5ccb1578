"""The broker's quota: until when it wants nothing to be sent."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from wazuh_dfn.kafka.faults import Fault, FaultCode


class Throttle:
    """Remembers what answers say of a quota (KIP-219).

    aiokafka ignores it. The broker reads nothing on the connection meanwhile, so aiokafka would run into its timeout, dial anew, and so get
    around the quota. This outlives connections for the same reason.
    """

    def __init__(self) -> None:
        self._until = 0.0
        self._fault: Fault | None = None

    @property
    def seconds(self) -> float:
        """How long nothing may be sent yet."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    @property
    def fault(self) -> Fault | None:
        """The same in words, as long as it lasts."""
        return self._fault if self.seconds else None

    def heed(self, answer: Any) -> None:
        """Look at an answer of the broker."""
        seconds = getattr(answer, "throttle_time_ms", 0) / 1000
        until = asyncio.get_running_loop().time() + seconds
        if seconds and until > self._until:
            self._until = until
            at = time.strftime("%H:%M:%S", time.localtime(time.time() + seconds))
            self._fault = Fault(FaultCode.THROTTLED, f"the broker's quota is exceeded, sending resumes at {at}")
