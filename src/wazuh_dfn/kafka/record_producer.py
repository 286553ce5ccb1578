"""The broker as the actors see it: protocols that aiokafka implements with a real one, simulations without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from wazuh_dfn.kafka.certificate_expiry import CertificateSeen
from wazuh_dfn.kafka.faults import Fault

type Told = Callable[[Fault | CertificateSeen | None], None]
"""Is told why the broker is out of reach, as soon as that is known, None once it is within reach again, and which certificates are used."""


class RecordProducer(Protocol):
    """A connected Kafka producer; one `deliver` at a time."""

    async def deliver(self, values: Sequence[bytes]) -> None:
        """Send these values in order and return once all in-sync replicas have acknowledged all of them.

        Raises:
            RecordsRejectedError: refused for good (too large, invalid); sending fewer at a time shows which.
            BrokerUnavailableError: not acknowledged. If it is `in_flight`, delivering the very same values again waits on for that, and
                nothing is sent twice; else the producer must be closed and a new one made.
        """


class ProducerFactory(Protocol):
    """Makes a connected producer from the bootstrap addresses (names are looked up again each time)."""

    async def connect(self, told: Told) -> RecordProducer:
        """Connect, or raise BrokerUnavailableError; `told` is for later."""

    async def close(self, producer: RecordProducer) -> None:
        """Close within a few seconds, whatever state the broker is in; never waits for records that can't be sent."""
