"""The observation from which all reports are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal

import anyio

from wazuh_dfn.config.daemon_sections import HealthSettings
from wazuh_dfn.delivery.dead_letter_store import DeadLetterStore
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.health.file_sizes import FileSizes
from wazuh_dfn.health.history import RateHistory
from wazuh_dfn.health.report import Actor, Checkpoint, Counts, DeadLetters, Delivery, Feedback, HealthReport, MailboxDepth, Reading
from wazuh_dfn.health.restarts import RestartLog
from wazuh_dfn.health.verdict import judge
from wazuh_dfn.kafka.kafka_status import KafkaStatus
from wazuh_dfn.supervision.child import Child
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox
from wazuh_dfn.tailing.checkpoint_status import CheckpointStatus
from wazuh_dfn.tailing.place import ReadingPlace
from wazuh_dfn.wazuh.feedback_status import FeedbackStatus

VERSION = version("wazuh-dfn")
type ServeHealth = Callable[[Observed, Lifeline[None]], Awaitable[None]]
"""Serves the health API until the lifeline asks to stop."""


@dataclass(slots=True)
class Observed:
    """Sources of the health report.

    `children` is set once there is a supervisor. `now` is the wall clock, in seconds since the epoch.
    """

    ledger: Ledger
    place: ReadingPlace
    dead_letters: DeadLetterStore
    checkpoint: CheckpointStatus
    kafka: KafkaStatus
    feedback: FeedbackStatus
    mailboxes: Sequence[Mailbox[Any]]
    restarts: RestartLog
    resident_bytes: Callable[[], int]
    now: Callable[[], float]
    settings: HealthSettings
    children: Sequence[Child] = ()
    sizes: FileSizes = field(default_factory=FileSizes)
    history: RateHistory = field(init=False)
    began_at: float = field(default_factory=anyio.current_time)

    def __post_init__(self) -> None:
        self.history = RateHistory(self.settings.history_retention, self.settings.max_history_entries)

    def moment(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)

    async def report(self) -> HealthReport:
        """Return the health report.

        An unresponsive disk delays it by at most 2 s. Concurrent calls may wait for each other in addition.
        """
        now, when = anyio.current_time(), self.moment()
        reading = await self._reading()
        report = HealthReport(
            status="healthy",
            problems=(),
            version=VERSION,
            time=when,
            uptime_seconds=round(now - self.began_at, 1),
            counts=self._counts(),
            reading=reading,
            checkpoint=self._checkpoint(now),
            dead_letters=await self._dead_letters(),
            delivery=self._delivery(now),
            feedback=self._feedback(),
            actors=tuple(map(self._actor, self.children)),
            mailboxes=tuple(MailboxDepth(name=box.name, depth=box.depth, capacity=box.capacity) for box in self.mailboxes),
            resident_bytes=self._resident_bytes(),
            history=tuple(self.history.points(now)),
        )
        status, problems = judge(report, self.settings)
        return report.model_copy(update={"status": status, "problems": problems})

    def _counts(self) -> Counts:
        counts = self.ledger.accounting
        return Counts(
            lines_read=counts.lines_read,
            not_relevant=counts.not_relevant,
            delivered=counts.delivered,
            dead_lettered=counts.dead_lettered,
            in_flight=counts.in_flight,
            balanced=counts.is_balanced,
            odd=counts.odd,
        )

    async def _dead_letters(self) -> DeadLetters:
        counts, problem = await self.dead_letters.counts(), self.dead_letters.problem
        return DeadLetters(problem=problem) if counts is None else DeadLetters(problem=problem, **asdict(counts))

    async def _reading(self) -> Reading:
        file, at, acked, problems = self.place.file, self.place.at, self.ledger.acked_through, tuple(self.place.problems)
        if file is None or at is None:
            return Reading(problems=problems)
        if acked is None and not self.ledger.accounting.in_flight:
            acked = at
        size, unnamed_bytes = await self.sizes.of(file)
        if not self.sizes.is_answering:
            problems += ("the file system of the alert file does not answer; `wazuh-dfn check` looks at it",)
        return Reading(
            file=file.path,
            read_to=at.offset,
            acked_through=acked.offset if acked is not None else None,
            acked_through_file=acked.path if acked is not None else None,
            lag_bytes=max(0, size - at.offset) if size is not None else None,
            unnamed_bytes=unnamed_bytes,
            problems=problems,
        )

    def _checkpoint(self, now: float) -> Checkpoint:
        status = self.checkpoint
        return Checkpoint(
            saved_offset=status.saved.offset if status.saved is not None else None,
            saved_file=status.saved.path if status.saved is not None else None,
            seconds_since_save=_since(status.up_to_date_at, now),
            problem=status.problem,
        )

    def _delivery(self, now: float) -> Delivery:
        kafka = self.kafka
        median, p95 = map(_rounded, kafka.delays.recent_quantiles(now, 0.5, 0.95))
        return Delivery(
            state=kafka.state,
            problem=kafka.reason or None,
            problem_code=kafka.fault.code.value if kafka.fault is not None else None,
            remedy=kafka.fault.remedy if kafka.fault is not None else None,
            seconds_since_acknowledgement=_since(kafka.last_acknowledgement, now),
            delay_seconds_median=median,
            delay_seconds_p95=p95,
            batch_seconds_median=next(map(_rounded, kafka.batches.recent_quantiles(now, 0.5))),
            certificates={whose: datetime.fromtimestamp(at, UTC) for whose, at in kafka.certificates.expires_at.items()},
            certificate_problems=tuple(kafka.certificates.problems(self.now())),
        )

    def _feedback(self) -> Feedback:
        status = self.feedback
        return Feedback(state=status.state, problem=status.reason, sent=status.sent, dropped=status.dropped)

    def _actor(self, child: Child) -> Actor:
        name = child.spec.name
        last = self.restarts.last.get(name)
        return Actor(
            name=name,
            state=_state(child),
            restarts=self.restarts.failures.get(name, 0),
            last_failure=last.cause if last is not None else None,
            last_failure_at=datetime.fromtimestamp(last.at, UTC) if last is not None else None,
            silent_seconds=round(child.silent_seconds, 1),
        )

    def _resident_bytes(self) -> int | None:
        try:
            return self.resident_bytes()
        except OSError:  # it needs a file descriptor
            return None


def _state(child: Child) -> Literal["running", "restarting", "hanging", "finished"]:
    if child.finished.is_set():
        return "finished"
    if child.is_overdue:
        return "hanging"
    return "running" if child.is_alive else "restarting"


def _since(then: float | None, now: float) -> float | None:
    return None if then is None else round(now - then, 1)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
