"""Checking the merged values against the model: all findings at once, in the operator's words."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from wazuh_dfn.config.findings import Finding, about_key, about_value
from wazuh_dfn.config.kafka_model import ProducerOptions
from wazuh_dfn.config.keys import KeyPath, nearest
from wazuh_dfn.config.merge import PRODUCER_CONFIG, Given
from wazuh_dfn.config.model import Settings

_WORDS = {
    "greater_than": "this is too small",
    "less_than": "this is too large",
    "int": "this is no whole number",
    "float": "this is no number",
    "finite": "this is no number",
    "bool": "this is neither true nor false",
    "string": "this is no text; write it in quotes",
    "literal": "there is no such choice",
    "path": "this is no path; write it in quotes",
    "tuple": "this is no list",
    "model": "this is no table",
}
"""What is wrong, by the beginning of pydantic's type of error."""


def validate(values: dict[KeyPath, Given]) -> tuple[Settings, list[Finding]]:
    """Check all values.

    Args:
        values: By keys of the model.

    Returns:
        The settings, with defaults in place of the values that are wrong, and what is wrong.
    """
    left = dict(values)
    findings: list[Finding] = []
    while True:
        try:
            return Settings.model_validate(_nested(left)), findings
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                if detail["type"] == "default_factory_not_called":
                    continue  # a default that depends on another value, and that one is wrong
                keys = _keys_of(detail)
                bad = {key for finding in findings for key in finding.keys}
                if detail["type"] != "conflict" or bad.isdisjoint(keys):
                    findings.append(_finding(detail, keys, values))
                for key in keys:
                    left.pop(key, None)  # so each round has fewer values, and no values are valid


def _nested(values: dict[KeyPath, Given]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for (section, key), given in values.items():
        nested.setdefault(section, {})[key] = given.value
    return nested


def _keys_of(detail: ErrorDetails) -> tuple[KeyPath, ...]:
    section = str(detail["loc"][0])
    if detail["type"] == "conflict":
        return tuple((section, key) for key in detail["ctx"]["keys"])
    return ((section, str(detail["loc"][1])),)


def _finding(detail: ErrorDetails, keys: tuple[KeyPath, ...], values: dict[KeyPath, Given]) -> Finding:
    key = next(key for key in keys if key in values)
    given = values[key]
    inner = tuple(map(str, detail["loc"][2:])) if key == PRODUCER_CONFIG else ()
    if inner:
        return _producer_finding(detail, inner[0], given)
    if detail["type"] == "conflict":
        finding = about_value(given.place, key, given.value, detail["msg"])
        return Finding(keys, finding.text)
    return about_value(given.place, key, given.value, f"{_wrong(detail)}; allowed: {_allowed(_field(key))}")


def _producer_finding(detail: ErrorDetails, name: str, given: Given) -> Finding:
    path = (*PRODUCER_CONFIG, name)
    place = given.places.get(name, given.place)
    options = ProducerOptions.model_fields
    if name not in options:
        known = ", ".join(options)
        finding = about_key(place, path, f"this option is not passed on; allowed: {known}; did you mean {nearest(name, options)}?")
    else:
        finding = about_value(place, path, given.value[name], f"{_wrong(detail)}; allowed: {_allowed(options[name])}")
    return Finding((PRODUCER_CONFIG,), finding.text)


def _wrong(detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    return next((text for start, text in _WORDS.items() if detail["type"].startswith(start)), detail["msg"])


def _allowed(field: FieldInfo) -> str:
    what, _, allowed = (field.description or "").partition("; ")
    return allowed or what


def _field(key: KeyPath) -> FieldInfo:
    section = Settings.model_fields[key[0]].annotation
    fields: dict[str, FieldInfo] = getattr(section, "model_fields", {})
    return fields[key[1]]
