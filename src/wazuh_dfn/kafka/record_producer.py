"""Protocols that the actors use to reach a broker. Implementations use aiokafka or a simulated broker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from wazuh_dfn.kafka.certificate_expiry import CertificateSeen
from wazuh_dfn.kafka.faults import Fault

type Told = Callable[[Fault | CertificateSeen | None], None]
"""Callback for news of the connection.

It is called with a fault as soon as the broker is known to be unreachable, with None once it is reachable again, and with each certificate
in use.
"""


class RecordProducer(Protocol):
    """A connected Kafka producer. Only one `deliver` may run at a time."""

    async def deliver(self, values: Sequence[bytes]) -> None:
        """Send these values in order and return once all in-sync replicas have acknowledged them.

        Raises:
            RecordsRejectedError: Refused permanently (too large, invalid). Sending fewer values at a time shows which one.
            BrokerUnavailableError: Not acknowledged. If `in_flight` is set, delivering the same values again resumes waiting, and nothing
                is sent twice. Otherwise close the producer and create a new one.
        """


class ProducerFactory(Protocol):
    """Creates connected producers from the bootstrap addresses. Host names are resolved each time."""

    async def connect(self, told: Told) -> RecordProducer:
        """Connect, or raise BrokerUnavailableError. The producer keeps `told` for later news."""

    async def close(self, producer: RecordProducer) -> None:
        """Close within a few seconds, whatever state the broker is in. Does not wait for records that cannot be sent."""
