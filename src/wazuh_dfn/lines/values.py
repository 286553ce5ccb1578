"""Reads JSON values of any type (kinds/CONTRACT.md, "Values of other types").

Nothing raises for a value from `parse_alert`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

_EVENT_ID_BITS = 64
_NOTHING: Mapping[str, Any] = {}


def json_bytes(value: object) -> bytes:
    """Return the compact JSON of any value that JSON can express, as UTF-8.

    Integers keep all their digits, and lone surrogates are written as escapes again.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        # orjson rejects integers over 64 bits, lone surrogates and nesting over 254 levels. The standard library accepts them.
        # Lone surrogates are the only thing that UTF-8 cannot encode, and Python's escape for them is also the JSON escape.
        return _slow_json(value).encode("utf-8", "backslashreplace")


def json_text(value: object) -> str:
    """Return the same compact JSON as a string.

    A lone surrogate stays a code point, which the caller has to replace.
    """
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return _slow_json(value)


def _slow_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def value_text(value: object) -> str:
    """Return the text of a JSON value: strings unchanged, null as the empty string, and anything else as compact JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json_text(value)


def plain_value(value: object) -> object:
    """Return a value for a field without structure: strings, numbers and booleans unchanged, and anything else as its text."""
    return value if isinstance(value, str | int | float) else value_text(value)


def event_id_text(value: object) -> str:
    """Return the event ID in the form in which IDs are compared: `"4625"` for `" 4625 "`, `4625` and `4625.0`.

    The result is empty for everything that is not an ID: other types, fractions, and integers over 64 bits.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= _EVENT_ID_BITS:
        return str(value)
    return ""


def child(parent: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    """Return the object under `key`, or None if there is no object."""
    value = parent.get(key)
    return value if isinstance(value, dict) else None


def section(alert: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the object at the end of `path`, or an empty one if a step is missing or is not an object."""
    found = alert
    for key in path:
        inner = found.get(key)
        if not isinstance(inner, dict):
            return _NOTHING
        found = inner
    return found
