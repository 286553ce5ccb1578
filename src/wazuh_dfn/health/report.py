"""The health report: what `/health/detailed` answers, and what the status page, `wazuh-dfn status` and the log line are made of."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from wazuh_dfn.kafka.kafka_status import KafkaState
from wazuh_dfn.wazuh.feedback_status import FeedbackState

type Verdict = Literal["healthy", "degraded", "unhealthy"]
"""Degraded: delivering, with something to look at. Unhealthy: nothing is delivered, or an actor hangs."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Counts(_Part):
    """Lines since this process began; lines_read = not_relevant + delivered + dead_lettered + in_flight as long as `balanced`."""

    lines_read: int
    not_relevant: int
    delivered: int
    dead_lettered: int
    in_flight: int
    balanced: bool
    odd: int = 0
    """Of those that are not relevant, those that are nested too deeply to be sent."""


class Reading(_Part):
    """Where the reading stands, in bytes; None where nothing is known (yet)."""

    file: str | None = None
    read_to: int | None = None
    acked_through: int | None = None
    """All before this byte is settled; in another file than `file` if `acked_through_file` differs from it."""
    acked_through_file: str | None = None
    lag_bytes: int | None = None
    """Bytes of the file that have not been read yet; None for a gzipped one."""
    unnamed_bytes: int | None = None
    """Of a rotated file that is still read and has lost its name: what a crash would lose."""
    problems: tuple[str, ...] = ()


class Checkpoint(_Part):
    """How far the durable position is behind."""

    saved_offset: int | None = None
    seconds_since_save: float | None = None
    """Since it was saved, or found to be up to date."""
    problem: str | None = None


class DeadLetters(_Part):
    """What becomes of lines that can't be delivered."""

    problem: str | None = None
    """Why one can't be written, for which the delivery waits."""
    kept: dict[str, int] | None = None
    """In the folder, by stage; None if not known."""
    removed: dict[str, int] = {}
    """To make room, ever, by stage."""
    unseen: dict[str, int] = {}
    """Of those, the ones since the operator last looked."""
    unseen_since: str = ""
    """When the first of them was removed, as ISO 8601."""


class Delivery(_Part):
    """The connection to the broker; delays run from an alert's own timestamp to the acknowledgement of its record."""

    state: KafkaState
    problem: str | None = None
    problem_code: str | None = None
    """What kind of problem: one of `FaultCode`, which stay the same."""
    remedy: str | None = None
    seconds_since_acknowledgement: float | None = None
    delay_seconds_median: float | None = None
    delay_seconds_p95: float | None = None
    """Both of the records of the last 5 minutes; None if there were none."""
    batch_seconds_median: float | None = None
    """What the broker took for a batch in the last 5 minutes."""
    certificates: dict[str, AwareDatetime] = {}
    """When `client` (ours), `ca` and `broker` run out, as they were when the connection was made; without TLS none."""
    certificate_problems: tuple[str, ...] = ()


class Feedback(_Part):
    """What Wazuh is told, in messages."""

    state: FeedbackState
    problem: str | None = None
    sent: int
    dropped: int


class Actor(_Part):
    """One supervised child."""

    name: str
    state: Literal["running", "restarting", "hanging", "finished"]
    restarts: int
    last_failure: str | None = None
    """Cause in brief, without alert content."""
    last_failure_at: AwareDatetime | None = None
    silent_seconds: float = 0.0
    """For how long it has been at work without progress; waiting is no work."""


class MailboxDepth(_Part):
    """Batches that wait for an actor."""

    name: str
    depth: int
    capacity: int


class RatePoint(_Part):
    """Rates per second, averaged over the time since the point before."""

    at: AwareDatetime
    lines_read: float
    delivered: float
    dead_lettered: float


class HealthReport(_Part):
    """All of it, at one moment."""

    status: Verdict
    problems: tuple[str, ...]
    """One sentence each: what is wrong, and what to do next. Empty if healthy."""
    version: str
    time: AwareDatetime
    uptime_seconds: float
    counts: Counts
    reading: Reading
    checkpoint: Checkpoint
    dead_letters: DeadLetters = DeadLetters()
    delivery: Delivery
    feedback: Feedback
    actors: tuple[Actor, ...]
    mailboxes: tuple[MailboxDepth, ...]
    resident_bytes: int | None = None
    history: tuple[RatePoint, ...] = ()
    """Oldest first, over the last hour (`health.history_retention`)."""

    @property
    def is_alive(self) -> bool:
        """Whether no actor hangs."""
        return all(actor.state != "hanging" for actor in self.actors)

    @property
    def is_ready(self) -> bool:
        """Whether the broker was reached, and is not known to be unavailable."""
        return self.delivery.state == "connected"
