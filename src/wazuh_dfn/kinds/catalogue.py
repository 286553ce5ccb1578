"""All kinds of alerts.

Code that handles every kind iterates over this tuple.
"""

from __future__ import annotations

from wazuh_dfn.kinds.fail2ban import Fail2Ban
from wazuh_dfn.kinds.kind import Kind
from wazuh_dfn.kinds.windows import Windows

KINDS: tuple[Kind, ...] = (Windows(), Fail2Ban())
"""All kinds, in the order in which the records of one alert are sent."""


def kind_named(name: str) -> Kind:
    """Return a kind by its name.

    Raises:
        KeyError: there is no such kind.
    """
    return {kind.name: kind for kind in KINDS}[name]


def dead_letter_stages() -> tuple[str, ...]:
    """Return all stages that can dead-letter a line (see `DeadLetter`)."""
    return ("oversize", "malformed", "junk", *(kind.name for kind in KINDS), "rejected", "poison")
