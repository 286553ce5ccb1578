"""Control over aiokafka's client: when it may dial which broker, and who is notified when the required broker is unreachable.

aiokafka 0.14 has these shortcomings:

- It dials a broker whenever it has something to request, ten times a second while one is away.
- It does not free what each failed TLS handshake allocated.
- It reports the reason only to its own log.

Here each address is dialled with growing pauses, with "Happy Eyeballs" (RFC 8305) for names with several IP addresses, and with the
certificates as they are in their files at that time.
"""

# This requires aiokafka's private attributes.
# ruff: noqa: SLF001

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.dialling import DIAL_ERRORS, HAPPY_EYEBALLS_SECONDS, BrokerConnection, hang_up
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault
from wazuh_dfn.kafka.partition_view import PartitionView
from wazuh_dfn.kafka.record_producer import Told
from wazuh_dfn.supervision.restart_policy import RETRY_JITTER, Backoff

type OnClose = Callable[[Any, Any], None]

TELL_AFTER_SECONDS = 2.0
"""Seconds before an unreachable broker is reported. A moving leader or a restarting broker is usually back by then."""
STABLE_SECONDS = 10.0
"""Seconds, in addition to the last pause, after which a new attempt counts as the first one again."""
FIRST_PAUSE_SECONDS = 0.2
METADATA_PAUSE_SECONDS = 0.1
EXPLAIN_AGAIN_SECONDS = 15.0
"""Seconds that an explanation is good for while the errors look the same.

If they change it is made anew earlier, but at growing intervals: each one costs up to four connections.
"""
_LOOK_SECONDS = 0.25


@dataclass(slots=True)
class _Dialled:
    """State of one address. Times are in seconds of the event loop's clock."""

    in_a_row: int = 0
    at: float = 0.0
    pause_seconds: float = 0.0
    error: BaseException | None = None
    """Error of the last attempt, or None if it succeeded."""


class _UnansweredError(Exception):
    """A bootstrap address has told nothing; the cause is chained."""

    def __init__(self, address: BrokerAddress) -> None:
        super().__init__(str(address))
        self.address = address


class Leash:
    """Controls all dialling of one producer's client. Create it before the client connects.

    Args:
        client: The client whose `_get_conn`, `bootstrap` and `_metadata_update` are replaced.
        addresses: The bootstrap addresses.
        dial: Connects to an address. Raises one of `DIAL_ERRORS` on failure.
        partition: The partition whose leader has to be reachable.
        explain: Returns why these addresses cannot be used, given the error of the last attempt to each. Without addresses: why the
            partition has no leader.
        told: Called with the fault once nothing can be delivered, and with None when that is over.
        longest_pause_seconds: Maximum pause between two attempts to one address.
    """

    def __init__(
        self,
        client: AIOKafkaClient,
        *,
        addresses: Sequence[BrokerAddress],
        dial: Callable[[BrokerAddress, OnClose | None], Awaitable[BrokerConnection]],
        partition: PartitionView,
        explain: Callable[[Mapping[BrokerAddress, BaseException | None]], Awaitable[Fault]],
        told: Told,
        longest_pause_seconds: float,
    ) -> None:
        self._client = client
        self._addresses = addresses
        self._connect = dial
        self._partition = partition
        self._explain = explain
        self._told = told
        self._backoff = Backoff(FIRST_PAUSE_SECONDS, longest_pause_seconds, jitter=RETRY_JITTER)
        self._random = Random()  # noqa: S311 - no secret
        self._dialled: dict[BrokerAddress, _Dialled] = {}
        self._dialling: defaultdict[Any, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._watch: asyncio.Task[None] | None = None
        self._is_closed = False
        self.is_bootstrapped = False
        """Whether a broker has told who is there."""
        self.fault: Fault | None = None
        """The fault reported last, or None once the outage is over."""
        client._get_conn, client.bootstrap = self._get_conn, self._bootstrap
        client._topics = {partition.topic}  # otherwise it asks for all topics of the cluster, again and again
        self._update, client._metadata_update = client._metadata_update, self._metadata_update
        self._updated_at = 0.0

    def dial_at_once(self) -> None:
        """Clear the pauses, because their cause may be fixed."""
        for known in self._dialled.values():
            known.pause_seconds = 0.0

    async def _metadata_update(self, *arguments: Any) -> bool:
        """Request metadata as the client does, but with pauses.

        For a partition without a leader the client would ask thousands of times a second.
        """
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._updated_at + METADATA_PAUSE_SECONDS - loop.time()))
        try:
            return bool(await self._update(*arguments))
        finally:
            self._updated_at = loop.time()
            if self._partition.fault() is not None:
                self._begin_watch()

    async def _bootstrap(self) -> None:
        """Fetch the cluster metadata from the bootstrap address that answers first. Replaces the client's method.

        An address that does not answer does not delay the others.
        """
        client, errors = self._client, []
        trying = {asyncio.ensure_future(self._metadata_from(*each)) for each in enumerate(self._addresses)}
        try:
            for first in asyncio.as_completed(trying):
                try:
                    _, metadata = await first
                    break
                except _UnansweredError as error:
                    errors.append((error.address, error.__cause__))
            else:
                raise BrokerUnavailableError(await self._explain(dict(errors))) from errors[0][1]
        finally:
            for task in trying:
                task.cancel()
            await asyncio.wait(trying)
            for late in [task.result()[0] for task in trying if not task.cancelled() and task.exception() is None]:
                hang_up(late)
        client.cluster.update_metadata(metadata)
        self.is_bootstrapped = True
        if client._sync_task is None:
            client._sync_task = asyncio.create_task(client._md_synchronizer())

    async def _metadata_from(self, index: int, address: BrokerAddress) -> tuple[BrokerConnection, Any]:
        await asyncio.sleep(index * HAPPY_EYEBALLS_SECONDS)
        try:
            connection = await self._connect(address, None)
            try:
                return connection, await self._request_metadata(connection)
            except BaseException:
                hang_up(connection)
                raise
        except DIAL_ERRORS as error:
            raise _UnansweredError(address) from error

    async def _request_metadata(self, connection: BrokerConnection) -> Any:
        return await connection.send(MetadataRequest(list(self._client._topics)))

    async def aclose(self) -> None:
        """Stop dialling."""
        self._is_closed = True
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})

    async def connection(self) -> BrokerConnection | None:
        """Return a connection to a random broker, or None if it is unreachable."""
        node = self._client.get_random_node()
        return await self._get_conn(node) if node is not None else None

    async def _get_conn(self, node_id: Any, *, group: int = ConnectionGroup.DEFAULT, no_hint: bool = False) -> BrokerConnection | None:
        """Return a connection to the node, or None if there is none now. Replaces the client's method."""
        del no_hint
        key, client = (node_id, group), self._client
        async with self._dialling[key]:
            connection: BrokerConnection | None = client._conns.get(key)
            if connection is not None and connection.connected():
                return connection
            if connection is not None:
                client._conns.pop(key).close()
            self._begin_watch()
            address = self._partition.address_of(node_id)
            connection = await self._dial(address, client._on_connection_closed) if address is not None else None
            if connection is not None:
                client._conns[key] = connection
        if connection is None:
            client.force_metadata_update()
        return connection

    def _begin_watch(self) -> None:
        if not self._is_closed and (self._watch is None or self._watch.done()):
            self._watch = asyncio.create_task(self._watch_until_usable())

    async def _dial(self, address: BrokerAddress, on_close: OnClose | None = None) -> BrokerConnection | None:
        """Connect, unless the pause for that address has not elapsed. Returns None on failure."""
        now = asyncio.get_running_loop().time()
        known = self._dialled.setdefault(address, _Dialled())
        if self._is_closed or now - known.at < known.pause_seconds:
            return None
        known.in_a_row = known.in_a_row + 1 if now - known.at < STABLE_SECONDS + known.pause_seconds else 1
        known.pause_seconds = self._backoff.delay_seconds(known.in_a_row, self._random)
        try:
            connection = await self._connect(address, on_close)
        except DIAL_ERRORS as error:
            known.error = error
            return None
        finally:
            known.at = asyncio.get_running_loop().time()
        known.error = None
        if self._is_closed:
            hang_up(connection)
            return None
        return connection

    async def _watch_until_usable(self) -> None:
        """Keep dialling the needed nodes, even while nothing is sent, and report what is wrong after `TELL_AFTER_SECONDS`."""
        loop = asyncio.get_running_loop()
        began, looking = loop.time(), None
        explained, explained_at, count = "", began + TELL_AFTER_SECONDS, 0
        try:
            while (addresses := self._out_of_reach()) or self._partition.fault() is not None:
                errors = {address: self._error_since(began, address) for address in addresses}
                good_for = EXPLAIN_AGAIN_SECONDS if explained == repr(errors) else min(count * 5.0, EXPLAIN_AGAIN_SECONDS)
                if loop.time() - explained_at >= good_for:
                    fault = await self._explain(errors)
                    explained, explained_at, count = repr(errors), loop.time(), count + 1
                    if bool(errors) == bool(self._out_of_reach()):
                        self.fault = fault
                        self._told(fault)
                if not addresses:
                    self._client.force_metadata_update()
                if looking is None or looking.done():
                    looking = asyncio.ensure_future(self._look_again())
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            if looking is not None:
                looking.cancel()
                await asyncio.wait({looking})
        if self.fault is not None:
            self.fault = None
            self._told(None)

    def _out_of_reach(self) -> list[BrokerAddress]:
        """Return the addresses of the needed nodes if none is connected, or an empty list if one is."""
        needed, connections = self._partition.needed(), self._client._conns.items()
        if any(node in needed and connection.connected() for (node, _), connection in connections):
            return []
        return self._partition.needed_addresses()

    def _error_since(self, began: float, address: BrokerAddress) -> BaseException | None:
        """Return why the last attempt failed, or None if it succeeded, has not ended, or ended before `began`."""
        known = self._dialled.get(address)
        return known.error if known is not None and known.at >= began else None

    async def _look_again(self) -> None:
        """Dial the needed nodes that are due. If none is connected, fetch new metadata from the bootstrap addresses."""
        connected = [await self._get_conn(node) for node in self._partition.needed()]
        if any(connection is not None for connection in connected):
            return
        for address in self._addresses:
            if (connection := await self._dial(address)) is not None:
                try:
                    self._client.cluster.update_metadata(await self._request_metadata(connection))
                except (OSError, KafkaError):
                    continue
                finally:
                    hang_up(connection)
