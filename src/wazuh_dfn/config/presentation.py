"""Settings as the operator sees them: the effective ones with their sources, and the commented sample of a configuration file."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from wazuh_dfn.config.documents import FileFormat, KeyPath, dotted
from wazuh_dfn.config.layouts import Comments, Entry, Table, write_layout
from wazuh_dfn.config.loading import LoadedSettings
from wazuh_dfn.config.setting_findings import MASK, is_secret
from wazuh_dfn.config.setting_types import default_of, described, plain
from wazuh_dfn.config.settings import FIELDS, Settings, is_section

_DEFAULT = "default"
_WIDTH = 110
_HEAD = (
    "Sample configuration of wazuh-dfn. Copy it, set the keys of dfn, and leave the rest as it is.",
    'A "#" right before a key: the line shows its default, or an example where there is none. Take the "#" away to change it.',
    "A flag wins over an environment variable (like DFN_CUSTOMER_ID), that over this file.",
)


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """A key, its value in plain types (masked if it is secret), and its source: a flag, a variable, `FILE:LINE` or `default`."""

    key: KeyPath
    value: Any
    source: str

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"key": dotted(self.key), "value": self.value, "source": self.source}


def effective(loaded: LoadedSettings) -> list[EffectiveSetting]:
    """Return every key that has an effect, in the order of the model."""
    rows = []
    for key in FIELDS:
        value = loaded.settings.value_of(key)
        shown = MASK if value is not None and is_secret(key, value) else plain(value)
        rows.append(EffectiveSetting(key, shown, loaded.places.get(key, _DEFAULT)))
    return rows


def effective_text(rows: list[EffectiveSetting]) -> str:
    """Return the settings as TOML. What has no value, or must not be shown, is a comment."""
    root = Table("")
    for row in rows:
        root.below(row.key[:-1]).items.append(Entry(row.key[-1], row.value, beside=f"# {row.source}", active=row.value != MASK))
    return write_layout(root, "toml")


def sample(file_format: FileFormat) -> str:
    """Return the sample: each key with its description, switched off, with its default or an example."""
    root = _table("", Settings)
    first = root.items[0]
    first.before = [*(line for text in _HEAD for line in _comment(text)), "", *first.before]
    return write_layout(root, file_format)


def _default_or_example(field: FieldInfo) -> Any:
    default = default_of(field)
    return field.examples[0] if field.examples and default in (None, []) else default


def _table(name: str, section: Any, before: Comments | None = None) -> Table:
    table = Table(name, before=before or [])
    for key, field in section.model_fields.items():
        gap = [""] if table.items else []
        if is_section(field):
            table.items.append(_table(key, field.annotation, [*gap, *_comment(f"{field.description}.")]))
        else:
            table.items.append(Entry(key, _default_or_example(field), [*gap, *_comment(described(field))], active=False))
    return table


def _comment(text: str) -> Comments:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
