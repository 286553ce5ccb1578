"""The daemon as a systemd service: readiness, the status line, and the watchdog.

The watchdog is notified as long as the supervisor works and no actor hangs beyond its deadline.
"""

from __future__ import annotations

import anyio
import structlog

from wazuh_dfn.daemon.sd_notify import ServiceNotifier
from wazuh_dfn.pipeline import Pipeline
from wazuh_dfn.supervision.supervisor import Supervisor

BEAT_SECONDS = 5.0
"""Maximum age of the status line in seconds. The watchdog may need a shorter interval."""
START_EXTENSION_SECONDS = 30.0
log = structlog.get_logger(__name__)


class Service:
    """Keeps systemd informed while `run` runs."""

    def __init__(self, pipeline: Pipeline, supervisor: Supervisor, notifier: ServiceNotifier) -> None:
        self._pipeline = pipeline
        self._supervisor = supervisor
        self._notifier = notifier
        self._overdue: tuple[str, ...] = ()
        self._is_ready = False

    async def run(self) -> None:
        """Keep notifying systemd: readiness after the first contact with the broker, successful or not, the status line and the watchdog.

        It ends at once without a service manager, otherwise only by cancellation.
        """
        if not self._notifier.is_enabled:
            return
        watchdog_seconds = self._notifier.watchdog_seconds
        beat_seconds = min(BEAT_SECONDS, watchdog_seconds / 2) if watchdog_seconds else BEAT_SECONDS
        while True:
            self._beat()
            with anyio.move_on_after(beat_seconds):
                await self._next_change()

    def stopping(self) -> None:
        """Report that the stop has begun. If the broker is unavailable, log how long the stop waits for it."""
        kafka = self._pipeline.kafka_status
        if kafka.state == "unavailable":
            log.warning(
                "the broker is unavailable: if it does not come back in this time, what waits is sent at the next start",
                reason=kafka.reason,
                lines_waiting=self._pipeline.ledger.accounting.in_flight,
                at_most_seconds=round(self._supervisor.drain_timeout_seconds, 1),
            )
        self._notifier.stopping()
        self._notifier.status(self._status_line())

    async def _next_change(self) -> None:
        if self._is_ready:
            await anyio.sleep_forever()
        await self._pipeline.kafka_status.contacted.wait()

    def _beat(self) -> None:
        overdue = self._supervisor.overdue()
        if overdue != self._overdue:
            self._overdue = overdue
            if overdue:
                log.critical("actors hang and cannot be stopped: stopped notifying systemd's watchdog", actors=", ".join(overdue))
        if not overdue:
            self._notifier.feed_watchdog()
        if not self._is_ready:
            if self._pipeline.kafka_status.contacted.is_set():
                self._is_ready = True
                self._notifier.ready()
            elif not overdue:
                self._notifier.extend_timeout(START_EXTENSION_SECONDS)
        self._notifier.status(self._status_line())

    def _status_line(self) -> str:
        counts, kafka = self._pipeline.ledger.accounting, self._pipeline.kafka_status
        if self._overdue:
            how = f"hanging: {', '.join(self._overdue)}"
        elif self._supervisor.is_draining:
            how = "stopping, delivering what was read"
        else:
            how = f"broker {kafka.state}" + (f" ({kafka.reason})" if kafka.reason else "")
        return f"{how}; {counts.lines_read} lines read, {counts.delivered} delivered, {counts.dead_lettered} dead letters, {counts.in_flight} in flight"
