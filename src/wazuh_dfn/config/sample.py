"""The commented sample of a configuration file, made from the model: each key with its description and default."""

from __future__ import annotations

import textwrap
from typing import Any

from wazuh_dfn.config.document import FileFormat
from wazuh_dfn.config.keys import is_section
from wazuh_dfn.config.layout import Comments, Entry, Table
from wazuh_dfn.config.model import Settings
from wazuh_dfn.config.present import example_of
from wazuh_dfn.config.write_layout import write_layout

_WIDTH = 110
_HEAD = (
    "Sample configuration of wazuh-dfn. Copy it, set the keys of dfn, and leave the rest as it is.",
    'A "#" right before a key: the line shows its default, or an example where there is none. Take the "#" away to change it.',
    "A flag wins over an environment variable (like DFN_CUSTOMER_ID), that over this file.",
)


def sample(file_format: FileFormat) -> str:
    """The sample as text."""
    root = _table("", Settings)
    first = root.items[0]
    first.before = [*(line for text in _HEAD for line in _comment(text)), "", *first.before]
    return write_layout(root, file_format)


def _table(name: str, section: Any, before: Comments | None = None) -> Table:
    table = Table(name, before=before or [])
    for key, field in section.model_fields.items():
        description = [*([""] if table.items else []), *_comment(f"{field.description}.")]
        if is_section(field):
            table.items.append(_table(key, field.annotation, description))
        else:
            table.items.append(Entry(key, example_of(field), before=description, active=False))
    return table


def _comment(text: str) -> Comments:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
