"""The simulated queue of Wazuh: absent, failing, hanging and crashing its callers. What it is told has to be true."""

import json
import re

import trio

from wazuh_dfn.errors import WazuhUnavailableError
from wazuh_dfn.wazuh.feedback_queue import ERROR_INTERVAL_SECONDS

FORM = re.compile(rb"1:(?:\[001\] \(host-1\.[^)]*\) 198\.51\.100\.1->)?dfn:(\{.*\})")


class SimulatedQueue:
    """Implements `WazuhSocket` and `WazuhConnection` for one life of the daemon; it has no deadlines, although real ones do."""

    def __init__(self, process):
        self._process = process
        self._world = process.world
        self._lines = {}
        self._errors_at = {}
        self._told = 0

    async def connect(self):
        await self._trouble("feedback_absent", WazuhUnavailableError("the socket does not exist", is_absent=True))
        return self

    async def send(self, message):
        await self._trouble("feedback_fails", WazuhUnavailableError("no process listens on it"))
        matched = FORM.fullmatch(message)
        if matched is None or len(message) > 65_535:
            self._world.violate(f"Wazuh does not understand {message!r}")
        content = json.loads(matched[1])
        if "dfn" in content:
            self._told += 1
            self._check_delivered(int(content["alert_id"].split(".")[1]))
        elif "error" in content:
            self._check_interval(content["description"][:20])

    async def aclose(self):
        await self._process.breathe(0.01)
        await self._hang()

    def check(self, pipeline):
        """At the end of a life that was not cut off, what was not told has to be counted."""
        delivered = sum(pipeline.ledger.records_delivered.values())
        dropped = pipeline.feedback_status.dropped + pipeline.feedback.depth
        if not self._told <= delivered <= self._told + dropped:
            self._world.violate(f"{delivered} delivered, Wazuh was told of {self._told}, {dropped} dropped")

    def _check_delivered(self, number):
        for line in self._world.lines[len(self._lines) :]:
            self._lines[line.number] = line
        if not (self._lines[number].delivered or self._lines[number].holed):
            self._world.violate(f"Wazuh was told that line {number} is delivered")

    def _check_interval(self, kind):
        now = trio.current_time()
        before = self._errors_at.get(kind)
        if before is not None and now - before < ERROR_INTERVAL_SECONDS / 2:  # calls take time, up to a few seconds
            self._world.violate(f"Wazuh was told of {kind!r} after {now - before:.1f} s again")
        self._errors_at[kind] = now

    async def _trouble(self, fails, error):
        await self._process.breathe(0.01)
        await self._hang()
        if self._world.happens(fails):
            self._world.note(fails)
            raise error
        if self._world.happens("feedback_crashes"):
            raise RuntimeError("feedback_crashes")

    async def _hang(self):
        if self._world.happens("feedback_hangs"):
            self._world.note("feedback_hangs")
            await trio.sleep_forever()
