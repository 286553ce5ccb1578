"""Operator-facing texts for aiokafka's errors, and the set of errors that reject a record permanently."""

from __future__ import annotations

from aiokafka.errors import (
    BrokerResponseError,
    ClusterAuthorizationFailedError,
    CorruptRecordException,
    IllegalSaslStateError,
    IncompatibleBrokerVersion,
    InvalidProducerEpoch,
    InvalidTimestampError,
    InvalidTopicError,
    KafkaError,
    LeaderNotAvailableError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    RecordListTooLargeError,
    RecordTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownProducerId,
    UnknownTopicOrPartitionError,
    UnsupportedForMessageFormatError,
    UnsupportedSaslMechanismError,
    for_code,
)

from wazuh_dfn.kafka.error_codes import INVALID_RECORD, PRODUCER_FENCED, UNSUPPORTED_COMPRESSION_TYPE
from wazuh_dfn.kafka.faults import SET_IDEMPOTENCE, Fault, FaultCode
from wazuh_dfn.kafka.producer_options import KafkaOptions

WORTH_ASKING: tuple[type[KafkaError], ...] = (ClusterAuthorizationFailedError, TopicAuthorizationFailedError, IncompatibleBrokerVersion)
"""Errors after which a query to the broker shows which right or request is missing."""

REJECTIONS: tuple[type[KafkaError], ...] = (CorruptRecordException, MessageSizeTooLargeError, RecordListTooLargeError, RecordTooLargeError)
"""Errors caused by a single record. The broker would accept the other records."""

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError, RecordTooLargeError)
RAISE_LIMITS = (
    "raise kafka.max_request_size here, max.message.bytes of the topic, and message.max.bytes and replica.fetch.max.bytes of the brokers; "
    "then send it again with wazuh-dfn dead-letters retry"
)
_REFUSES_ALL = (INVALID_RECORD, InvalidTimestampError, UnsupportedForMessageFormatError)
"""Errors caused by the topic's settings or by this host's clock. The broker would refuse every record."""
_LOST_SEQUENCE = (InvalidProducerEpoch, OutOfOrderSequenceNumber, ProducerFenced, PRODUCER_FENCED, UnknownProducerId)


def in_words(error: BaseException) -> str:
    """Return the error as one line."""
    if isinstance(error, BrokerResponseError):
        return f"{error.description.rstrip('.') or 'the broker answered with an error'} ({error.message}, error {error.errno})"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def rejection_reason(error: BaseException, largest: int, options: KafkaOptions) -> str:
    """Return why the broker refuses records. `largest` is the size of the largest record in bytes before compression."""
    if not isinstance(error, _TOO_LARGE):
        return in_words(error)
    allowed = f"the largest record takes up to {largest} bytes before compression, kafka.max_request_size allows {options.max_request_size}"
    return f"{in_words(error)}: {allowed}; {RAISE_LIMITS}"


def known_fault(error: BaseException, options: KafkaOptions) -> Fault | None:  # noqa: PLR0911 - a table
    """Return the fault if the error alone is conclusive, otherwise None.

    For an error in `WORTH_ASKING`, use it only if `inquiry.ask` finds nothing.
    """
    topic = options.topic
    match error:
        case TopicAuthorizationFailedError():
            return write_denied(topic)
        case ClusterAuthorizationFailedError() if options.idempotence:
            text = f"not authorised to write idempotently to topic {topic}: the right WRITE on it is missing (before Kafka 3.0 also "
            text += f"IdempotentWrite on the cluster: if that cannot be granted, {SET_IDEMPOTENCE})"
            return Fault(FaultCode.PRODUCER_ID_DENIED, text)
        case ClusterAuthorizationFailedError():
            return Fault(FaultCode.WRITE_DENIED, "not authorised to use this cluster")
        case SaslAuthenticationFailed() | UnsupportedSaslMechanismError() | IllegalSaslStateError():
            return Fault(FaultCode.LOGIN_REFUSED, f"the broker refused the login (kafka.sasl_username): {in_words(error)}")
        case IncompatibleBrokerVersion():
            return Fault(FaultCode.VERSIONS, in_words(error))
        case UNSUPPORTED_COMPRESSION_TYPE():
            text = f"the broker does not support this compression: kafka.compression_type = {options.compression}"
            return Fault(FaultCode.COMPRESSION, text)
    if isinstance(error, _REFUSES_ALL):
        text = f"the broker refuses all records: {in_words(error)}"
        return Fault(FaultCode.REFUSES_ALL, text)
    if isinstance(error, _LOST_SEQUENCE):
        text = f"the broker no longer accepts this producer's sequence numbers, a new producer is needed: {in_words(error)}"
        return Fault(FaultCode.NUMBERING_LOST, text)
    return None


def no_idempotence() -> Fault:
    """Return the fault of a broker that does not offer InitProducerId."""
    return Fault(FaultCode.NO_IDEMPOTENCE, "the broker does not support idempotent producers")


def write_denied(topic: str) -> Fault:
    """Return the fault of a missing right to write to the topic."""
    return Fault(FaultCode.WRITE_DENIED, f"not authorised to write to topic {topic}: the right WRITE on it is missing")


def no_leader(topic: str, partition: int) -> Fault:
    """Return the fault of a partition without a leader: no in-sync replica of it is available."""
    return Fault(FaultCode.NO_LEADER, f"topic {topic}: partition {partition}, which our records go to, has no leader at the moment")


def topic_fault(code: int, topic: str) -> Fault:
    """Return the fault for a topic error code in the broker's metadata."""
    match code:
        case UnknownTopicOrPartitionError.errno:
            return Fault(FaultCode.TOPIC_UNKNOWN, f"topic {topic} does not exist")
        case InvalidTopicError.errno:
            return Fault(FaultCode.TOPIC_INVALID, f"the broker does not accept the topic's name: {topic!r}")
        case TopicAuthorizationFailedError.errno:
            text = f"not authorised to write to topic {topic}: the right DESCRIBE on it is missing (or it does not exist)"
            return Fault(FaultCode.TOPIC_HIDDEN, text)
        case LeaderNotAvailableError.errno:
            return Fault(FaultCode.NO_LEADER, f"topic {topic} has no leader at the moment")
    return Fault(FaultCode.TOPIC_ERROR, f"topic {topic}: {in_words(for_code(code)())}")
