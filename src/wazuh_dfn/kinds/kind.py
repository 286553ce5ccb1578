"""What there is to know of a kind of alert. `windows` is the model for a new one; `catalogue` names them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from wazuh_dfn.config.settings import Settings
from wazuh_dfn.delivery.dead_letters import DeadLetterStore
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.messages import AlertBatch, RecordBatch
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox

type Complain = Callable[[str, str], None]
"""Tells Wazuh of an error: which kind of error (one of a few constants), and in words."""
type Content = Mapping[str, Any]
"""An alert as `parse_alert` returns it: nothing is known of the types in it, and nothing here raises for them."""


class Rule(Protocol):
    """What is wanted of a kind, by the site's settings; pure, and the only part that every line pays for."""

    def occurrences(self, data: bytes) -> Iterator[int]:
        """Give the offset, in any order, of something on each line that `selects` could select; too many do no harm but cost time."""

    def selects(self, alert: Content) -> bool:
        """Tell whether an alert goes out as this kind (kinds/CONTRACT.md, "Selected alerts")."""


class Actor(Protocol):
    """Turns batches of alerts into batches of records."""

    async def run(self, lifeline: Lifeline[AlertBatch]) -> None:
        """Do so until the mailbox ends."""


class Kind(Protocol):
    """One kind.

    Attributes:
        name: of its actor, mailbox and dead letters, and in metrics.
        event_format: what the receiver knows it by.
    """

    @property
    def name(self) -> str:
        """See above."""

    @property
    def event_format(self) -> str:
        """See above."""

    def rule(self, settings: Settings) -> Rule:
        """Return what is wanted of it."""

    def fields(self, alert: Content) -> dict[str, Any]:
        """Return the fields that only its records have (kinds/CONTRACT.md, "Records")."""

    def feedback(self, alert: Content) -> dict[str, Any]:
        """Return what Wazuh is told of it beside the format and the time (kinds/CONTRACT.md, "Feedback to Wazuh")."""

    def actor(self, ledger: Ledger, dead_letters: DeadLetterStore, outbox: Mailbox[RecordBatch], complain: Complain) -> Actor:
        """Make its actor."""
