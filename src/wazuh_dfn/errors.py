"""The exceptions of wazuh-dfn: one small hierarchy, so that a caller can catch all of it or one kind.

Foreign exceptions (of aiokafka, of the operating system, of pydantic) are translated into these at the boundary where they arise.
`supervision` has its own, derived from `SupervisionError`, because it knows nothing of this package.
"""

from __future__ import annotations


class WazuhDfnError(Exception):
    """Everything that this package raises on purpose."""


class ConfigurationError(WazuhDfnError):
    """The configuration can't be used; the text names every finding, one a line."""


class MalformedLineError(WazuhDfnError):
    """A line that is no JSON object (contract section 5: the only thing that the formats dead-letter)."""


class CheckpointUnreadableError(WazuhDfnError):
    """A checkpoint exists but neither it nor the previous one can be read; where reading stopped is unknown."""


class DeliveryError(WazuhDfnError):
    """A batch of records was not acknowledged by the broker."""


class BrokerUnavailableError(DeliveryError):
    """The broker can't be reached or can't acknowledge now; the same batch is worth sending again.

    `needs_operator` tells that waiting alone will not mend it (certificate, authorisation, missing topic): retry slowly.
    """

    def __init__(self, reason: str, *, needs_operator: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.needs_operator = needs_operator


class RecordsRejectedError(DeliveryError):
    """The broker (or the client, for it) refuses this batch for good: too large or invalid. None of it was written."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
