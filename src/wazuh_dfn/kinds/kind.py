"""The interface of a kind of alert.

`windows` is the model for a new kind, and `catalogue` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from wazuh_dfn.config.settings import Settings
from wazuh_dfn.delivery.dead_letter_store import DeadLetterStore
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.messages import AlertBatch, RecordBatch
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox

type Complain = Callable[[str, str], None]
"""Reports an error to Wazuh: the kind of error (one of a few constants), and its text."""
type Content = Mapping[str, Any]
"""An alert as returned by `parse_alert`. Its values can have any type, and nothing here raises because of it."""


class Rule(Protocol):
    """Selects the alerts of a kind by the site's settings.

    It is pure, and the only part whose cost applies to every line.
    """

    def occurrences(self, data: bytes) -> Iterator[int]:
        """Yield, in any order, an offset on each line that `selects` could select.

        Extra offsets are harmless but cost time.
        """

    def selects(self, alert: Content) -> bool:
        """Return whether an alert is sent as this kind (kinds/CONTRACT.md, "Selected alerts")."""


class Actor(Protocol):
    """Transforms batches of alerts into batches of records."""

    async def run(self, lifeline: Lifeline[AlertBatch]) -> None:
        """Transform until the mailbox ends."""


class Kind(Protocol):
    """One kind of alert.

    Attributes:
        name: name of its actor, its mailbox and its stage of dead letters, also used in metrics.
        event_format: format name by which the receiver identifies the records.
    """

    @property
    def name(self) -> str:
        """Name of the kind."""

    @property
    def event_format(self) -> str:
        """Format name of the records."""

    def rule(self, settings: Settings) -> Rule:
        """Return the rule by which alerts of this kind are selected."""

    def fields(self, alert: Content) -> dict[str, Any]:
        """Return the fields that only the records of this kind have (kinds/CONTRACT.md, "Records")."""

    def feedback(self, alert: Content) -> dict[str, Any]:
        """Return the feedback fields beside the format and the time (kinds/CONTRACT.md, "Feedback to Wazuh")."""

    def actor(self, ledger: Ledger, dead_letters: DeadLetterStore, outbox: Mailbox[RecordBatch], complain: Complain) -> Actor:
        """Create the actor of this kind."""
