"""The health report: the answer of `/health/detailed`, and the source of the status page, `wazuh-dfn status` and the statistics log."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from wazuh_dfn.kafka.kafka_status import KafkaState
from wazuh_dfn.wazuh.feedback_status import FeedbackState

type Verdict = Literal["healthy", "degraded", "unhealthy"]
"""Degraded: delivering or not connected yet, and something needs attention. Unhealthy: nothing is delivered, or an actor hangs."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Counts(_Part):
    """Lines since the start of this process.

    While `balanced` is true, lines_read = not_relevant + delivered + dead_lettered + in_flight.
    """

    lines_read: int
    not_relevant: int
    delivered: int
    dead_lettered: int
    in_flight: int
    balanced: bool
    odd: int = 0
    """Lines among `not_relevant` that are nested too deeply to be sent."""


class Reading(_Part):
    """State of reading. Sizes and offsets are in bytes, None if not known (yet)."""

    file: str | None = None
    read_to: int | None = None
    acked_through: int | None = None
    """All bytes before this offset are settled. The offset is in `acked_through_file`, which may differ from `file`."""
    acked_through_file: str | None = None
    lag_bytes: int | None = None
    """Unread bytes of the file. None for a gzipped file."""
    unnamed_bytes: int | None = None
    """Size of a rotated file that is still read but was deleted. A crash would lose its unread lines."""
    problems: tuple[str, ...] = ()


class Checkpoint(_Part):
    """State of the durable position."""

    saved_offset: int | None = None
    saved_file: str | None = None
    seconds_since_save: float | None = None
    """Seconds since it was saved or found to be up to date."""
    problem: str | None = None


class DeadLetters(_Part):
    """State of the dead letters."""

    problem: str | None = None
    """Why a dead letter cannot be written. Delivery waits for that."""
    kept: dict[str, int] | None = None
    """Dead letters in the folder by stage, None if not known."""
    removed: dict[str, int] = {}
    """Dead letters ever removed to make room, by stage."""
    unseen: dict[str, int] = {}
    """Removed dead letters since the operator last looked, by stage."""
    unseen_since: str = ""
    """When the first of the unseen ones was removed, as ISO 8601."""


class Delivery(_Part):
    """State of the broker connection.

    Delays run from an alert's own timestamp to the acknowledgement of its record.
    """

    state: KafkaState
    problem: str | None = None
    problem_code: str | None = None
    """Kind of problem, a stable value of `FaultCode`."""
    remedy: str | None = None
    seconds_since_acknowledgement: float | None = None
    delay_seconds_median: float | None = None
    delay_seconds_p95: float | None = None
    """Both delays are of the records of the last 5 minutes, None without any."""
    batch_seconds_median: float | None = None
    """Median time that the broker took for a batch in the last 5 minutes."""
    certificates: dict[str, AwareDatetime] = {}
    """Expiry of the certificates `client` (ours), `ca` and `broker`, as of the last connect. Empty without TLS."""
    certificate_problems: tuple[str, ...] = ()


class Feedback(_Part):
    """State of the feedback to Wazuh, counted in messages."""

    state: FeedbackState
    problem: str | None = None
    sent: int
    dropped: int


class Actor(_Part):
    """State of one supervised child."""

    name: str
    state: Literal["running", "restarting", "hanging", "finished"]
    restarts: int
    last_failure: str | None = None
    """The cause in brief, without alert content."""
    last_failure_at: AwareDatetime | None = None
    silent_seconds: float = 0.0
    """Time at work without progress. Waiting does not count."""


class MailboxDepth(_Part):
    """Batches that wait for an actor or are in work."""

    name: str
    depth: int
    capacity: int


class RatePoint(_Part):
    """Rates per second, averaged over the time since the previous point."""

    at: AwareDatetime
    lines_read: float
    delivered: float
    dead_lettered: float


class HealthReport(_Part):
    """The complete report at one moment."""

    status: Verdict
    problems: tuple[str, ...]
    """One sentence per problem: what is wrong, and what to do next. Empty if healthy."""
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
    """Oldest first, for the last `health.history_retention` seconds (an hour by default)."""

    @property
    def is_alive(self) -> bool:
        """Whether no actor hangs."""
        return all(actor.state != "hanging" for actor in self.actors)

    @property
    def is_ready(self) -> bool:
        """Whether the broker was reached and is not known to be unavailable."""
        return self.delivery.state == "connected"
