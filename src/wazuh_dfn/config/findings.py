"""One thing that is wrong, as the line that the operator reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from wazuh_dfn.config.keys import KeyPath, dotted

_SECRET_NAME = re.compile(r"password|passwd|secret|token|credential", re.IGNORECASE)
_PASSWORD_IN_ADDRESS = re.compile(r"//[^/@]*:[^/@]*@")
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong (`text`, as one line) and with which keys."""

    keys: tuple[KeyPath, ...]
    text: str


def is_secret(path: KeyPath, value: Any) -> bool:
    """Whether a value may be secret, going by the names of the key, or because it looks like a private key, or has a password in an address."""
    text = str(value)
    return any(_SECRET_NAME.search(part) for part in path) or "-----BEGIN" in text or _PASSWORD_IN_ADDRESS.search(text) is not None


def show(path: KeyPath, value: Any) -> str:
    """A value as messages write it: on one line, at most 80 characters, and nothing that may be secret."""
    if is_secret(path, value):
        return "***"
    if isinstance(value, dict):
        return "(a table)"
    if path[-1:] == ("producer_config",):
        return "***"
    text = repr(value) if isinstance(value, (str, list, tuple)) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def about_value(place: str, path: KeyPath, value: Any, text: str) -> Finding:
    """A finding about a value: `PLACE: section.key = value: text`."""
    return Finding((path,), f"{place}: {dotted(path)} = {show(path, value)}: {text}")


def about_key(place: str, path: KeyPath, text: str) -> Finding:
    """A finding about a key whose value doesn't matter, or may be anything (also a secret): `PLACE: section.key: text`."""
    return Finding((path,), f"{place}: {dotted(path)}: {text}")
