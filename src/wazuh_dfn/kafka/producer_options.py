"""Options of the Kafka producer as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from wazuh_dfn.config.addresses import BrokerAddress, parse_brokers, proxy_address
from wazuh_dfn.config.settings import Settings

Compression = Literal["gzip", "snappy", "lz4", "zstd"]

CLIENT_ID = "wazuh-dfn"
"""Default client id, which the broker uses in its logs and quotas."""

PROTECTED_ARGUMENTS = frozenset(
    {
        "acks",
        "bootstrap_servers",
        "client_id",
        "compression_type",
        "enable_idempotence",
        "key_serializer",
        "linger_ms",
        "loop",
        "max_batch_size",
        "max_request_size",
        "request_timeout_ms",
        "sasl_mechanism",
        "sasl_plain_password",
        "sasl_plain_username",
        "security_protocol",
        "ssl_context",
        "transactional_id",
        "value_serializer",
    }
)
"""Arguments of AIOKafkaProducer that `KafkaOptions.extra` cannot set.

They have options of their own, or delivery guarantees depend on them.
"""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files, read again at each connect.

    Attributes:
        ca: Certificates of the trusted authorities. Without it, the system's authorities are trusted.
        certificate: Our certificate.
        key: The private key. Without it, the key is read from `certificate`.
        revocations: The CA's certificate revocation list (CRL).
        key_password: The passphrase of an encrypted key.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    revocations: Path | None = None
    key_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """Name and password for SASL, with or without TLS."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """How to reach the broker and how to send.

    Attributes:
        bootstrap: One or more `host:port`, as a list or separated by commas.
        timeout_seconds: Maximum time for one connect or one deliver, diagnosis included.
        record_headers: Adds the headers `id` (the first half of the value's SHA-256, in hex) and `source` to each record.
        max_request_size: Maximum size in bytes of one record batch before compression, and so of a single value. Values that fit into one
            batch are written by the broker completely or not at all. Count 61 bytes per batch, 16 bytes per record and the record headers
            in addition.
        longest_pause_seconds: Maximum pause between two attempts to reach a broker that is away.
        tls: The TLS files, or None for plaintext.
        proxy: An HTTP proxy.
        extra: More arguments of AIOKafkaProducer. Those in `PROTECTED_ARGUMENTS` are ignored.
    """

    bootstrap: str | list[str]
    topic: str
    client_id: str = CLIENT_ID
    timeout_seconds: float = 60.0
    compression: Compression | None = "gzip"
    idempotence: bool = True
    record_headers: bool = False
    max_request_size: int = 16_777_216
    longest_pause_seconds: float = 5.0
    tls: TlsFiles | None = None
    login: Login | None = None
    proxy: BrokerAddress | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the options that follow from the settings."""
        dfn, kafka = settings.dfn, settings.kafka
        login = None
        if kafka.sasl_mechanism is not None:
            login = Login(kafka.sasl_mechanism, kafka.sasl_username or "", kafka.sasl_password or "")
        return cls(
            bootstrap=dfn.dfn_broker,
            topic=dfn.dfn_id or "",
            client_id=kafka.producer_config.client_id or CLIENT_ID,
            timeout_seconds=kafka.timeout,
            compression=None if kafka.compression_type == "none" else kafka.compression_type,
            idempotence=kafka.idempotence,
            record_headers=kafka.record_headers,
            max_request_size=kafka.max_request_size,
            longest_pause_seconds=kafka.retry_interval,
            tls=TlsFiles(dfn.dfn_ca, dfn.dfn_cert, dfn.dfn_key, dfn.dfn_crl, dfn.dfn_key_password) if settings.uses_tls else None,
            login=login,
            proxy=proxy_address(kafka.proxy) if kafka.proxy is not None else None,
            extra=kafka.producer_config.given(),
        )

    @property
    def brokers(self) -> tuple[BrokerAddress, ...]:
        """The bootstrap addresses as a tuple."""
        return parse_brokers(self.bootstrap if isinstance(self.bootstrap, str) else ",".join(self.bootstrap))

    @property
    def security_protocol(self) -> str:
        """Kafka's name for the combination of login and TLS, for example `SASL_SSL`."""
        return ("SASL_" if self.login else "") + ("SSL" if self.tls else "PLAINTEXT")

    @property
    def login_arguments(self) -> dict[str, str]:
        """Arguments of AIOKafkaProducer for the login, empty without one."""
        if self.login is None:
            return {}
        login = self.login
        return {"sasl_mechanism": login.mechanism, "sasl_plain_username": login.username, "sasl_plain_password": login.password}
