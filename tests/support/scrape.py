"""What a scrape of `/metrics` holds, and the same without a daemon: from the same code, on a report in which everything is known."""

from prometheus_client.parser import text_string_to_metric_families

from support.health_reports import healthy
from wazuh_dfn.api.metrics import exposition
from wazuh_dfn.delivery.durations import BATCH_BOUNDS, DELAY_BOUNDS, Durations


def families(text):
    """Return the metrics of a scrape."""
    return list(text_string_to_metric_families(text))


def types_by_name(scraped):
    """Return each metric's type by the name that Prometheus has for it."""
    return {family.name + ("_total" if family.type == "counter" else ""): family.type for family in scraped}


def labels_by_series(scraped):
    """Return the names of the labels of each series, those of a histogram as `_bucket`, `_sum` and `_count`."""
    return {sample.name: set(sample.labels) for family in scraped for sample in family.samples}


def full_scrape():
    """Return the metrics of a daemon about which everything is known."""
    report = healthy()
    known = {
        "reading": report.reading.model_copy(update={"unnamed_bytes": 0}),
        "delivery": report.delivery.model_copy(update={"certificates": dict.fromkeys(("client", "ca", "broker"), report.time)}),
    }
    report = report.model_copy(update=known)
    text, _ = exposition(report, Durations(DELAY_BOUNDS), Durations(BATCH_BOUNDS), "")
    return families(text.decode())
