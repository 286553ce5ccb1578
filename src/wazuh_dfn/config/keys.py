"""The names of a key: in the file, as an environment variable and as a flag; and the nearest one to a name that is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from wazuh_dfn.config.legacy import LEGACY_KEYS
from wazuh_dfn.config.model import Settings

KeyPath = tuple[str, ...]
"""A section and a key in it, like `("kafka", "timeout")`; `("health", "api", "port")` for the one section within another."""

_VARIABLES: dict[KeyPath, str] = {
    ("dfn", "dfn_broker"): "DFN_BROKER_ADDRESS",
    ("dfn", "dfn_cert"): "DFN_CERT_PATH",
    ("dfn", "dfn_key"): "DFN_KEY_PATH",
    ("dfn", "dfn_ca"): "DFN_CA_PATH",
    ("dfn", "dfn_id"): "DFN_CUSTOMER_ID",
    ("log", "console"): "LOG_CONSOLE_ENABLED",
    ("health", "api", "enabled"): "HEALTH_HTTP_SERVER_ENABLED",
}
_VERY_CLOSE = 0.8
_FLAGS: dict[KeyPath, str] = {
    ("wazuh", "json_alert_prefix"): "--wazuh-json-prefix",
    ("wazuh", "json_alert_suffix"): "--wazuh-json-suffix",
    ("health", "api", "enabled"): "--health-api-enabled",
}


def _settings_keys() -> dict[KeyPath, None]:
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {(name, key): None for name, section in sections.items() for key in getattr(section, "model_fields", ())}


SETTINGS_KEYS: tuple[KeyPath, ...] = tuple(_settings_keys())
"""Every key that has an effect, in the order of the model."""

KNOWN_KEYS: tuple[KeyPath, ...] = (*SETTINGS_KEYS, *LEGACY_KEYS)
"""Every key that is accepted."""

SECTIONS: tuple[str, ...] = tuple(Settings.model_fields)
"""The tables of a configuration file."""


def dotted(path: KeyPath) -> str:
    """The key as messages write it: `section.key`."""
    return ".".join(path)


def variable_name(path: KeyPath) -> str:
    """The environment variable of a key: the names of version 0.23, and SECTION_KEY for what is new since."""
    return _VARIABLES.get(path) or "_".join(path).upper()


def flag_name(path: KeyPath) -> str:
    """The command line's flag of a key."""
    return _FLAGS.get(path) or "--" + variable_name(path).lower().replace("_", "-")


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like `name`; there is always one as long as `known` is not empty."""
    candidates = list(known)
    return (difflib.get_close_matches(name, candidates, n=1, cutoff=0.0) or candidates)[0]


def suggestion(path: KeyPath) -> str:
    """What to write instead of the unknown key `path`: the nearest one of its section, or one of the same name in another section."""
    beside = [other[-1] for other in KNOWN_KEYS if other[:-1] == path[:-1]]
    elsewhere = next((other for other in SETTINGS_KEYS if other[-1] == path[-1]), None)
    if elsewhere is not None and not difflib.get_close_matches(path[-1], beside, n=1, cutoff=_VERY_CLOSE):
        return f"did you mean {dotted(elsewhere)}?"
    return f"did you mean {dotted((*path[:-1], nearest(path[-1], beside)))}?"
