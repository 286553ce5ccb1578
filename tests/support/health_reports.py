"""Health reports as a daemon could make them."""

import datetime as dt
import math

from wazuh_dfn.health.report import (
    Actor,
    Checkpoint,
    Counts,
    DeadLetters,
    Delivery,
    Feedback,
    HealthReport,
    MailboxDepth,
    RatePoint,
    Reading,
)

NOW = dt.datetime(2026, 3, 14, 9, 26, 53, tzinfo=dt.UTC)
NAMES = ("tailer", "router", "windows", "fail2ban", "kafka", "checkpointer", "monitor", "feedback")


def history(points=120, *, until=NOW):
    """Return an hour of an uneven night: `points` of them, the last one at `until`."""
    step = dt.timedelta(hours=1) / max(points - 1, 1)
    return tuple(
        RatePoint(
            at=until - (points - 1 - index) * step,
            lines_read=120 + 60 * math.sin(index / 9) + 25 * math.sin(index * 1.7),
            delivered=31 + 14 * math.sin(index / 9) + 6 * math.sin(index * 2.3),
            dead_lettered=2.5 if index % 40 == 39 else 0,
        )
        for index in range(points)
    )


def healthy(**changes):
    report = HealthReport(
        status="healthy",
        problems=(),
        version="1.0.0",
        time=NOW,
        uptime_seconds=273_723,
        counts=Counts(lines_read=1_234_567, not_relevant=1_200_000, delivered=34_001, dead_lettered=2, in_flight=564, balanced=True),
        reading=Reading(
            file="/var/ossec/logs/alerts/alerts.json",
            read_to=48_318_382,
            acked_through=48_200_000,
            lag_bytes=0,
            acked_through_file="/var/ossec/logs/alerts/alerts.json",
        ),
        checkpoint=Checkpoint(saved_offset=48_192_000, seconds_since_save=0.62),
        dead_letters=DeadLetters(kept={"malformed": 2}),
        delivery=Delivery(
            state="connected",
            seconds_since_acknowledgement=0.41,
            delay_seconds_median=1.24,
            delay_seconds_p95=3.9,
            batch_seconds_median=0.024,
            certificates={"client": NOW.replace(year=2027), "broker": NOW.replace(year=2028)},
        ),
        feedback=Feedback(state="connected", sent=12, dropped=0),
        actors=tuple(Actor(name=name, state="running", restarts=0) for name in NAMES),
        mailboxes=tuple(MailboxDepth(name=name, depth=depth, capacity=8) for name, depth in zip(NAMES[1:6], (1, 0, 0, 3, 0), strict=True)),
        resident_bytes=89_300_000,
        history=history(),
    )
    return report.model_copy(update=changes)


def unhealthy(**changes):
    """Return one with everything wrong that can be; its texts try to be more than texts."""
    failed = Actor(
        name="kafka",
        state="hanging",
        restarts=7,
        last_failure_at=NOW - dt.timedelta(seconds=95),
        last_failure="BrokerUnavailableError: <script>document.title='owned'</script> (kafka.py:120 run > kafka_producer.py:88 deliver)",
    )
    report = healthy(
        status="unhealthy",
        problems=(
            "The broker kafka.example.org:443 refuses our certificate (expired on 2026-03-01): put a new one in place of dfn.dfn_cert.",
            "<img src=x onerror=\"document.title='owned'\"> crashed the actor: [red]see\x1b[31m[/red] the dead letters.",
        ),
        counts=Counts(lines_read=812_000, not_relevant=790_000, delivered=21_000, dead_lettered=311, in_flight=700, balanced=False),
        reading=Reading(
            file="/var/ossec/logs/alerts/2026/Mar/ossec-alerts-13.json",
            read_to=3_221_225_472,
            acked_through=3_000_000_000,
            acked_through_file="/var/ossec/logs/alerts/2026/Mar/ossec-alerts-12.json",
            lag_bytes=5_368_709_120,
            unnamed_bytes=1_048_576,
            problems=("alerts.json can't be read (Permission denied): let the daemon's user read it.",),
        ),
        checkpoint=Checkpoint(saved_offset=None, seconds_since_save=None, problem="No space left on device: free some space."),
        delivery=Delivery(state="unavailable", problem="TLS: certificate expired", seconds_since_acknowledgement=5_400),
        feedback=Feedback(state="unavailable", problem="connection refused", sent=3, dropped=4_711),
        actors=tuple(failed if name == "kafka" else Actor(name=name, state="running", restarts=0) for name in NAMES),
        mailboxes=tuple(MailboxDepth(name=name, depth=8, capacity=8) for name in NAMES[1:6]),
    )
    return report.model_copy(update=changes)


def just_started(**changes):
    """Return the first one of a daemon that knows nothing yet."""
    nothing = dict.fromkeys(("lines_read", "not_relevant", "delivered", "dead_lettered", "in_flight"), 0)
    report = HealthReport(
        status="degraded",
        problems=("The broker has not been reached yet: wait a moment.",),
        version="1.0.0",
        time=NOW,
        uptime_seconds=0.8,
        counts=Counts(**nothing, balanced=True),
        reading=Reading(),
        checkpoint=Checkpoint(),
        delivery=Delivery(state="not connected"),
        feedback=Feedback(state="off", sent=0, dropped=0),
        actors=(Actor(name="tailer", state="running", restarts=0),),
        mailboxes=(),
    )
    return report.model_copy(update=changes)
