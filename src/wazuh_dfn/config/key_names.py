"""The names of a key: in the file, as an environment variable and as a flag, and the nearest one to an unknown name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import get_args, get_origin

from wazuh_dfn.config.documents import KeyPath, dotted
from wazuh_dfn.config.legacy_keys import LEGACY_KEYS
from wazuh_dfn.config.settings import FIELDS, Settings

_VERY_CLOSE = 0.8
_LEGACY_SWITCHES: frozenset[KeyPath] = frozenset({("wazuh", "store_failed_alerts")})
_WITHOUT_FLAG: frozenset[KeyPath] = frozenset({("dfn", "dfn_key_password"), ("kafka", "sasl_password")})
_VARIABLES: dict[KeyPath, str] = {
    ("dfn", "dfn_broker"): "DFN_BROKER_ADDRESS",
    ("dfn", "dfn_cert"): "DFN_CERT_PATH",
    ("dfn", "dfn_key"): "DFN_KEY_PATH",
    ("dfn", "dfn_ca"): "DFN_CA_PATH",
    ("dfn", "dfn_crl"): "DFN_CRL_PATH",
    ("dfn", "dfn_key_password"): "DFN_KEY_PASSWORD",
    ("dfn", "dfn_id"): "DFN_CUSTOMER_ID",
    ("log", "console"): "LOG_CONSOLE_ENABLED",
    ("health", "api", "enabled"): "HEALTH_HTTP_SERVER_ENABLED",
}
_FLAGS: dict[KeyPath, str] = {
    ("wazuh", "json_alert_prefix"): "--wazuh-json-prefix",
    ("wazuh", "json_alert_suffix"): "--wazuh-json-suffix",
    ("health", "api", "enabled"): "--health-api-enabled",
}

KNOWN_KEYS: tuple[KeyPath, ...] = (*FIELDS, *LEGACY_KEYS)
"""Every key that is accepted."""

FLAG_KEYS: tuple[KeyPath, ...] = tuple(key for key in KNOWN_KEYS if key not in _WITHOUT_FLAG)
"""Every key that has a flag: everybody on the machine sees a command line. The API's token had one before this rule."""

SECTION_PATHS: frozenset[KeyPath] = frozenset(key[:length] for key in KNOWN_KEYS for length in range(1, len(key)))
"""The tables of a configuration file, with the tables within tables."""


def is_switch(key: KeyPath) -> bool:
    """Whether the value is true or false, so that the flag alone says true."""
    return FIELDS[key].annotation is bool if key in FIELDS else key in _LEGACY_SWITCHES


def is_list(key: KeyPath) -> bool:
    """Whether there may be several values, so that the flag may be repeated."""
    annotation = FIELDS[key].annotation if key in FIELDS else None
    return any(get_origin(kind) is tuple and Ellipsis in get_args(kind) for kind in (annotation, *get_args(annotation)))


def variable_name(path: KeyPath) -> str:
    """Return the environment variable of a key: the names of version 0.23, and SECTION_KEY for what is new since."""
    return _VARIABLES.get(path) or "_".join(path).upper()


def flag_name(path: KeyPath) -> str:
    """Return the command line's flag of a key."""
    return _FLAGS.get(path) or "--" + variable_name(path).lower().replace("_", "-")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that looks most like `name`. There is always one as long as `known` is not empty."""
    candidates = list(known)
    return (difflib.get_close_matches(name, candidates, n=1, cutoff=0.0) or candidates)[0]


def suggestion(path: KeyPath) -> str:
    """Return what to write instead of the unknown `path`: the nearest key of its section, or one of the same name in another section."""
    beside = [other[-1] for other in KNOWN_KEYS if other[:-1] == path[:-1]] or list(Settings.model_fields)
    elsewhere = next((other for other in FIELDS if other[-1] == path[-1]), None)
    if elsewhere is not None and not difflib.get_close_matches(path[-1], beside, n=1, cutoff=_VERY_CLOSE):
        return f"did you mean {dotted(elsewhere)}?"
    return f"did you mean {dotted((*path[:-1], nearest(path[-1], beside)))}?"
