"""Why one producer's connection does not work: what its errors say, what a climb to the broker shows, and what the broker says of the topic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import anyio
from aiokafka.errors import BrokerResponseError, KafkaTimeoutError, RequestTimedOutError

from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.client_errors import WORTH_ASKING, in_words, known_fault
from wazuh_dfn.kafka.dialling import DIAL_ERRORS, BrokerConnection, hang_up
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode
from wazuh_dfn.kafka.inquiry import fault_of, inquire
from wazuh_dfn.kafka.ladder import explain
from wazuh_dfn.kafka.partition_view import PartitionView
from wazuh_dfn.kafka.producer_options import KafkaOptions
from wazuh_dfn.kafka.tls_context import TlsContexts

_TIMEOUTS = (TimeoutError, KafkaTimeoutError, RequestTimedOutError)
EXPLAIN_SECONDS = 2.5
"""The longest look at a broker that is out of reach: it has been tried for as long already."""


class Diagnosis:
    """Never raises, and never writes to the topic.

    Args:
        options: What the connection was made with. Certificates may have been exchanged since.
        tls: Returns the contexts of the latest attempt, None without TLS.
        view: The partition.
        connection: Returns a connection that is there to any broker, or None.
        dial: Makes a new one.
    """

    def __init__(
        self,
        options: KafkaOptions,
        tls: Callable[[], TlsContexts | None],
        view: PartitionView,
        connection: Callable[[], Awaitable[BrokerConnection | None]],
        dial: Callable[[BrokerAddress, None], Awaitable[BrokerConnection]],
    ) -> None:
        self._options = options
        self._tls = tls
        self._view = view
        self._connection = connection
        self._dial = dial

    async def of_delivery(self, error: BaseException, within: float, waited: float, *, is_bootstrapped: bool, has_id: bool) -> Fault:
        """Return why nothing was acknowledged.

        Args:
            error: What the client says.
            within: Seconds that the diagnosis may take.
            waited: Seconds that the delivery took.
            is_bootstrapped: Whether a broker has told who is there.
            has_id: Whether the producer has an id, or needs none.
        """
        known = await self._ask(within) if isinstance(error, WORTH_ASKING) else None
        known = known or known_fault(error, self._options)
        if known is not None:
            return known
        addresses = self._view.needed_addresses() if is_bootstrapped else list(self._options.brokers)
        found = await self._climb(addresses, within * 0.7) or await self._ask(within * 0.3)
        return found or _left_to_say(error, ", ".join(map(str, addresses)), waited, is_bootstrapped=is_bootstrapped, has_id=has_id)

    async def of_outage(self, errors: Mapping[BrokerAddress, BaseException | None]) -> Fault:
        """Return why nothing that is needed can be used.

        Args:
            errors: Each address with why the last attempt failed, None if it did not, and the connection broke later. Empty if what is
                needed is within reach, but there is no leader.
        """
        for error in errors.values():
            if isinstance(error, BrokerUnavailableError):
                return error.fault
            if error is not None and (known := known_fault(error, self._options)) is not None:
                return known
        within = min(EXPLAIN_SECONDS, split_time(self._options.timeout_seconds)[1])
        found = (await self._climb(list(errors), within * 0.7) if errors else None) or await self._ask(within * 0.3)
        reasons = "; ".join(
            f"{address}: {in_words(error) if error else 'the broker closes the connection'}" for address, error in errors.items()
        )
        found, first = found or self._view.fault(), next(iter(errors), None)
        if found is None and errors and all(isinstance(error, _TIMEOUTS) for error in errors.values()):
            return Fault(FaultCode.KAFKA_SILENT, f"{', '.join(map(str, errors))}: a request was not answered in time", first)
        return found or Fault(FaultCode.NO_CONNECTION, f"the broker is unreachable: {reasons}", first)

    async def _climb(self, addresses: Sequence[BrokerAddress], within: float) -> Fault | None:
        fault = await explain(addresses, self._tls(), within, self._options.proxy)
        if fault is None or set(addresses) & set(self._options.brokers):
            return fault
        return replace(fault, text=f"the broker refers us to its advertised address: {fault.text}")

    async def _ask(self, within: float) -> Fault | None:
        """Ask about the topic and our rights: aiokafka's own bookkeeping does not tell a missing topic from a slow broker."""
        with anyio.move_on_after(within):
            try:
                connection = await self._connection()
                if connection is not None:
                    return await self._judge(connection)
                connection = await self._dial(self._options.brokers[0], None)
                try:
                    return await self._judge(connection)
                finally:
                    hang_up(connection)
            except BrokerUnavailableError as error:
                return error.fault
            except DIAL_ERRORS as error:
                return known_fault(error, self._options)
        return None

    async def _judge(self, connection: BrokerConnection) -> Fault | None:
        return fault_of(await inquire(connection, self._options, with_producer_id=False), self._options)


def _left_to_say(error: BaseException, where: str, waited: float, *, is_bootstrapped: bool, has_id: bool) -> Fault:
    """Return what is left if neither the way nor the topic are to blame."""
    timed_out = isinstance(error, TimeoutError)
    if not is_bootstrapped and timed_out:
        return Fault(FaultCode.KAFKA_SILENT, f"{where} did not return the list of brokers within {waited:.3g} s")
    if is_bootstrapped and not has_id and (timed_out or isinstance(error, BrokerResponseError)):
        what = f" within {waited:.3g} s" if timed_out else f": {in_words(error)}"
        return Fault(FaultCode.NO_PRODUCER_ID, f"{where} did not assign a producer id{what}")
    if not timed_out:
        return Fault(FaultCode.NOT_DELIVERED, f"not delivered to {where}: {in_words(error)}")
    return Fault(FaultCode.NOT_ACKNOWLEDGED, f"no acknowledgement from {where} within {waited:.3g} s")


def split_time(timeout: float) -> tuple[float, float]:
    """Return how much of a deadline the work may take, and what is kept for telling why it failed."""
    for_diagnosis = min(5.0, timeout / 3)
    return timeout - for_diagnosis, for_diagnosis
