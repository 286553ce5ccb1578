"""Queries about the broker's API versions, our topic and our rights, without writing or creating anything."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, for_code
from aiokafka.protocol.admin import ApiVersionRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v4
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.client_errors import in_words, known_fault, no_idempotence, no_leader, topic_fault, write_denied
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode
from wazuh_dfn.kafka.producer_options import KafkaOptions

PRODUCE, METADATA, INIT_PRODUCER_ID = 0, 3, 22
_SPOKEN = {PRODUCE: (3, 8), METADATA: (4, 5), INIT_PRODUCER_ID: (0, 0)}
"""API versions that aiokafka 0.14 supports and that this program needs.

Records of format 2 require Produce 3. Not creating a topic requires Metadata 4.
"""
_ZSTD_PRODUCE = 7
_NAMES = {PRODUCE: "Produce", METADATA: "Metadata", INIT_PRODUCER_ID: "InitProducerId"}
_NOT_YET = (14, 15)
"""COORDINATOR_LOAD_IN_PROGRESS and COORDINATOR_NOT_AVAILABLE."""
_ATTEMPTS, _PAUSE_SECONDS = 10, 0.2
_WRITE = 1 << 4
"""Bit of AclOperation.WRITE in `authorized_operations` (KIP-430)."""
_UNKNOWN_OPERATIONS = -(2**31)


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka has no type annotations
    """Metadata response version 8, which contains our rights on the topic. aiokafka supports versions up to 5."""

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
    """Requests the metadata of one topic without creating it."""

    API_KEY = METADATA

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: Any) -> Any:
        """See `Request`."""
        create, of_cluster, of_topic = False, False, True
        return request_struct_class([self._topic], create, *((of_cluster, of_topic) if request_struct_class is _MetadataRequest else ()))


@dataclass(frozen=True, slots=True)
class Answers:
    """What a broker reported.

    Attributes:
        offered: The offered version range of each request we need, by the request's name.
        missing: Requests that the broker does not offer in a version we support. If not empty, all following fields have their defaults.
        topic_error: Error code in the topic's metadata, 0 for none.
        partitions: Number of partitions of the topic.
        partition: Number of the partition that records go to.
        leader: Address of that partition's leader, or None without a leader.
        may_write: Whether we may write to the topic, or None if the broker does not report it.
        producer_error: Error code of the answer to InitProducerId, 0 for none, or None if it was not requested.
    """

    offered: Mapping[str, str]
    missing: tuple[str, ...]
    topic_error: int = 0
    partitions: int = 0
    partition: int = 0
    leader: BrokerAddress | None = None
    may_write: bool | None = None
    producer_error: int | None = None


async def inquire(connection: AIOKafkaConnection, options: KafkaOptions, *, with_producer_id: bool = True) -> Answers:
    """Query the broker at the other end of a connection.

    InitProducerId is sent only for an idempotent producer and with `with_producer_id`. It takes up to 10 round trips.

    Raises:
        BrokerUnavailableError: The broker closes the connection when it is asked for the topic.
        KafkaError: The broker does not answer, or the answer is malformed.
        OSError: The connection broke.
    """
    response = await connection.send(ApiVersionRequest())
    versions = {key: (lowest, highest) for key, lowest, highest in response.api_versions}
    offered = {name: "{}-{}".format(*versions[key]) for key, name in _NAMES.items() if key in versions}
    missing = tuple(_NAMES[key] for key, needed in _needed_versions(options).items() if not _overlap(versions.get(key), needed))
    if missing:
        return Answers(offered, missing)
    try:
        metadata = await connection.send(_TopicRequest(options.topic))
    except KafkaConnectionError as error:
        hint = "" if options.login is not None else ": it may require a login (kafka.sasl_mechanism)"
        text = f"the broker closed the connection when it was asked for topic {options.topic}{hint}"
        raise BrokerUnavailableError(Fault(FaultCode.CUT, text)) from error
    producer_error = await _producer_error(connection) if options.idempotence and with_producer_id else None
    return _answers(offered, metadata, options.topic, producer_error)


def fault_of(answers: Answers, options: KafkaOptions) -> Fault | None:  # noqa: PLR0911 - one for each rung
    """Return the fault of the lowest rung that fails, or None if the broker's answers show no obstacle to writing."""
    topic = options.topic
    if answers.missing == ("InitProducerId",):
        return no_idempotence()
    if answers.missing:
        offered = ", ".join(f"{name} {versions}" for name, versions in answers.offered.items()) or "none of them"
        text = f"the broker does not offer {' and '.join(answers.missing)} in a supported version (offered: {offered})"
        return Fault(FaultCode.VERSIONS, text)
    if answers.topic_error:
        return topic_fault(answers.topic_error, topic)
    if answers.leader is None:
        return no_leader(topic, answers.partition)
    if answers.may_write is False:
        return write_denied(topic)
    if answers.producer_error:
        error = for_code(answers.producer_error)()
        text = f"the broker does not assign a producer id: {in_words(error)}"
        return known_fault(error, options) or Fault(FaultCode.NO_PRODUCER_ID, text)
    return None


async def _producer_error(connection: AIOKafkaConnection) -> int:
    """Return the error code of InitProducerId. Retries while a broker that has just started is not ready for it."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            await anyio.sleep(_PAUSE_SECONDS)
        error = int((await connection.send(InitProducerIdRequest(None, 0))).error_code)
        if error not in _NOT_YET:
            break
    return error


def _needed_versions(options: KafkaOptions) -> dict[int, tuple[int, int]]:
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
    addresses = {each["node_id"]: BrokerAddress(each["host"], each["port"]) for each in said["brokers"]}
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


def choose_partition(topic: str, partitions: Sequence[int]) -> int:
    """Return the partition for all records of the topic, chosen from its sorted partition numbers."""
    return partitions[zlib.crc32(topic.encode()) % len(partitions)]
