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


_DNS = "correct dfn.dfn_broker, or check this machine's name servers (getent ahosts {host})"
_FIREWALL = "check that no firewall blocks connections from this machine to {where}; otherwise ask DFN-CERT whether the broker is running"
_PROXY = "ask the operator of the proxy to allow connections to {where}, or correct kafka.proxy"
_OUR_PROXY = "correct kafka.proxy, or ask the operator of the proxy whether it is running"
_BEHIND_PROXY = "ask the operator of the proxy whether it can reach {where}, or DFN-CERT whether the broker is running"
_COMPARE = "compare dfn.dfn_broker, dfn.dfn_ca and dfn.dfn_cert with the data from DFN-CERT"
_PORT = "correct the port in dfn.dfn_broker, or ask DFN-CERT whether the broker is running"
_PLAINTEXT = "if this port requires TLS, set the certificates in [dfn] and remove kafka.security_protocol"
_RIGHTS = "ask DFN-CERT to allow our certificate to write to this topic"
_OUR_FILES = "put the file from DFN-CERT there, in PEM format, and make it readable for the daemon's user"
_WAIT = "wait: alerts stay in the file until then; if the problem persists, contact DFN-CERT"
_SAY_SO = "contact DFN-CERT and quote the broker's answer"
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
        "set dfn.dfn_cert and dfn.dfn_key to the certificate and key from DFN-CERT, or ask DFN-CERT for a new certificate",
    )
    TLS_OURS_EXPIRED = (
        "tls-ours-expired",
        Rung.TLS,
        True,
        "get a new certificate from DFN-CERT and replace the file of dfn.dfn_cert with it",
    )
    TLS_EXPIRED = "tls-expired", Rung.TLS, True, "ask DFN-CERT to renew it; also check this machine's clock (timedatectl)"
    TLS_NOT_YET_VALID = "tls-not-yet-valid", Rung.TLS, True, "check this machine's clock (timedatectl)"
    TLS_OTHER_NAME = (
        *("tls-other-name", Rung.TLS, True),
        "set dfn.dfn_broker to one of the names in the broker's certificate; if it contains none, contact DFN-CERT",
    )
    TLS_UNTRUSTED = (
        *("tls-untrusted", Rung.TLS, True),
        "set dfn.dfn_ca to the CA file from DFN-CERT; if it is set correctly, somebody may be intercepting the connection",
    )
    TLS_REVOKED = "tls-revoked", Rung.TLS, True, "ask DFN-CERT: somebody may be intercepting the connection"
    TLS_NO_REVOCATION_LIST = "tls-no-revocation-list", Rung.TLS, True, "get the CA's current revocation list and set dfn.dfn_crl to it"
    TLS_FAILED = "tls-failed", Rung.TLS, True, _COMPARE
    KAFKA_SILENT = "kafka-silent", Rung.KAFKA, False, _PORT
    KAFKA_CLOSED = "kafka-closed", Rung.KAFKA, False, _PORT
    NOT_KAFKA = "not-kafka", Rung.KAFKA, True, _PORT
    WANTS_TLS = "wants-tls", Rung.KAFKA, True, _PLAINTEXT
    MAY_WANT_TLS = "may-want-tls", Rung.KAFKA, False, _PLAINTEXT
    CUT = (
        *("cut", Rung.KAFKA, False),
        "if DFN-CERT gave you a user name and a password, set kafka.sasl_mechanism; otherwise ask DFN-CERT whether the broker is working",
    )
    LOGIN_REFUSED = (
        "login-refused",
        Rung.KAFKA,
        True,
        "compare kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password with the values that you were given",
    )
    VERSIONS = "versions", Rung.KAFKA, True, "ask DFN-CERT which Kafka version the broker runs; if kafka.compression_type is zstd, set gzip"
    NO_IDEMPOTENCE = "no-idempotence", Rung.KAFKA, True, SET_IDEMPOTENCE
    TOPIC_UNKNOWN = (
        *("topic-unknown", Rung.TOPIC, True),
        "compare dfn.dfn_id with the customer id from DFN-CERT; if it is correct, the topic does not exist yet: ask DFN-CERT",
    )
    TOPIC_INVALID = "topic-invalid", Rung.TOPIC, True, "compare dfn.dfn_id with the customer id from DFN-CERT"
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
        "check this machine's clock (timedatectl); if it is correct, contact DFN-CERT and quote the broker's error",
    )
    THROTTLED = "throttled", Rung.RECORDS, False, "wait, or ask DFN-CERT for a larger quota: alerts stay in the file until then"
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
