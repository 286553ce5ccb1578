"""Faults."""

from __future__ import annotations

from wazuh_dfn.errors import WazuhDfnError


class DeliveryError(WazuhDfnError):
    """A batch of records was not acknowledged by the broker."""


class BrokerUnavailableError(DeliveryError):
    """The broker can't be reached or can't acknowledge now; the same batch is worth sending again.

    `needs_operator` tells that waiting alone will not mend it (certificate, authorisation, missing topic): retry slowly. `in_flight`
    tells that the producer goes on trying to get what it was given acknowledged.
    """

    def __init__(self, reason: str, *, needs_operator: bool = False, in_flight: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.needs_operator = needs_operator
        self.in_flight = in_flight


class RecordsRejectedError(DeliveryError):
    """The broker (or the client, for it) refuses this batch for good: too large or invalid. None of it was written."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
