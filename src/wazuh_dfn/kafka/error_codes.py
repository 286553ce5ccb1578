"""Broker error codes that aiokafka 0.14 does not know. Import this module before aiokafka receives one.

aiokafka would report all of them as "error -1" and give up where Kafka's own client retries.
"""

from __future__ import annotations

import aiokafka.errors
from aiokafka.errors import BrokerResponseError

_FIRST = 73
_NAMES = [
    "TOPIC_DELETION_DISABLED",
    "FENCED_LEADER_EPOCH",
    "UNKNOWN_LEADER_EPOCH",
    "UNSUPPORTED_COMPRESSION_TYPE",
    "STALE_BROKER_EPOCH",
    "OFFSET_NOT_AVAILABLE",
    "MEMBER_ID_REQUIRED",
    "PREFERRED_LEADER_NOT_AVAILABLE",
    "GROUP_MAX_SIZE_REACHED",
    "FENCED_INSTANCE_ID",
    "ELIGIBLE_LEADERS_NOT_AVAILABLE",
    "ELECTION_NOT_NEEDED",
    "NO_REASSIGNMENT_IN_PROGRESS",
    "GROUP_SUBSCRIBED_TO_TOPIC",
    "INVALID_RECORD",
    "UNSTABLE_OFFSET_COMMIT",
    "THROTTLING_QUOTA_EXCEEDED",
    "PRODUCER_FENCED",
    "RESOURCE_NOT_FOUND",
    "DUPLICATE_RESOURCE",
    "UNACCEPTABLE_CREDENTIAL",
    "INCONSISTENT_VOTER_SET",
    "INVALID_UPDATE_VERSION",
    "FEATURE_UPDATE_FAILED",
    "PRINCIPAL_DESERIALIZATION_FAILURE",
    "SNAPSHOT_NOT_FOUND",
    "POSITION_OUT_OF_RANGE",
    "UNKNOWN_TOPIC_ID",
    "DUPLICATE_BROKER_REGISTRATION",
    "BROKER_ID_NOT_REGISTERED",
    "INCONSISTENT_TOPIC_ID",
    "INCONSISTENT_CLUSTER_ID",
    "TRANSACTIONAL_ID_NOT_FOUND",
    "FETCH_SESSION_TOPIC_ID_ERROR",
    "INELIGIBLE_REPLICA",
    "NEW_LEADER_ELECTED",
    "OFFSET_MOVED_TO_TIERED_STORAGE",
    "FENCED_MEMBER_EPOCH",
    "UNRELEASED_INSTANCE_ID",
    "UNSUPPORTED_ASSIGNOR",
    "STALE_MEMBER_EPOCH",
    "MISMATCHED_ENDPOINT_TYPE",
    "UNSUPPORTED_ENDPOINT_TYPE",
    "UNKNOWN_CONTROLLER_ID",
    "UNKNOWN_SUBSCRIPTION_ID",
    "TELEMETRY_TOO_LARGE",
    "INVALID_REGISTRATION",
    "TRANSACTION_ABORTABLE",
    "INVALID_RECORD_STATE",
    "SHARE_SESSION_NOT_FOUND",
    "INVALID_SHARE_SESSION_EPOCH",
    "FENCED_STATE_EPOCH",
    "INVALID_VOTER_KEY",
    "DUPLICATE_VOTER",
    "VOTER_NOT_FOUND",
    "INVALID_REGULAR_EXPRESSION",
    "REBOOTSTRAP_REQUIRED",
    "STREAMS_INVALID_TOPOLOGY",
    "STREAMS_INVALID_TOPOLOGY_EPOCH",
    "STREAMS_TOPOLOGY_FENCED",
    "SHARE_SESSION_LIMIT_REACHED",
    "GROUP_DELETION_FAILED",
    "STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED",
    "CONTROLLER_ID_NOT_REGISTERED",
]
"""Error names from code `_FIRST` on, as of Kafka 4.4 (`org.apache.kafka.common.protocol.Errors`)."""
_RETRIABLE = frozenset({74, 75, 78, 80, 83, 84, 88, 89, 100, 103, 106})
_OF_METADATA = frozenset({74, 80, 83, 84, 100, 103})
"""Errors that mean that the client's metadata is out of date."""
_CODES = range(_FIRST, 2**8)
"""Includes codes that only later versions of Kafka define, so that an error can be looked up by its number."""
_DESCRIPTIONS = {
    76: "The broker does not support the compression.",
    87: "The broker's checks refuse a record of the batch (a compacted topic wants keys, for instance).",
}


def _error(code: int) -> type[BrokerResponseError]:
    index = code - _FIRST
    name = _NAMES[index] if index < len(_NAMES) else "a code of a later Kafka"
    attributes = {
        "errno": code,
        "message": name,
        "description": _DESCRIPTIONS.get(code, "The broker answered with an error."),
        "retriable": code in _RETRIABLE,
        "invalid_metadata": code in _OF_METADATA,
    }
    return type(f"Error{code}", (BrokerResponseError,), attributes)


for _code in _CODES:
    aiokafka.errors.kafka_errors.setdefault(_code, _error(_code))

UNSUPPORTED_COMPRESSION_TYPE: type[BrokerResponseError] = aiokafka.errors.kafka_errors[76]
INVALID_RECORD: type[BrokerResponseError] = aiokafka.errors.kafka_errors[87]
PRODUCER_FENCED: type[BrokerResponseError] = aiokafka.errors.kafka_errors[90]
