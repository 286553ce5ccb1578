"""A short leash for aiokafka's client: when it may dial which broker, and who is told that it can't reach the one it needs.

aiokafka 0.14 dials a broker anew whenever it has something to ask, ten times a second while one is away, keeps what each failed TLS
handshake cost, and tells the reason to a log of its own alone. Here each address is dialled with growing pauses, by all of its IP
addresses at once if need be (RFC 8305), with the certificates as they are in their files then.
"""

# That takes aiokafka's private attributes.
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
"""A leader that moves, or a broker that restarts, is back by then as a rule."""
STABLE_SECONDS = 10.0
"""A connection that was made so long ago says nothing against dialling at once."""
FIRST_PAUSE_SECONDS = 0.2
METADATA_PAUSE_SECONDS = 0.1
EXPLAIN_AGAIN_SECONDS = 15.0
"""So long an explanation is good, even if the errors look the same."""
_LOOK_SECONDS = 0.25


@dataclass(slots=True)
class _Dialled:
    """What is known of an address."""

    in_a_row: int = 0
    at: float = 0.0
    pause_seconds: float = 0.0
    error: BaseException | None = None
    """Why the last attempt failed; None if it did not."""


class _UnansweredError(Exception):
    """A bootstrap address has told nothing; the cause is chained."""

    def __init__(self, address: BrokerAddress) -> None:
        super().__init__(str(address))
        self.address = address


class Leash:
    """Governs all dialling of one producer's client; to be made before that connects.

    Args:
        client: whose `_get_conn` and `bootstrap` are replaced.
        addresses: where it bootstraps.
        dial: connects to an address, and raises one of `DIAL_ERRORS` if that fails.
        partition: what has to be within reach, and have a leader.
        explain: finds out why these addresses, with the error of the last attempt to each, can't be used. Without any: why there is no
            leader.
        told: is called with the fault once nothing can be delivered, and with None when that is over.
        longest_pause_seconds: between two attempts to one address.
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
        """What was told, as long as it is so."""
        client._get_conn, client.bootstrap = self._get_conn, self._bootstrap
        self._update, client._metadata_update = client._metadata_update, self._metadata_update
        self._updated_at = 0.0

    def dial_at_once(self) -> None:
        """What the pauses were for is mended, perhaps."""
        for known in self._dialled.values():
            known.pause_seconds = 0.0

    async def _metadata_update(self, *arguments: Any) -> bool:
        """Ask for metadata as the client does, but with pauses: for a partition without a leader it asks thousands of times a second."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._updated_at + METADATA_PAUSE_SECONDS - loop.time()))
        try:
            return bool(await self._update(*arguments))
        finally:
            self._updated_at = loop.time()
            if self._partition.fault() is not None:
                self._begin_watch()

    async def _bootstrap(self) -> None:
        """Ask the bootstrap address that answers first who is there; one that does not answer holds up none. In place of the client's own."""
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
                return connection, await connection.send(MetadataRequest([]))
            except BaseException:
                hang_up(connection)
                raise
        except DIAL_ERRORS as error:
            raise _UnansweredError(address) from error

    async def aclose(self) -> None:
        """Dial no more."""
        self._is_closed = True
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})

    async def connection(self) -> BrokerConnection | None:
        """Return one to any broker, if there is any within reach."""
        node = self._client.get_random_node()
        return await self._get_conn(node) if node is not None else None

    async def _get_conn(self, node_id: Any, *, group: int = ConnectionGroup.DEFAULT, no_hint: bool = False) -> BrokerConnection | None:
        """Return a connection to the node; None if there is none now. In place of the client's own."""
        del no_hint
        key, client = (node_id, group), self._client
        async with self._dialling[key]:
            connection: BrokerConnection | None = client._conns.get(key)
            if connection is not None and connection.connected():
                return connection
            if connection is not None:
                client._conns.pop(key).close()
            self._begin_watch()
            broker = client.cluster.broker_metadata(node_id)
            address = BrokerAddress(broker.host, broker.port) if broker is not None else None
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
        """Connect, unless it is too early for that address."""
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
        """Keep dialling what is needed, even while nothing is to be sent, and tell what is wrong if that lasts."""
        loop = asyncio.get_running_loop()
        began, explained, explained_at, looking = loop.time(), "", 0.0, None
        try:
            while (addresses := self._out_of_reach()) or self._partition.fault() is not None:
                errors = {address: self._error_since(began, address) for address in addresses}
                is_old = explained != repr(errors) or loop.time() - explained_at >= EXPLAIN_AGAIN_SECONDS
                if is_old and loop.time() - began >= TELL_AFTER_SECONDS:
                    fault = await self._explain(errors)
                    explained, explained_at = repr(errors), loop.time()
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
        """Return the addresses of what is needed if there is a connection to none of it; empty if there is one."""
        needed, connections = self._partition.needed(), self._client._conns.items()
        if any(node in needed and connection.connected() for (node, _), connection in connections):
            return []
        return self._partition.needed_addresses()

    def _error_since(self, began: float, address: BrokerAddress) -> BaseException | None:
        """Return why the last attempt failed, if that was since then; None if it did not fail, or has not ended."""
        known = self._dialled.get(address)
        return known.error if known is not None and known.at >= began else None

    async def _look_again(self) -> None:
        """Dial what is needed and due; where nothing known is within reach, ask at the bootstrap addresses who is there by now."""
        connected = [await self._get_conn(node) for node in self._partition.needed()]
        if any(connection is not None for connection in connected):
            return
        for address in self._addresses:
            if (connection := await self._dial(address)) is not None:
                try:
                    self._client.cluster.update_metadata(await connection.send(MetadataRequest(list(self._client._topics))))
                except (OSError, KafkaError):
                    continue
                finally:
                    hang_up(connection)
