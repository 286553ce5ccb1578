"""aiokafka's errors as the operator should read them, and which of them mean that a record is refused for good."""

from __future__ import annotations

from aiokafka.errors import (
    BrokerResponseError,
    ClusterAuthorizationFailedError,
    CorruptRecordException,
    IncompatibleBrokerVersion,
    InvalidProducerEpoch,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    RecordListTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
    UnknownProducerId,
    UnsupportedForMessageFormatError,
)

from wazuh_dfn.kafka.error_codes import INVALID_RECORD, PRODUCER_FENCED, UNSUPPORTED_COMPRESSION_TYPE
from wazuh_dfn.kafka.faults import BrokerUnavailableError
from wazuh_dfn.kafka.producer_options import KafkaOptions

_UNKNOWN_TOPIC, _INVALID_TOPIC, _TOPIC_NOT_AUTHORISED = 3, 17, 29
SET_IDEMPOTENCE = "set kafka.idempotence = false"


ABOUT_RIGHTS: tuple[type[KafkaError], ...] = (ClusterAuthorizationFailedError, TopicAuthorizationFailedError)
"""The topic's metadata show which right is missing."""

REJECTIONS: tuple[type[KafkaError], ...] = (CorruptRecordException, MessageSizeTooLargeError, RecordListTooLargeError, RecordTooLargeError)
"""One record is to blame, and the others would be taken."""

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError, RecordTooLargeError)
RAISE_LIMITS = (
    "raise kafka.max_request_size here, max.message.bytes of the topic, and message.max.bytes and replica.fetch.max.bytes of the brokers; "
    "then send it again with wazuh-dfn dead-letters retry"
)
_REFUSES_ALL = (INVALID_RECORD, InvalidTimestampError, UnsupportedForMessageFormatError)
"""The topic's settings or this host's clock are to blame: every record would be refused."""
_LOST_SEQUENCE = (InvalidProducerEpoch, OutOfOrderSequenceNumber, ProducerFenced, PRODUCER_FENCED, UnknownProducerId)


def in_words(error: BaseException) -> str:
    """Return an error as one line."""
    if isinstance(error, BrokerResponseError):
        return f"{error.description.rstrip('.') or 'the broker answered with an error'} ({error.message}, error {error.errno})"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def rejection_reason(error: BaseException, largest: int, options: KafkaOptions) -> str:
    """Return why the broker refuses records of which the largest takes so many bytes before compression."""
    if not isinstance(error, _TOO_LARGE):
        return in_words(error)
    allowed = f"the largest record takes up to {largest} bytes before compression, kafka.max_request_size allows {options.max_request_size}"
    return f"{in_words(error)}: {allowed}; {RAISE_LIMITS}"


def known_reason(error: BaseException, options: KafkaOptions) -> BrokerUnavailableError | None:  # noqa: PLR0911 - a table of reasons
    """Return the reason where the error says enough by itself. An error about rights does so only once `topic_reason` found nothing."""
    if isinstance(error, TopicAuthorizationFailedError):
        text = f"not authorised to write to topic {options.topic}: the right WRITE on it is missing"
        return BrokerUnavailableError(text, needs_operator=True)
    if isinstance(error, ClusterAuthorizationFailedError):
        text = f"not authorised to write idempotently to topic {options.topic}: the right WRITE on it is missing"
        text += f" (before Kafka 3.0 also IdempotentWrite on the cluster: if that cannot be granted, {SET_IDEMPOTENCE})"
        return BrokerUnavailableError(text if options.idempotence else "not authorised to use this cluster", needs_operator=True)
    if isinstance(error, IncompatibleBrokerVersion):
        text = in_words(error)
        if "InitProducerId" in text:
            text = f"the broker does not support idempotent producers: {SET_IDEMPOTENCE}"
        return BrokerUnavailableError(text, needs_operator=True)
    if isinstance(error, UNSUPPORTED_COMPRESSION_TYPE):
        text = f"the broker does not support this compression: kafka.compression_type = {options.compression}"
        return BrokerUnavailableError(text, needs_operator=True)
    if isinstance(error, _REFUSES_ALL):
        text = f"the broker refuses all records: {in_words(error)}; look at the topic's settings and at this host's clock"
        return BrokerUnavailableError(text, needs_operator=True)
    if isinstance(error, _LOST_SEQUENCE):
        return BrokerUnavailableError(f"the broker no longer accepts this producer's numbering, a new one is needed: {in_words(error)}")
    return None


def topic_reason(code: int, topic: str) -> BrokerUnavailableError | None:
    """Return the reason for an error code of the topic in the broker's metadata; None if the topic is fine."""
    texts = {
        _UNKNOWN_TOPIC: f"topic {topic} does not exist",
        _INVALID_TOPIC: f"the broker does not accept the topic's name: {topic!r}",
        _TOPIC_NOT_AUTHORISED: f"not authorised to write to topic {topic}: the right DESCRIBE on it is missing (or it does not exist)",
    }
    return BrokerUnavailableError(texts[code], needs_operator=True) if code in texts else None
