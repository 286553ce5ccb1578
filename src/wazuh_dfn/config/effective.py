"""The effective settings, each with where it comes from; secrets are masked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wazuh_dfn.config.findings import is_secret
from wazuh_dfn.config.keys import FIELDS, KeyPath, dotted, value_of
from wazuh_dfn.config.layout import Entry, Table
from wazuh_dfn.config.load import LoadedSettings
from wazuh_dfn.config.present import plain
from wazuh_dfn.config.write_layout import write_layout

DEFAULT = "default"
MASK = "***"


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """A key, its value in plain types (masked if it is secret), and its source: a flag, a variable, `FILE:LINE` or `default`."""

    key: KeyPath
    value: Any
    source: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"key": dotted(self.key), "value": self.value, "source": self.source}


def effective(loaded: LoadedSettings) -> list[EffectiveSetting]:
    """Every key that has an effect, in the order of the model."""
    rows = []
    for key in FIELDS:
        value = value_of(loaded.settings, key)
        shown = MASK if value is not None and is_secret(key, value) else plain(value)
        rows.append(EffectiveSetting(key, shown, loaded.places.get(key, DEFAULT)))
    return rows


def effective_text(rows: list[EffectiveSetting]) -> str:
    """As TOML; what has no value, or may not be shown, is a comment."""
    root = Table("")
    for row in rows:
        is_shown = row.value is not None and row.value != MASK
        root.below(row.key[:-1]).items.append(Entry(row.key[-1], row.value, beside=f"# {row.source}", active=is_shown))
    for table in list(root.tables)[1:]:
        table.before = [""]
    return write_layout(root, "toml")
