"""The health verdict: pure functions from a report's figures and thresholds to a verdict and sentences for the operator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from wazuh_dfn.config.daemon_sections import HealthSettings
from wazuh_dfn.health.report import Actor, HealthReport, Verdict

LONGEST_CHECKPOINT_INTERVAL_SECONDS = 60.0
RECENT_FAILURE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence: what is wrong, and what to do next."""

    text: str
    is_severe: bool = False
    """Nothing is delivered, or an actor hangs."""


def judge(report: HealthReport, thresholds: HealthSettings) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict on the report's figures, and the problems, severe ones first."""
    found = sorted((problem for rule in _RULES for problem in rule(report, thresholds)), key=lambda problem: not problem.is_severe)
    verdict: Verdict = "healthy" if not found else "unhealthy" if found[0].is_severe else "degraded"
    return verdict, tuple(problem.text for problem in found)


def _actors(report: HealthReport, thresholds: HealthSettings) -> Iterator[Problem]:
    for actor in report.actors:
        if actor.state == "hanging":
            yield Problem(
                f"The actor {actor.name} has hung for {actor.silent_seconds:.0f} s and cannot be stopped; restart the daemon, no alert is lost.",
                is_severe=True,
            )
        elif actor.silent_seconds >= thresholds.worker_stall_threshold:
            yield Problem(
                f"The actor {actor.name} has made no progress for {actor.silent_seconds:.0f} s; "
                "it is restarted at its deadline, check whether the broker or the disk is slow if this happens again."
            )
        yield from _failures(actor, report.time)


def _failures(actor: Actor, now: datetime) -> Iterator[Problem]:
    if actor.last_failure_at is None:
        return
    age_seconds = (now - actor.last_failure_at).total_seconds()
    if actor.state == "restarting" or 0 <= age_seconds < RECENT_FAILURE_SECONDS:
        yield Problem(
            f"The actor {actor.name} failed {max(0.0, age_seconds):.0f} s ago ({actor.last_failure}) and is restarted, no alert is lost; "
            "if this continues, report it with the log at level DEBUG."
        )


def _broker(report: HealthReport, thresholds: HealthSettings) -> Iterator[Problem]:
    delivery = report.delivery
    if delivery.state == "unavailable":
        remedy = f"{delivery.remedy} (run `wazuh-dfn check` for details)" if delivery.remedy else "run `wazuh-dfn check` for details"
        yield Problem(f"The broker is unavailable, alerts wait in the file: {delivery.problem}; {remedy}.", is_severe=True)
    elif delivery.state == "not connected":
        yield Problem("The broker has not been reached yet; wait a moment, then read the log.")
    yield from map(Problem, delivery.certificate_problems)
    median = delivery.batch_seconds_median
    if median is not None and median >= thresholds.kafka_slow_threshold:
        how = "extremely slow" if median >= thresholds.kafka_extremely_slow_threshold else "slow"
        yield Problem(f"The broker is {how}, it takes {median:.1f} s per batch; check the network, or ask the broker's operator.")


def _mailboxes(report: HealthReport, thresholds: HealthSettings) -> Iterator[Problem]:
    silent = {actor.name: actor.silent_seconds for actor in report.actors}
    for mailbox in report.mailboxes:
        percent = 100 * mailbox.depth / mailbox.capacity
        if percent >= thresholds.queue_critical_threshold and silent.get(mailbox.name, 0) >= thresholds.worker_stall_threshold:
            yield Problem(
                f"The mailbox of {mailbox.name} is {percent:.0f} % full and the actor is stuck, so nothing is delivered; check whether the broker or the disk is slow.",
                is_severe=True,
            )
        elif percent >= thresholds.queue_warning_threshold and report.delivery.state != "unavailable":  # otherwise the cause is known
            yield Problem(
                f"The mailbox of {mailbox.name} is {percent:.0f} % full, so reading pauses and alerts stay in the file; "
                "this is normal while a backlog is processed, check the broker if it persists."
            )


def _reading(report: HealthReport, _: HealthSettings) -> Iterator[Problem]:
    for problem in report.reading.problems:
        yield Problem(f"Reading: {problem}.")


def _checkpoint(report: HealthReport, thresholds: HealthSettings) -> Iterator[Problem]:
    checkpoint = report.checkpoint
    if checkpoint.problem is not None:
        yield Problem(
            f"The checkpoint cannot be written: {checkpoint.problem}; free disk space or fix the folder, otherwise the next start sends records again."
        )
    elif (checkpoint.seconds_since_save or 0) >= LONGEST_CHECKPOINT_INTERVAL_SECONDS + thresholds.worker_stall_threshold:
        yield Problem(
            f"The checkpoint has not been saved for {checkpoint.seconds_since_save:.0f} s; "
            "check the disk of wazuh.checkpoint_file, otherwise the next start sends records again."
        )


def _dead_letters(report: HealthReport, _: HealthSettings) -> Iterator[Problem]:
    if report.dead_letters.problem is not None:
        yield Problem(
            f"A dead letter cannot be written, so delivery waits: {report.dead_letters.problem}; "
            "free disk space or fix the folder of wazuh.failed_alerts_path, the daemon retries.",
            is_severe=True,
        )
    if report.dead_letters.unseen:
        yield Problem(
            f"Lost: {told_stages(report.dead_letters.unseen)} were removed since {report.dead_letters.unseen_since} to make room for others; "
            "`wazuh-dfn dead-letters list` shows the rest and ends this warning, wazuh.max_failed_files and wazuh.max_failed_bytes set the limits."
        )


def told_stages(counts: Mapping[str, int]) -> str:
    """Return the number of dead letters, in total and by stage, as text."""
    number = sum(counts.values())
    stages = ", ".join(f"{count:,} {stage}" for stage, count in counts.items())
    return f"{number:,} dead {'letter' if number == 1 else 'letters'} ({stages})"


def _feedback(report: HealthReport, _: HealthSettings) -> Iterator[Problem]:
    if report.feedback.state == "unavailable":
        yield Problem(f"Cannot send feedback to Wazuh, alerts are not delayed: {report.feedback.problem}; check wazuh-analysisd.")


def _accounting(report: HealthReport, _: HealthSettings) -> Iterator[Problem]:
    if not report.counts.balanced:
        yield Problem("The accounting of the lines does not add up; this is a bug, report it with the log.")


type _Rule = Callable[[HealthReport, HealthSettings], Iterable[Problem]]
_RULES: tuple[_Rule, ...] = (_actors, _broker, _mailboxes, _reading, _checkpoint, _dead_letters, _feedback, _accounting)
