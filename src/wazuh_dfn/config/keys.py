"""The names of a key: in the file, as an environment variable and as a flag; and the nearest one to a name that is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from wazuh_dfn.config.base import OptionTable, Section
from wazuh_dfn.config.legacy import LEGACY_KEYS
from wazuh_dfn.config.model import Settings

KeyPath = tuple[str, ...]
"""A section and a key in it, like `("kafka", "timeout")`; `("health", "api", "port")` for the one section within another."""

PRODUCER_CONFIG: KeyPath = ("kafka", "producer_config")
"""The key whose value is a table."""

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
_OLD_SWITCHES: frozenset[KeyPath] = frozenset({("wazuh", "store_failed_alerts")})
_VERY_CLOSE = 0.8
_FLAGS: dict[KeyPath, str] = {
    ("wazuh", "json_alert_prefix"): "--wazuh-json-prefix",
    ("wazuh", "json_alert_suffix"): "--wazuh-json-suffix",
    ("health", "api", "enabled"): "--health-api-enabled",
}


def _is(field: FieldInfo, kind: type[Section]) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, kind)


def is_section(field: FieldInfo) -> bool:
    """Whether this is a table of keys, not a key itself."""
    return _is(field, Section) and not _is(field, OptionTable)


def _fields(section: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, FieldInfo]]:
    for name, field in section.model_fields.items():
        if is_section(field):
            yield from _fields(field.annotation, (*path, name))
        else:
            yield (*path, name), field


FIELDS: dict[KeyPath, FieldInfo] = dict(_fields(Settings))
"""Every key that has an effect, in the order of the model, with its type, default and description."""

SETTINGS_KEYS: tuple[KeyPath, ...] = tuple(FIELDS)
"""Every key that has an effect."""

KNOWN_KEYS: tuple[KeyPath, ...] = (*SETTINGS_KEYS, *LEGACY_KEYS)
"""Every key that is accepted."""

FLAG_KEYS: tuple[KeyPath, ...] = tuple(key for key in KNOWN_KEYS if key not in {("dfn", "dfn_key_password"), ("kafka", "sasl_password")})
"""Every key that has a flag: what stands on a command line is seen by everybody on the machine. The API's token had one before this rule."""

SECTIONS: tuple[str, ...] = tuple(Settings.model_fields)
"""The tables of a configuration file."""

SECTION_PATHS: frozenset[KeyPath] = frozenset(key[:length] for key in KNOWN_KEYS for length in range(1, len(key)))
"""The same as paths, with the tables within tables."""


def value_of(settings: Settings, key: KeyPath) -> Any:
    """The value that the settings have for a key."""
    value: Any = settings
    for name in key:
        value = getattr(value, name)
    return value


def is_table(key: KeyPath) -> bool:
    """Whether the value of the key is a table; in a variable and as a flag it is JSON."""
    return key in FIELDS and _is(FIELDS[key], OptionTable)


def is_switch(key: KeyPath) -> bool:
    """Whether the value is true or false, so that the flag alone says true."""
    return FIELDS[key].annotation is bool if key in FIELDS else key in _OLD_SWITCHES


def is_list(key: KeyPath) -> bool:
    """Whether there may be several values, so that the flag may be repeated."""
    if key not in FIELDS:
        return False
    annotation = FIELDS[key].annotation
    return any(get_origin(kind) is tuple and Ellipsis in get_args(kind) for kind in (annotation, *get_args(annotation)))


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
    """What to write instead of the unknown `path`: the nearest key of its section, or one of the same name in another section."""
    beside = [other[-1] for other in KNOWN_KEYS if other[:-1] == path[:-1]] or list(SECTIONS)
    elsewhere = next((other for other in SETTINGS_KEYS if other[-1] == path[-1]), None)
    if elsewhere is not None and not difflib.get_close_matches(path[-1], beside, n=1, cutoff=_VERY_CLOSE):
        return f"did you mean {dotted(elsewhere)}?"
    return f"did you mean {dotted((*path[:-1], nearest(path[-1], beside)))}?"
