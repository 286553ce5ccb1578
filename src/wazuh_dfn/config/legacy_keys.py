"""Keys of version 0.23: those that have other names today, and those without effect, with one warning for each."""

from __future__ import annotations

from typing import Any

from wazuh_dfn.config.documents import Given, KeyPath, dotted

PRODUCER_CONFIG: KeyPath = ("kafka", "producer_config")
"""The key whose value is a table."""

_ACKNOWLEDGED_BY_ALL = ("all", -1, "-1")
_OLD_INTERVAL: KeyPath = ("log", "interval")
_INTERVAL: KeyPath = ("health", "stats_interval")

_GIVES_UP = "is not needed: feedback to Wazuh waits for its socket as long as it takes; use wazuh.retry_interval for the time between tries"
_WAIT = "is not needed: the waits between tries to reach Wazuh double; use wazuh.retry_interval for the first and wazuh.max_retry_wait_time for the longest"
_RETRIES = (
    "is not needed: the daemon tries until the broker acknowledges and never gives up; use kafka.retry_interval and "
    "kafka.slow_retry_interval for the longest time between tries"
)

_BY_SECTION = {
    "wazuh": {
        "json_alert_prefix": "is not needed: each line of the alert file is one JSON object, whatever it begins with; use nothing instead",
        "json_alert_suffix": "is not needed: a line ends where its line feed is; use nothing instead",
        "store_failed_alerts": "is not needed: dead letters are always kept, they are the only copy; use wazuh.max_failed_files to bound them",
        "json_alert_queue_size": "is not needed: no queue drops alerts, the file itself is the buffer; use supervisor.mailbox_capacity for how much is under way",
        "max_retries": _GIVES_UP,
        "max_connection_failures_per_event": _GIVES_UP,
        "max_connection_wait_attempts": _GIVES_UP,
        "connection_failure_backoff_base": _WAIT,
        "connection_wait_sleep_interval": _WAIT,
        "read_timeout": "is not needed: nothing is read from Wazuh's socket; use wazuh.write_timeout for the time to accept a message",
    },
    "kafka": {
        "connection_max_retries": _RETRIES,
        "send_max_retries": _RETRIES,
        "max_wait_time": "is not needed: the waits between tries double; use kafka.retry_interval and kafka.slow_retry_interval for the longest",
        "admin_timeout": "is not needed: no admin client is used; use kafka.timeout, which holds for every request",
        "service_retry_interval": "is not needed: the producer's part is restarted by the supervisor; use supervisor.backoff_initial and supervisor.backoff_max",
    },
    "log": {"interval": "is the old name of health.stats_interval; use that one"},
    "health": {
        "cache_ttl": "is not needed: the state is always at hand and nothing is cached; use nothing instead",
        "event_queue_size": "is not needed: statistics are counted, not queued; use nothing instead",
    },
    "misc": {
        "num_workers": "is not needed: there is one part for each kind of alert, supervised; use supervisor.mailbox_capacity for how much is under way"
    },
}

LEGACY_KEYS: dict[KeyPath, str] = {(section, key): text for section, texts in _BY_SECTION.items() for key, text in texts.items()}
"""For each key of 0.23 without effect the end of the sentence that begins with its name."""

LEGACY_PRODUCER_OPTIONS: dict[str, str] = {
    "linger_ms": "is not needed: no batch is kept waiting to be filled; use nothing instead",
    "acks": "has no effect: acks is all, so that nothing acknowledged is lost",
    "max_batch_size": "is not needed: the daemon makes the batches itself; use kafka.max_batch_bytes for their size",
}
"""The same for options within `kafka.producer_config`."""

MOVED_PRODUCER_OPTIONS: dict[str, str] = {
    "max_request_size": "max_request_size",
    "enable_idempotence": "idempotence",
}
"""Options within `kafka.producer_config` that are keys of `[kafka]` by now: old name to new one. They take effect."""


def translate(values: dict[KeyPath, Given]) -> tuple[dict[KeyPath, Given], list[str]]:
    """Put old keys into today's.

    Args:
        values: The values that won.

    Returns:
        The values by keys of the model, and the warnings.
    """
    current = {key: given for key, given in values.items() if key not in LEGACY_KEYS}
    warnings = [f"{values[key].place}: {dotted(key)} {text}" for key, text in LEGACY_KEYS.items() if key in values]
    if _OLD_INTERVAL in values and _INTERVAL not in values:
        current[_INTERVAL] = values[_OLD_INTERVAL]
    given = current.get(PRODUCER_CONFIG)
    if given is not None and isinstance(given.value, dict):
        warnings += _move_producer_options(current, given)
    return current, warnings


def _move_producer_options(current: dict[KeyPath, Given], given: Given) -> list[str]:
    """Take the options out of `kafka.producer_config` that are keys of their own, or none at all, by now."""
    left: dict[str, Any] = {}
    warnings = []
    for name, value in given.value.items():
        place = given.places.get(name, given.place)
        if name in LEGACY_PRODUCER_OPTIONS:
            if name != "acks" or value not in _ACKNOWLEDGED_BY_ALL:
                warnings.append(f"{place}: {dotted((*PRODUCER_CONFIG, name))} {LEGACY_PRODUCER_OPTIONS[name]}")
        elif name in MOVED_PRODUCER_OPTIONS:
            key = ("kafka", MOVED_PRODUCER_OPTIONS[name])
            if key in current:
                warnings.append(f"{place}: {dotted((*PRODUCER_CONFIG, name))} has no effect: {dotted(key)} is set too and wins")
            else:
                current[key] = Given(value, place)
        else:
            left[name] = value
    current[PRODUCER_CONFIG] = Given(left, given.place, given.places)
    return warnings
