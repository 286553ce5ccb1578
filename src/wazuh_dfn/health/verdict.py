"""Is that healthy? Pure: the parts of a report, and thresholds, to a verdict and sentences for the operator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from wazuh_dfn.health.report import Actor, Checkpoint, Counts, Delivery, Feedback, MailboxDepth, Reading, Verdict

RECENT_FAILURE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From `[health]`: shares are of a mailbox's capacity in percent, times in seconds."""

    queue_warning_percent: float = 70
    queue_critical_percent: float = 90
    stall_seconds: float = 60
    slow_batch_seconds: float = 1.0
    extremely_slow_batch_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence: what is wrong, and what to do next."""

    text: str
    is_severe: bool = False
    """Nothing is delivered, or an actor hangs."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What is judged."""

    time: datetime
    counts: Counts
    reading: Reading
    checkpoint: Checkpoint
    delivery: Delivery
    feedback: Feedback
    actors: tuple[Actor, ...]
    mailboxes: tuple[MailboxDepth, ...]


def judge(parts: Parts, thresholds: Thresholds) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict and what is wrong, severe problems first."""
    found = sorted((problem for rule in _RULES for problem in rule(parts, thresholds)), key=lambda problem: not problem.is_severe)
    verdict: Verdict = "healthy" if not found else "unhealthy" if found[0].is_severe else "degraded"
    return verdict, tuple(problem.text for problem in found)


def _actors(parts: Parts, thresholds: Thresholds) -> Iterator[Problem]:
    for actor in parts.actors:
        if actor.state == "hanging":
            yield Problem(
                f"The actor {actor.name} has hung for {actor.silent_seconds:.0f} s and can't be stopped; restart the daemon, nothing is lost by it.",
                is_severe=True,
            )
        elif actor.silent_seconds >= thresholds.stall_seconds:
            yield Problem(
                f"The actor {actor.name} has made no progress for {actor.silent_seconds:.0f} s; "
                "it is restarted at its deadline, look for what is slow (broker, disk) if this comes again."
            )
        yield from _failures(actor, parts.time)


def _failures(actor: Actor, now: datetime) -> Iterator[Problem]:
    if actor.last_failure_at is None:
        return
    age_seconds = (now - actor.last_failure_at).total_seconds()
    if actor.state == "restarting" or 0 <= age_seconds < RECENT_FAILURE_SECONDS:
        yield Problem(
            f"The actor {actor.name} failed {max(0.0, age_seconds):.0f} s ago ({actor.last_failure}) and is started again, which loses nothing; "
            "if it goes on, report it with the log at level DEBUG."
        )


def _broker(parts: Parts, thresholds: Thresholds) -> Iterator[Problem]:
    delivery = parts.delivery
    if delivery.state == "unavailable":
        yield Problem(
            f"The broker is unavailable, alerts wait in the file: {delivery.problem}; `wazuh-dfn check` tells more.", is_severe=True
        )
    elif delivery.state == "not connected":
        yield Problem("The broker has not been reached yet; wait a moment, then look into the log.")
    median = delivery.batch_seconds_median
    if median is not None and median >= thresholds.slow_batch_seconds:
        how = "extremely slow" if median >= thresholds.extremely_slow_batch_seconds else "slow"
        yield Problem(f"The broker is {how}, it takes {median:.1f} s for a batch; look at the network and ask its operator.")


def _mailboxes(parts: Parts, thresholds: Thresholds) -> Iterator[Problem]:
    since_ack = parts.delivery.seconds_since_acknowledgement
    is_stalled = since_ack is not None and since_ack >= thresholds.stall_seconds
    for mailbox in parts.mailboxes:
        percent = 100 * mailbox.depth / mailbox.capacity
        if percent >= thresholds.queue_critical_percent and is_stalled:
            yield Problem(
                f"The mailbox of {mailbox.name} is {percent:.0f} % full and nothing was acknowledged for {since_ack:.0f} s; look at the broker.",
                is_severe=True,
            )
        elif percent >= thresholds.queue_warning_percent:
            yield Problem(
                f"The mailbox of {mailbox.name} is {percent:.0f} % full, so reading waits and alerts stay in the file; "
                "that is how a backlog is caught up, look at the broker if it stays."
            )


def _reading(parts: Parts, _: Thresholds) -> Iterator[Problem]:
    for problem in parts.reading.problems:
        yield Problem(f"Reading: {problem.rstrip('.;')}; `wazuh-dfn check` tells what to do.")


def _checkpoint(parts: Parts, _: Thresholds) -> Iterator[Problem]:
    if parts.checkpoint.problem is not None:
        yield Problem(
            f"The checkpoint can't be written: {parts.checkpoint.problem}; make room or mend the folder, or the next start repeats records."
        )


def _feedback(parts: Parts, _: Thresholds) -> Iterator[Problem]:
    if parts.feedback.state == "unavailable":
        yield Problem(f"Wazuh can't be told, which delays no alert: {parts.feedback.problem}; look at wazuh-analysisd.")


def _accounting(parts: Parts, _: Thresholds) -> Iterator[Problem]:
    if not parts.counts.balanced:
        yield Problem("The accounting of the lines does not add up, this is a bug; report it with the log.")


type _Rule = Callable[[Parts, Thresholds], Iterable[Problem]]
_RULES: tuple[_Rule, ...] = (_actors, _broker, _mailboxes, _reading, _checkpoint, _feedback, _accounting)
