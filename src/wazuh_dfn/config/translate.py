"""What version 0.23 named or did otherwise, put into today's keys, with one warning for each."""

from __future__ import annotations

from typing import Any

from wazuh_dfn.config.given import Given
from wazuh_dfn.config.keys import PRODUCER_CONFIG, KeyPath, dotted
from wazuh_dfn.config.legacy import LEGACY_KEYS, LEGACY_PRODUCER_OPTIONS, MOVED_PRODUCER_OPTIONS

_ACKNOWLEDGED_BY_ALL = ("all", -1, "-1")
_OLD_INTERVAL: KeyPath = ("log", "interval")
_INTERVAL: KeyPath = ("health", "stats_interval")


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
