"""The metrics for Prometheus, made from one observation per scrape, so that nothing is counted twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from wazuh_dfn.delivery.durations import Durations
from wazuh_dfn.health.report import HealthReport
from wazuh_dfn.kinds.catalogue import dead_letter_stages

type Samples = Iterable[tuple[str, float]]


def exposition(report: HealthReport, delays: Durations, batches: Durations, accept: str) -> tuple[bytes, str]:
    """Return the metrics in the format that the `Accept` header asks for, and its content type."""
    registry = CollectorRegistry()
    registry.register(ReportCollector(report, delays, batches))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class ReportCollector(Collector):
    """The metrics of one observation. Unknown values are left out."""

    def __init__(self, report: HealthReport, delays: Durations, batches: Durations) -> None:
        self._report = report
        self._delays = delays
        self._batches = batches

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        yield from self._daemon()
        yield from self._lines()
        yield from self._dead_letters()
        yield from self._position()
        yield from self._delivery()
        yield from self._actors()

    def _daemon(self) -> Iterator[Metric]:
        report = self._report
        yield InfoMetricFamily("wazuh_dfn_build", "The version of the daemon.", {"version": report.version})
        states = ((state, float(state == report.status)) for state in ("healthy", "degraded", "unhealthy"))
        yield _gauges("wazuh_dfn_health_status", "1 for the current state of the daemon, 0 for the others.", "status", states)

    def _lines(self) -> Iterator[Metric]:
        counts = self._report.counts
        yield _counter("wazuh_dfn_lines_read", "Lines read from alert files.", counts.lines_read)
        outcomes = {"not_relevant": counts.not_relevant, "delivered": counts.delivered, "dead_lettered": counts.dead_lettered}
        yield _counters("wazuh_dfn_lines_settled", "Settled lines by outcome.", "outcome", outcomes.items())
        yield _counter("wazuh_dfn_lines_odd", "Lines that are not relevant and are nested too deeply to be sent.", counts.odd)
        yield _gauge("wazuh_dfn_lines_in_flight", "Lines read but not settled.", counts.in_flight)
        yield _gauge("wazuh_dfn_accounting_balanced", "1 if read = settled + in flight.", counts.balanced)

    def _dead_letters(self) -> Iterator[Metric]:
        letters = self._report.dead_letters
        if letters.kept is not None:
            kept, removed = (
                [(stage, counts.get(stage, 0)) for stage in dead_letter_stages()] for counts in (letters.kept, letters.removed)
            )
            yield _gauges("wazuh_dfn_dead_letters", "Dead letters in the folder.", "stage", kept)
            yield _counters(
                "wazuh_dfn_dead_letters_removed", "Dead letters removed to make room, including those before restarts.", "stage", removed
            )

    def _position(self) -> Iterator[Metric]:
        reading, checkpoint = self._report.reading, self._report.checkpoint
        yield _gauge("wazuh_dfn_reading_lag_bytes", "Bytes of the alert file that are not read yet.", reading.lag_bytes)
        yield _gauge(
            "wazuh_dfn_reading_unnamed_bytes",
            "Bytes that a deleted file which is still being read occupies on the disk.",
            reading.unnamed_bytes,
        )
        age = checkpoint.seconds_since_save
        yield _gauge("wazuh_dfn_checkpoint_age_seconds", "Time since the checkpoint was last saved or found up to date.", age)

    def _delivery(self) -> Iterator[Metric]:
        delivery, feedback = self._report.delivery, self._report.feedback
        yield _histogram(
            "wazuh_dfn_alert_delay_seconds", "Time from an alert's timestamp to the acknowledgement of its record.", self._delays
        )
        yield _gauge("wazuh_dfn_kafka_connected", "1 if the broker was reached and is not known to be unavailable.", self._report.is_ready)
        yield _histogram("wazuh_dfn_kafka_batch_seconds", "Time for the broker to acknowledge a batch.", self._batches)
        age = delivery.seconds_since_acknowledgement
        yield _gauge("wazuh_dfn_kafka_acknowledgement_age_seconds", "Time since the last acknowledgement.", age)
        expiries = ((whose, at.timestamp()) for whose, at in delivery.certificates.items())
        text = "Expiry of a certificate used for the connection, in seconds since the epoch."
        yield _gauges("wazuh_dfn_certificate_expiry_timestamp_seconds", text, "certificate", expiries)
        yield _counter("wazuh_dfn_feedback_sent", "Messages that Wazuh accepted.", feedback.sent)
        yield _counter("wazuh_dfn_feedback_dropped", "Messages that Wazuh did not accept.", feedback.dropped)

    def _actors(self) -> Iterator[Metric]:
        actors, mailboxes = self._report.actors, self._report.mailboxes
        restarts = ((actor.name, actor.restarts) for actor in actors)
        yield _counters("wazuh_dfn_actor_restarts", "Failures of an actor. It is restarted after each.", "actor", restarts)
        up = ((actor.name, float(actor.state == "running")) for actor in actors)
        yield _gauges("wazuh_dfn_actor_up", "1 if the actor is running and does not hang.", "actor", up)
        depths, capacities = ((box.name, box.depth) for box in mailboxes), ((box.name, box.capacity) for box in mailboxes)
        yield _gauges("wazuh_dfn_mailbox_depth", "Batches that wait for an actor or are being processed.", "mailbox", depths)
        yield _gauges("wazuh_dfn_mailbox_capacity", "Maximum number of batches that can wait for an actor.", "mailbox", capacities)


def _gauge(name: str, text: str, value: float | None) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value)


def _gauges(name: str, text: str, label: str, samples: Samples) -> Metric:
    return _filled(GaugeMetricFamily(name, text, labels=[label]), samples)


def _counters(name: str, text: str, label: str, samples: Samples) -> Metric:
    return _filled(CounterMetricFamily(name, text, labels=[label]), samples)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, samples: Samples) -> Metric:
    for value, number in samples:
        family.add_metric([value], number)
    return family


def _histogram(name: str, text: str, durations: Durations) -> Metric:
    bounds = [*map(str, map(float, durations.bounds)), "+Inf"]
    cumulated = list(zip(bounds, map(float, accumulate(durations.counts)), strict=True))
    return HistogramMetricFamily(name, text, cumulated, durations.sum_seconds)
