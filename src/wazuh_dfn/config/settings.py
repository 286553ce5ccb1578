"""All settings of the daemon, checked and frozen, their keys, and which of them can change while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import Field
from pydantic.fields import FieldInfo

from wazuh_dfn.config.daemon_sections import HealthSettings, LogSettings, MiscSettings, SupervisorSettings
from wazuh_dfn.config.delivery_sections import DfnSettings, KafkaSettings, WazuhSettings
from wazuh_dfn.config.documents import KeyPath
from wazuh_dfn.config.setting_types import OptionTable, Section


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

RELOADABLE: frozenset[KeyPath] = frozenset(
    {
        ("log", "level"),
        ("misc", "own_network"),
        ("wazuh", "windows_event_ids"),
        ("dfn", "dfn_ca"),
        ("dfn", "dfn_cert"),
        ("dfn", "dfn_crl"),
        ("dfn", "dfn_key"),
        ("dfn", "dfn_key_password"),
    }
)
"""Keys that can change while the daemon runs."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The settings to go on with, which keys changed in them, and which changes have to wait for a restart."""

    settings: Settings
    changed: tuple[KeyPath, ...]
    need_restart: tuple[KeyPath, ...]


def reloaded(old: Settings, new: Settings) -> Reloaded:
    """Take from `new` what can change while the daemon runs. Whether TLS is used at all can't."""
    differing = tuple(key for key in FIELDS if old.value_of(key) != new.value_of(key))
    usable = RELOADABLE if old.uses_tls == new.uses_tls else {key for key in RELOADABLE if key[0] != "dfn"}
    changed = tuple(key for key in differing if key in usable)
    updates: dict[str, dict[str, Any]] = {}
    for section, name in changed:
        updates.setdefault(section, {})[name] = new.value_of((section, name))
    sections = {section: getattr(old, section).model_copy(update=values) for section, values in updates.items()}
    return Reloaded(old.model_copy(update=sections), changed, tuple(key for key in differing if key not in usable))
