"""All settings of the daemon, checked and frozen, and the names of their keys: in the file, as a variable and as a flag."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, get_args, get_origin

from pydantic import Field
from pydantic.fields import FieldInfo

from wazuh_dfn.config.daemon_sections import HealthSettings, LogSettings, MiscSettings, SupervisorSettings
from wazuh_dfn.config.delivery_sections import DfnSettings, KafkaSettings, WazuhSettings
from wazuh_dfn.config.documents import KeyPath, dotted
from wazuh_dfn.config.legacy_keys import LEGACY_KEYS
from wazuh_dfn.config.setting_types import OptionTable, Section

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


class Settings(Section):
    """The whole configuration, one attribute per section. Times are in seconds unless the name ends in `_ms`."""

    dfn: DfnSettings = Field(DfnSettings(), description="Where to deliver, and as whom")
    wazuh: WazuhSettings = Field(WazuhSettings(), description="What is read, and where state is kept")
    kafka: KafkaSettings = Field(KafkaSettings(), description="How the producer talks to the broker")
    log: LogSettings = Field(LogSettings(), description="Where log lines go, and which")
    health: HealthSettings = Field(HealthSettings(), description="What the daemon reports about its own state")
    misc: MiscSettings = Field(MiscSettings(), description="What fits nowhere else")
    supervisor: SupervisorSettings = Field(SupervisorSettings(), description="Restarts, and how much may be under way")

    @classmethod
    def of(cls, values: Mapping[KeyPath, Any]) -> Self:
        """Check values by their keys, which have to be in `FIELDS`. Raises pydantic's ValidationError."""
        tables: dict[str, Any] = {}
        for (*sections, name), value in values.items():
            table = tables
            for section in sections:
                table = table.setdefault(section, {})
            table[name] = value
        return cls.model_validate(tables)

    @property
    def uses_tls(self) -> bool:
        """Whether connections to the broker are encrypted. Certificates alone say so, `kafka.security_protocol` has the last word."""
        if self.kafka.security_protocol is not None:
            return self.kafka.security_protocol == "SSL"
        return self.dfn.names_certificates

    @property
    def plaintext_reason(self) -> str | None:
        """Why connections without TLS are right here. None with TLS, or where nothing allows to go without."""
        if self.uses_tls:
            return None
        if self.kafka.security_protocol == "PLAINTEXT":
            return 'kafka.security_protocol = "PLAINTEXT"'
        if all(broker.is_loopback for broker in self.dfn.brokers):
            return "every broker is on this machine (loopback)"
        return None

    def value_of(self, key: KeyPath) -> Any:
        """Return the value of a key."""
        value: Any = self
        for name in key:
            value = getattr(value, name)
        return value


def is_section(field: FieldInfo) -> bool:
    """Whether this is a table of keys, not a key itself."""
    kind = field.annotation
    return isinstance(kind, type) and issubclass(kind, Section) and not issubclass(kind, OptionTable)


def _fields(section: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, FieldInfo]]:
    for name, field in section.model_fields.items():
        if is_section(field):
            yield from _fields(field.annotation, (*path, name))
        else:
            yield (*path, name), field


FIELDS: dict[KeyPath, FieldInfo] = dict(_fields(Settings))
"""Every key that has an effect, in the order of the model, with its type, default and description."""

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
