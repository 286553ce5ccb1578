"""What is wrong with the settings, or worth a warning: all of it at once, each as the line that the operator reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wazuh_dfn.config.daemon_sections import HealthApiSettings
from wazuh_dfn.config.delivery_sections import ProducerOptions
from wazuh_dfn.config.documents import Given, KeyPath, dotted
from wazuh_dfn.config.legacy_keys import PRODUCER_CONFIG
from wazuh_dfn.config.setting_types import allowed
from wazuh_dfn.config.settings import FIELDS, SECTION_PATHS, Settings, nearest, suggestion

_SECRET_NAME = re.compile(r"password|passwd|secret|token|credential", re.IGNORECASE)
_PASSWORD_IN_ADDRESS = re.compile(r"//[^/@]*:[^/@]*@")
_LONGEST = 80
MASK = "***"
_SHORT_TOKEN = 16
_ID: KeyPath = ("dfn", "dfn_id")
_BROKER: KeyPath = ("dfn", "dfn_broker")
_CERTIFICATES: tuple[KeyPath, ...] = (("dfn", "dfn_cert"), ("dfn", "dfn_key"), ("dfn", "dfn_ca"), ("dfn", "dfn_crl"))
_SASL: KeyPath = ("kafka", "sasl_mechanism")
_PROTOCOL: KeyPath = ("kafka", "security_protocol")
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


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong (`text`, as one line) and with which keys."""

    keys: tuple[KeyPath, ...]
    text: str


def is_secret(path: KeyPath, value: Any) -> bool:
    """Whether a value may be secret: by the names of the key, or as it looks like a private key or an address with a password."""
    text = str(value)
    return any(_SECRET_NAME.search(part) for part in path) or "-----BEGIN" in text or _PASSWORD_IN_ADDRESS.search(text) is not None


def show(path: KeyPath, value: Any) -> str:
    """Return a value as messages write it: on one line, at most 80 characters, and nothing that may be secret."""
    if is_secret(path, value):
        return MASK
    if isinstance(value, dict):
        return "(a table)"
    if path == PRODUCER_CONFIG:  # broken JSON, which may hold anything
        return MASK
    text = repr(value) if isinstance(value, (str, list, tuple)) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def about_value(place: str, path: KeyPath, value: Any, text: str) -> Finding:
    """Return a finding about a value: `PLACE: section.key = value: text`."""
    return Finding((path,), f"{place}: {dotted(path)} = {show(path, value)}: {text}")


def about_key(place: str, path: KeyPath, text: str) -> Finding:
    """Return a finding about a key whose value doesn't matter, or may be anything (also a secret): `PLACE: section.key: text`."""
    return Finding((path,), f"{place}: {dotted(path)}: {text}")


def validate(values: dict[KeyPath, Given]) -> tuple[Settings, list[Finding]]:
    """Check all values.

    Args:
        values: By keys of the model.

    Returns:
        The settings, with defaults in place of the values that are wrong, and what is wrong.
    """
    findings = [_unknown(key, given) for key, given in values.items() if key not in FIELDS]
    left = {key: given for key, given in values.items() if key in FIELDS}
    while True:
        try:
            return Settings.of({key: given.value for key, given in left.items()}), findings
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


def _unknown(key: KeyPath, given: Given) -> Finding:
    if key in SECTION_PATHS:
        return about_key(given.place, key, f"this must be a section; write [{dotted(key)}] with keys below it")
    return about_key(given.place, key, f"unknown {'section' if len(key) == 1 else 'key'}; {suggestion(key)}")


def _keys_of(detail: ErrorDetails) -> tuple[KeyPath, ...]:
    path = tuple(map(str, detail["loc"]))
    if detail["type"] == "conflict":
        return tuple((*path, key) for key in detail["ctx"]["keys"])
    return (next(path[:length] for length in range(1, len(path) + 1) if path[:length] in FIELDS),)


def _finding(detail: ErrorDetails, keys: tuple[KeyPath, ...], values: dict[KeyPath, Given]) -> Finding:
    key = next(key for key in keys if key in values)
    given = values[key]
    inner = tuple(map(str, detail["loc"]))[len(key) :]
    if detail["type"] == "conflict":
        return Finding(keys, about_value(given.place, key, given.value, detail["msg"]).text)
    if inner and key == PRODUCER_CONFIG:
        return Finding((key,), _about_option(detail, inner[0], given))
    return about_value(given.place, key, given.value, f"{_wrong(detail)}; allowed: {allowed(FIELDS[key])}")


def _about_option(detail: ErrorDetails, name: str, given: Given) -> str:
    options = ProducerOptions.model_fields
    path, place = (*PRODUCER_CONFIG, name), given.places.get(name, given.place)
    if name in options:
        return about_value(place, path, given.value[name], f"{_wrong(detail)}; allowed: {allowed(options[name])}").text
    text = f"this option is not passed on; allowed: {', '.join(options)}; did you mean {nearest(name, options)}?"
    return about_key(place, path, text).text


def _wrong(detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    return next((text for start, text in _WORDS.items() if detail["type"].startswith(start)), detail["msg"])


def broken_rules(settings: Settings, findings: list[Finding], values: Mapping[KeyPath, Given], label: str) -> list[Finding]:
    """Find out what keeps the daemon from running.

    Args:
        settings: The settings.
        findings: What is wrong already. What only follows from that is left out.
        values: The values that were given.
        label: The place to name for a key that was not given.
    """
    bad = {key for finding in findings for key in finding.keys}
    broken = [(keys, text) for keys, text in _broken(settings) if bad.isdisjoint(keys)]
    return [about_key(values[keys[0]].place if keys[0] in values else label, keys[0], text) for keys, text in broken]


def _broken(settings: Settings) -> Iterator[tuple[tuple[KeyPath, ...], str]]:
    """Yield for each broken rule the keys that it is about, the first one being the one to report, and what is wrong."""
    if settings.dfn.dfn_id is None:
        yield (_ID,), "missing; set it to the customer id that DFN-CERT gave you, it is the Kafka topic to deliver to"
    if not settings.uses_tls and settings.plaintext_reason is None:
        text = (
            f"{show(_BROKER, settings.dfn.dfn_broker)} is not on this machine and no certificate is named, so alerts would travel unencrypted; "
            "set dfn.dfn_cert and dfn.dfn_key (version 0.23 took /opt/wazuh-dfn/certs/dfn-cert.pem and dfn-key.pem when they were not set), "
            'or kafka.security_protocol = "PLAINTEXT" if unencrypted is what you want'
        )
        yield (_BROKER, *_CERTIFICATES, _PROTOCOL), text
    elif not settings.uses_tls and settings.kafka.sasl_mechanism == "PLAIN":
        text = (
            "PLAIN sends the password as it is, and the connection is not encrypted; set dfn.dfn_ca or dfn.dfn_cert, or take SCRAM-SHA-512"
        )
        yield (_SASL, *_CERTIFICATES, _PROTOCOL), text


def cautions(settings: Settings) -> list[str]:
    """Return a warning for each thing that is allowed but probably not meant."""
    return [*_cautions_of_the_broker(settings), *_cautions_of_the_api(settings.health.api)]


def _cautions_of_the_api(api: HealthApiSettings) -> list[str]:
    if not api.enabled or api.auth_token is None:
        return []
    found = []
    if not api.https_enabled and not api.is_loopback:
        found.append("health.api.https_enabled: the token travels unencrypted; set health.api.https_enabled, cert_file and key_file")
    if len(api.auth_token) < _SHORT_TOKEN:
        found.append(f"health.api.auth_token: it is short enough to be guessed; take a random one of {_SHORT_TOKEN} characters or more")
    return found


def _cautions_of_the_broker(settings: Settings) -> list[str]:
    if settings.uses_tls:
        if settings.dfn.dfn_cert is None and settings.kafka.sasl_mechanism is None:
            return ["dfn.dfn_cert: without a client certificate most brokers refuse the connection; set dfn.dfn_cert and dfn.dfn_key"]
        return []
    if settings.dfn.names_certificates:
        return ['kafka.security_protocol = "PLAINTEXT": the certificates of [dfn] are not used, alerts travel unencrypted']
    if not all(broker.is_loopback for broker in settings.dfn.brokers):
        return ['kafka.security_protocol = "PLAINTEXT": alerts travel unencrypted to another machine']
    return []
