"""What a broker says about itself, our topic and our rights, without anything being written or made."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import ApiVersionRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v4
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.broker_connection import choose_partition
from wazuh_dfn.kafka.client_errors import in_words
from wazuh_dfn.kafka.faults import BrokerUnavailableError
from wazuh_dfn.kafka.ladder import split_address
from wazuh_dfn.kafka.producer_options import KafkaOptions

PRODUCE, METADATA, INIT_PRODUCER_ID = 0, 3, 22
_SPOKEN = {PRODUCE: (3, 8), METADATA: (4, 5), INIT_PRODUCER_ID: (0, 0)}
"""Versions that aiokafka 0.14 speaks and we need: records of format 2 need Produce 3, not to create a topic needs Metadata 4."""
_ZSTD_PRODUCE = 7
_NAMES = {PRODUCE: "Produce", METADATA: "Metadata", INIT_PRODUCER_ID: "InitProducerId"}
_NOT_YET = (14, 15)
"""COORDINATOR_LOAD_IN_PROGRESS and COORDINATOR_NOT_AVAILABLE."""
_ATTEMPTS, _PAUSE_SECONDS = 10, 0.2
_WRITE = 1 << 4
"""The bit of AclOperation.WRITE in `authorized_operations` (KIP-430)."""
_UNKNOWN_OPERATIONS = -(2**31)


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka has no type annotations
    """Version 8 of the answer, which tells what we may do with the topic; aiokafka knows versions up to 5."""

    API_KEY = METADATA
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8")))),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataRequest(RequestStruct):  # type: ignore[misc]  # aiokafka has no type annotations
    API_KEY = METADATA
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(("topics", Array(String("utf-8"))), ("create", Boolean), ("cluster_operations", Boolean), ("topic_operations", Boolean))


class _TopicRequest(Request[MetadataRequest_v4 | _MetadataRequest]):  # type: ignore[misc]  # aiokafka has no type annotations
    """Asks for one topic, and never creates it."""

    API_KEY = METADATA

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: Any) -> Any:
        """See `Request`."""
        create, of_cluster, of_topic = False, False, True
        return request_struct_class([self._topic], create, *((of_cluster, of_topic) if request_struct_class is _MetadataRequest else ()))


@dataclass(frozen=True, slots=True)
class Answers:
    """What a broker said; the fields after `missing` have their defaults if something is missing.

    `missing` names the requests that the broker does not offer in a version that we speak. Of the topic: `topic_error` is the error code
    of its metadata (0: none), `partition` the number of the one that records would go to and `leader` the address (`host:port`) of its
    leader, None without one; `may_write` is None if the broker does not tell. `producer_error` is the answer to InitProducerId.
    """

    offered: Mapping[str, str]
    missing: tuple[str, ...]
    topic_error: int = 0
    partitions: int = 0
    partition: int = 0
    leader: str | None = None
    may_write: bool | None = None
    producer_error: int | None = None


async def inquire(address: str, options: KafkaOptions, tls: ssl.SSLContext | None, within: float) -> Answers:
    """Ask the broker at `address` (`host:port`), within that many seconds.

    Raises:
        BrokerUnavailableError: it does not answer; `broker_probe.explain` knows more.
    """
    host, port = split_address(address)
    protocol = "PLAINTEXT" if tls is None else "SSL"
    connection = None
    try:
        with anyio.fail_after(within):
            connection = await create_conn(
                host, port, client_id=options.client_id, ssl_context=tls, security_protocol=protocol, request_timeout_ms=int(within * 1000)
            )
            return await _ask(connection, options)
    except TimeoutError as error:
        raise BrokerUnavailableError(f"{address} did not answer within {within:.3g} s") from error
    except (KafkaError, OSError, AssertionError) as error:
        raise BrokerUnavailableError(f"{address}: {in_words(error)}") from error
    finally:
        if connection is not None:
            connection.close()


async def _ask(connection: AIOKafkaConnection, options: KafkaOptions) -> Answers:
    response = await connection.send(ApiVersionRequest())
    versions = {key: (lowest, highest) for key, lowest, highest in response.api_versions}
    offered = {name: "{}-{}".format(*versions[key]) for key, name in _NAMES.items() if key in versions}
    missing = tuple(_NAMES[key] for key, needed in _needed(options).items() if not _overlap(versions.get(key), needed))
    if missing:
        return Answers(offered, missing)
    metadata = await connection.send(_TopicRequest(options.topic))
    producer_error = None
    if options.idempotence:
        producer_error = await _producer_error(connection)
    return _answers(offered, metadata, options.topic, producer_error)


async def _producer_error(connection: AIOKafkaConnection) -> int:
    """Return the answer to InitProducerId. A broker that has just started needs a moment for it."""
    for _ in range(_ATTEMPTS):
        error = int((await connection.send(InitProducerIdRequest(None, 0))).error_code)
        if error not in _NOT_YET:
            break
        await anyio.sleep(_PAUSE_SECONDS)
    return error


def _needed(options: KafkaOptions) -> dict[int, tuple[int, int]]:
    needed = dict(_SPOKEN)
    if not options.idempotence:
        del needed[INIT_PRODUCER_ID]
    if options.compression == "zstd":
        needed[PRODUCE] = (_ZSTD_PRODUCE, needed[PRODUCE][1])
    return needed


def _overlap(offered: tuple[int, int] | None, needed: tuple[int, int]) -> bool:
    return offered is not None and offered[0] <= needed[1] and needed[0] <= offered[1]


def _answers(offered: Mapping[str, str], metadata: Any, topic: str, producer_error: int | None) -> Answers:
    said = metadata.to_object()
    [about] = [each for each in said["topics"] if each["topic"] == topic] or [{"error_code": 0, "partitions": []}]
    leaders = {each["partition"]: each["leader"] for each in about["partitions"]}
    addresses = {each["node_id"]: str(BrokerAddress(each["host"], each["port"])) for each in said["brokers"]}
    partition = choose_partition(topic, sorted(leaders)) if leaders else 0
    operations = about.get("authorized_operations", _UNKNOWN_OPERATIONS)
    return Answers(
        offered,
        (),
        topic_error=about["error_code"],
        partitions=len(leaders),
        partition=partition,
        leader=addresses.get(leaders.get(partition)),
        may_write=None if operations == _UNKNOWN_OPERATIONS else bool(operations & _WRITE),
        producer_error=producer_error,
    )
