"""All kinds of alerts. Whatever handles each of them goes through this tuple."""

from __future__ import annotations

from wazuh_dfn.kinds.fail2ban import Fail2Ban
from wazuh_dfn.kinds.kind import Kind
from wazuh_dfn.kinds.windows import Windows

KINDS: tuple[Kind, ...] = (Windows(), Fail2Ban())
"""In the order in which the records of one alert go out."""


def kind_named(name: str) -> Kind:
    """Return a kind by its name; raises KeyError if there is none."""
    return {kind.name: kind for kind in KINDS}[name]


def dead_letter_stages() -> tuple[str, ...]:
    """Return every stage that can give up a line (see `DeadLetter`)."""
    return ("oversize", "malformed", "junk", *(kind.name for kind in KINDS), "rejected", "poison")
