"""Faults on the way to the topic: the rungs of the ladder, a code and a remedy for each fault, and the exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Self

from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.errors import WazuhDfnError


class Rung(StrEnum):
    """Steps from a broker name in the configuration to a record in the topic. Each step requires all previous ones.

    `check` names its findings after them.
    """

    NAME = "broker-name"
    TCP = "broker-tcp"
    TLS = "broker-tls"
    KAFKA = "kafka"
    TOPIC = "topic"
    WRITE = "topic-write"
    PRODUCER_ID = "idempotence"
    RECORDS = "records"


_DNS = "correct dfn.dfn_broker, or look at this machine's name servers (getent ahosts {host})"
_FIREWALL = "look whether a firewall lets this machine out to {where}; otherwise ask DFN-CERT whether the broker runs"
_PROXY = "ask whoever runs the proxy to let this machine through to {where}, or correct kafka.proxy"
_OUR_PROXY = "correct kafka.proxy, or ask whoever runs the proxy whether it is up"
_BEHIND_PROXY = "ask whoever runs the proxy whether it reaches {where}, or DFN-CERT whether the broker runs"
_COMPARE = "compare dfn.dfn_broker, dfn.dfn_ca and dfn.dfn_cert with what DFN-CERT gave you"
_PORT = "correct the port in dfn.dfn_broker, or ask DFN-CERT whether the broker runs"
_PLAINTEXT = "if it does, name the certificates in [dfn] and take kafka.security_protocol out"
_RIGHTS = "ask DFN-CERT to allow our certificate to write to this topic"
_OUR_FILES = "put the file there that DFN-CERT gave you, in PEM format, and let the daemon's user read it"
_WAIT = "wait: alerts stay in the file meanwhile; if it lasts, tell DFN-CERT"
_SAY_SO = "tell DFN-CERT what the broker answers"
SET_IDEMPOTENCE = "set kafka.idempotence = false"


class FaultCode(Enum):
    """Kind of a fault. The value is a stable code.

    Attributes:
        rung: The step that failed.
        needs_operator: Whether waiting does not fix it. Such faults are retried at longer intervals.
        remedy: What to do. It may contain the placeholders `{host}` and `{where}`.
    """

    NAME_UNKNOWN = "name-unknown", Rung.NAME, True, _DNS
    NAME_NOT_RESOLVED = "name-not-resolved", Rung.NAME, False, _DNS
    REFUSED = "refused", Rung.TCP, False, _FIREWALL
    NO_CONNECTION = "no-connection", Rung.TCP, False, _FIREWALL
    PROXY_UNREACHABLE = "proxy-unreachable", Rung.TCP, False, _OUR_PROXY
    PROXY_NO_WAY = "proxy-no-way", Rung.TCP, False, _BEHIND_PROXY
    PROXY_REFUSED = "proxy-refused", Rung.TCP, True, _PROXY
    TLS_FILES = "tls-files", Rung.TLS, True, _OUR_FILES
    TLS_SILENT = "tls-silent", Rung.TLS, False, _COMPARE
    TLS_REFUSED = (
        *("tls-refused", Rung.TLS, True),
        "name the certificate that DFN-CERT gave you in dfn.dfn_cert and dfn.dfn_key, or ask for a new one",
    )
    TLS_OURS_EXPIRED = "tls-ours-expired", Rung.TLS, True, "get a new certificate from DFN-CERT and put it in the place of dfn.dfn_cert"
    TLS_EXPIRED = "tls-expired", Rung.TLS, True, "tell DFN-CERT, it must be renewed; look at this machine's clock too (timedatectl)"
    TLS_NOT_YET_VALID = "tls-not-yet-valid", Rung.TLS, True, "look at this machine's clock (timedatectl)"
    TLS_OTHER_NAME = (
        *("tls-other-name", Rung.TLS, True),
        "write one of the names that the broker presents into dfn.dfn_broker; if it presents none, tell DFN-CERT",
    )
    TLS_UNTRUSTED = (
        *("tls-untrusted", Rung.TLS, True),
        "name the CA's file that DFN-CERT gave you in dfn.dfn_ca; if that is right, somebody may be between you and the broker",
    )
    TLS_REVOKED = "tls-revoked", Rung.TLS, True, "ask DFN-CERT: somebody may be between you and the broker"
    TLS_NO_REVOCATION_LIST = "tls-no-revocation-list", Rung.TLS, True, "get the CA's present revocation list and name it in dfn.dfn_crl"
    TLS_FAILED = "tls-failed", Rung.TLS, True, _COMPARE
    KAFKA_SILENT = "kafka-silent", Rung.KAFKA, False, _PORT
    KAFKA_CLOSED = "kafka-closed", Rung.KAFKA, False, _PORT
    NOT_KAFKA = "not-kafka", Rung.KAFKA, True, _PORT
    WANTS_TLS = "wants-tls", Rung.KAFKA, True, _PLAINTEXT
    MAY_WANT_TLS = "may-want-tls", Rung.KAFKA, False, _PLAINTEXT
    CUT = (
        *("cut", Rung.KAFKA, False),
        "if DFN-CERT gave you a name and a password, set kafka.sasl_mechanism; otherwise ask DFN-CERT whether the broker is well",
    )
    LOGIN_REFUSED = (
        "login-refused",
        Rung.KAFKA,
        True,
        "compare kafka.sasl_mechanism, kafka.sasl_username and its password with what you were given",
    )
    VERSIONS = "versions", Rung.KAFKA, True, "ask DFN-CERT which Kafka this is; with kafka.compression_type = zstd, set gzip"
    NO_IDEMPOTENCE = "no-idempotence", Rung.KAFKA, True, SET_IDEMPOTENCE
    TOPIC_UNKNOWN = (
        *("topic-unknown", Rung.TOPIC, True),
        "compare dfn.dfn_id with the customer id that DFN-CERT gave you; nobody has made the topic yet if that is right: ask DFN-CERT",
    )
    TOPIC_INVALID = "topic-invalid", Rung.TOPIC, True, "compare dfn.dfn_id with the customer id that DFN-CERT gave you"
    TOPIC_HIDDEN = "topic-hidden", Rung.TOPIC, True, _RIGHTS
    TOPIC_ERROR = "topic-error", Rung.TOPIC, True, _SAY_SO
    NO_LEADER = "no-leader", Rung.TOPIC, False, _WAIT
    WRITE_DENIED = "write-denied", Rung.WRITE, True, _RIGHTS
    PRODUCER_ID_DENIED = "producer-id-denied", Rung.PRODUCER_ID, True, _RIGHTS
    NO_PRODUCER_ID = "no-producer-id", Rung.PRODUCER_ID, True, f"if the broker does not support idempotent producers, {SET_IDEMPOTENCE}"
    COMPRESSION = "compression", Rung.RECORDS, True, "set kafka.compression_type = gzip"
    REFUSES_ALL = (
        "refuses-all",
        Rung.RECORDS,
        True,
        "look at this machine's clock (timedatectl); if it is right, tell DFN-CERT what the topic refuses",
    )
    THROTTLED = "throttled", Rung.RECORDS, False, "wait, or ask DFN-CERT for a larger quota: alerts stay in the file meanwhile"
    NUMBERING_LOST = "numbering-lost", Rung.RECORDS, False, _WAIT
    NOT_ACKNOWLEDGED = "not-acknowledged", Rung.RECORDS, False, _WAIT
    NOT_DELIVERED = "not-delivered", Rung.RECORDS, False, _WAIT
    CLOSED = "closed", Rung.RECORDS, False, _WAIT
    DEFECT = "defect", Rung.RECORDS, True, "this is a bug: report it with the log"

    rung: Rung
    needs_operator: bool
    remedy: str

    def __new__(cls, code: str, rung: Rung, needs_operator: bool, remedy: str) -> Self:  # noqa: FBT001 - a table
        """Use the code as the value and store the other fields as attributes."""
        member = object.__new__(cls)
        member._value_ = code
        member.rung, member.needs_operator, member.remedy = rung, needs_operator, remedy
        return member


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, in one line. `where` is the affected address, if there is one."""

    code: FaultCode
    text: str
    where: BrokerAddress | None = None

    @property
    def remedy(self) -> str:
        """What to do about it, in one line."""
        where = self.where
        return self.code.remedy.format(host=where.host if where else "NAME", where=where or "the broker")


class DeliveryError(WazuhDfnError):
    """The broker did not acknowledge a batch of records."""


class BrokerUnavailableError(DeliveryError):
    """The broker is unreachable or cannot acknowledge now. Sending the same batch again is worthwhile.

    If `in_flight` is true, the producer keeps trying to get the same values acknowledged.
    """

    def __init__(self, fault: Fault, *, in_flight: bool = False) -> None:
        super().__init__(fault.text)
        self.fault = fault
        self.in_flight = in_flight

    @property
    def reason(self) -> str:
        """The fault in one line."""
        return self.fault.text

    @property
    def needs_operator(self) -> bool:
        """Whether waiting does not fix it (certificate, right, missing topic). Such faults are retried at longer intervals."""
        return self.fault.code.needs_operator


class RecordsRejectedError(DeliveryError):
    """The broker, or the client on its behalf, refuses values permanently: too large or invalid.

    Nothing of the refused record batch was written. If the values were split into several batches, the first `written` values were
    acknowledged before it.
    """

    def __init__(self, reason: str, *, written: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.written = written
