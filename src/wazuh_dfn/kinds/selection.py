"""Selects the alerts to forward by the rules of all kinds and the site's settings (kinds/CONTRACT.md, "Selected alerts")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from wazuh_dfn.config.settings import Settings
from wazuh_dfn.kinds import catalogue
from wazuh_dfn.kinds.kind import Content, Kind, Rule
from wazuh_dfn.lines.candidates import CandidateScan


@dataclass(frozen=True)
class Selection:
    """The rules of all kinds.

    Nothing here raises, whatever types an alert has.

    Args:
        rules: each kind with its rule.
        accepts: returns False for an alert that no kind may get.
    """

    rules: tuple[tuple[Kind, Rule], ...]
    accepts: Callable[[Content], bool] = lambda _: True
    scan: CandidateScan = field(init=False, compare=False)
    """Finds the lines that can be selected."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "scan", CandidateScan([rule.occurrences for _, rule in self.rules]))

    @classmethod
    def of(cls, settings: Settings, accepts: Callable[[Content], bool] = lambda _: True) -> Self:
        """Return the selection of these settings."""
        return cls(tuple((kind, kind.rule(settings)) for kind in catalogue.KINDS), accepts)

    def kinds(self, alert: Content) -> list[Kind]:
        """Return the kinds as which the alert is sent."""
        found = [kind for kind, rule in self.rules if rule.selects(alert)]
        return found if found and self.accepts(alert) else []
