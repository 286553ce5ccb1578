"""The verdict: what makes it degraded or unhealthy, and that each problem is a sentence that says what to do."""

from datetime import UTC, datetime, timedelta

import pytest

from wazuh_dfn.config.daemon_sections import HealthSettings
from wazuh_dfn.health.report import Actor, Checkpoint, Counts, DeadLetters, Delivery, Feedback, HealthReport, MailboxDepth, Reading
from wazuh_dfn.health.verdict import judge

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DEFAULTS = HealthSettings()


def report(**changes):
    fields = {
        "status": "healthy",
        "problems": (),
        "version": "1",
        "time": NOW,
        "uptime_seconds": 1000.0,
        "counts": Counts(lines_read=3, not_relevant=1, delivered=1, dead_lettered=1, in_flight=0, balanced=True),
        "reading": Reading(),
        "checkpoint": Checkpoint(),
        "delivery": Delivery(state="connected", seconds_since_acknowledgement=100.0, batch_seconds_median=0.5),
        "feedback": Feedback(state="absent", sent=0, dropped=0),
        "actors": (actor(),),
        "mailboxes": (mailbox(0),),
    }
    return HealthReport(**{**fields, **changes})


def actor(state="running", silent=0.0, failed_ago=None):
    at = None if failed_ago is None else NOW - timedelta(seconds=failed_ago)
    return Actor(name="kafka", state=state, restarts=1, silent_seconds=silent, last_failure="OSError: no disk", last_failure_at=at)


def mailbox(depth):
    return MailboxDepth(name="kafka", depth=depth, capacity=10)


def delivery(state="connected", **fields):
    return Delivery(state=state, **fields)


def test_nothing_wrong_is_healthy():
    assert judge(report(), DEFAULTS) == ("healthy", ())


@pytest.mark.parametrize(
    ("changes", "verdict", "word"),
    [
        ({"actors": (actor("hanging", silent=200.0),)}, "unhealthy", "kafka has hung for 200 s"),
        ({"actors": (actor(silent=60.0),)}, "degraded", "no progress for 60 s"),
        ({"actors": (actor(silent=59.9),)}, "healthy", ""),
        ({"actors": (actor("restarting", failed_ago=1000),)}, "degraded", "OSError: no disk"),
        ({"actors": (actor(failed_ago=299),)}, "degraded", "failed 299 s ago"),
        ({"actors": (actor(failed_ago=300),)}, "healthy", ""),
        ({"actors": (actor(failed_ago=-3600),)}, "healthy", ""),
        ({"delivery": delivery("unavailable", problem="connection refused")}, "unhealthy", "connection refused"),
        ({"delivery": delivery("not connected")}, "degraded", "not been reached yet"),
        ({"delivery": delivery(batch_seconds_median=0.99)}, "healthy", ""),
        ({"delivery": delivery(batch_seconds_median=1.0)}, "degraded", "broker is slow, it takes 1.0 s"),
        ({"delivery": delivery(batch_seconds_median=5.0)}, "degraded", "broker is extremely slow"),
        ({"mailboxes": (mailbox(6),)}, "healthy", ""),
        ({"mailboxes": (mailbox(7),)}, "degraded", "mailbox of kafka is 70 % full"),
        ({"mailboxes": (mailbox(10),)}, "degraded", "mailbox of kafka is 100 % full"),
        ({"mailboxes": (mailbox(10),), "actors": (actor(silent=59.9),)}, "degraded", "mailbox of kafka is 100 % full"),
        ({"reading": Reading(problems=("there is no alerts.json; check that Wazuh is running",))}, "degraded", "there is no alerts.json"),
        ({"checkpoint": Checkpoint(problem="No space left on device")}, "degraded", "No space left"),
        ({"checkpoint": Checkpoint(seconds_since_save=119)}, "healthy", ""),
        ({"checkpoint": Checkpoint(seconds_since_save=120)}, "degraded", "has not been saved for 120 s"),
        ({"dead_letters": DeadLetters(problem="No space left on device")}, "unhealthy", "No space left"),
        ({"dead_letters": DeadLetters(kept={"junk": 3}, removed={"junk": 9})}, "healthy", ""),
        (
            {
                "dead_letters": DeadLetters(
                    removed={"junk": 9}, unseen={"junk": 2, "rejected": 1}, unseen_since="2026-01-02T03:04:05.000+00:00"
                )
            },
            "degraded",
            "3 dead letters (2 junk, 1 rejected) were removed since 2026-01-02T03:04:05.000+00:00",
        ),
        ({"feedback": Feedback(state="unavailable", problem="refused", sent=0, dropped=0)}, "degraded", "Cannot send feedback to Wazuh"),
        (
            {"counts": Counts(lines_read=9, not_relevant=1, delivered=1, dead_lettered=1, in_flight=0, balanced=False)},
            "degraded",
            "does not add up",
        ),
    ],
)
def test_each_rule_has_its_verdict_and_says_what_to_do(changes, verdict, word):
    found, problems = judge(report(**changes), DEFAULTS)
    assert found == verdict
    assert len(problems) == (verdict != "healthy")
    for problem in problems:
        assert word in problem
        assert problem[0].isupper()
        assert problem.endswith(".")
        assert "; " in problem, "what to do"


@pytest.mark.parametrize(("depth", "verdict"), [(8, "degraded"), (9, "unhealthy")])
def test_a_full_mailbox_is_severe_if_its_actor_stands_still(depth, verdict):
    found, problems = judge(report(mailboxes=(mailbox(depth),), actors=(actor(silent=60.0),)), DEFAULTS)
    assert found == verdict
    assert sum("is stuck" in problem for problem in problems) == (verdict == "unhealthy")


def test_severe_problems_come_first_and_decide():
    found, problems = judge(report(mailboxes=(mailbox(7),), dead_letters=DeadLetters(problem="gone")), DEFAULTS)
    assert found == "unhealthy"
    assert ["gone" in problems[0], "70 %" in problems[1]] == [True, True]


def test_mailboxes_that_are_full_because_the_broker_is_away_are_not_told():
    _, problems = judge(report(mailboxes=(mailbox(10),), delivery=delivery("unavailable", problem="gone")), DEFAULTS)
    assert ["gone" in problem for problem in problems] == [True]
