"""The sections about what is delivered, and where to: `[dfn]`, `[wazuh]` and `[kafka]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from wazuh_dfn.config.addresses import BrokerAddress, parse_brokers
from wazuh_dfn.config.event_ids import resolve_event_ids
from wazuh_dfn.config.setting_types import (
    LOWER_CASE,
    UPPER_CASE,
    Allowed,
    Brokers,
    Bytes,
    EventIds,
    FeedbackName,
    FilePath,
    FolderPath,
    Milliseconds,
    Names,
    Number,
    OptionalPath,
    OptionTable,
    Proxy,
    Seconds,
    Section,
    SocketAddress,
    Switch,
    Text,
    Topic,
    conflict,
    setting,
)
from wazuh_dfn.messages import KEPT_LINE_BYTES

_BATCH_BYTES = 950_000
_REQUEST_BYTES = 16_777_216


def _default_batch_bytes(data: dict[str, Any]) -> int:
    return min(_BATCH_BYTES, int(data.get("max_request_size", _REQUEST_BYTES)))


class DfnSettings(Section):
    """Broker, identity and certificates."""

    dfn_broker: Brokers = setting("kafka.example.org:443", "Address of the broker")
    dfn_id: Topic = setting(
        None, "Customer id that DFN-CERT gave you, which is also the Kafka topic. It is needed to run", example="your-customer-id"
    )
    dfn_cert: OptionalPath = setting(None, "Client certificate (PEM). It goes together with dfn_key", example="/etc/wazuh-dfn/cert.pem")
    dfn_key: OptionalPath = setting(
        None, "Private key of the client certificate (PEM). It goes together with dfn_cert", example="/etc/wazuh-dfn/key.pem"
    )
    dfn_key_password: Text = setting(
        None, "Passphrase of dfn_key if that is encrypted. Set it here or in the variable, as it has no flag", example="the-passphrase"
    )
    dfn_ca: OptionalPath = setting(
        None,
        "CA certificates (PEM) to verify the broker's certificate. Without it those of the system are used",
        example="/etc/wazuh-dfn/ca.pem",
    )
    dfn_crl: OptionalPath = setting(
        None,
        "Revocation list (PEM) of the CA that signed the broker's certificate. One in the file of dfn_ca counts too",
        example="/etc/wazuh-dfn/crl.pem",
    )

    @property
    def brokers(self) -> tuple[BrokerAddress, ...]:
        """The addresses of `dfn_broker`, at least one."""
        return parse_brokers(self.dfn_broker)

    @property
    def names_certificates(self) -> bool:
        """Whether any file for TLS is named."""
        return any((self.dfn_cert, self.dfn_key, self.dfn_ca, self.dfn_crl))

    @model_validator(mode="after")
    def _check_pair(self) -> Self:
        if self.dfn_cert and not self.dfn_key:
            raise conflict(("dfn_cert", "dfn_key"), "a certificate without its key; set dfn.dfn_key too")
        if self.dfn_key and not self.dfn_cert:
            raise conflict(("dfn_key", "dfn_cert"), "a key without its certificate; set dfn.dfn_cert too")
        return self


class WazuhSettings(Section):
    """Alert file, checkpoint, dead letters, the Windows events to forward, and the feedback to Wazuh."""

    json_alert_file: FilePath = setting(
        Path("/var/ossec/logs/alerts/alerts.json"), "File that Wazuh appends its alerts to, one JSON object per line"
    )
    json_alert_file_poll_interval: Annotated[float, Seconds(max=60)] = setting(1.0, "Time between looks at the alert file for new lines")
    start_at: Literal["end", "beginning"] = setting(
        "end", "Where in the alert file the very first start begins. Later ones go on where the last ended"
    )
    checkpoint_file: FilePath = setting(
        Path("/var/lib/wazuh-dfn/checkpoint.json"), "File that stores up to where all alerts are delivered. Its folder is created"
    )
    failed_alerts_path: FolderPath = setting(
        Path("/opt/wazuh-dfn/failed-alerts"),
        "Folder for dead letters: alerts that can't be read or that the broker refuses for good. It is created",
    )
    max_failed_files: Annotated[int, Number(min=1, max=10_000_000)] = setting(
        10_000, "Maximum number of dead letters of each stage. Beyond it the oldest is removed, which is the only copy"
    )
    max_failed_bytes: Annotated[int, Bytes(min=2 * KEPT_LINE_BYTES, max=2**40)] = setting(
        1_073_741_824, "Maximum size of all dead letters. Beyond it some are removed, junk first, then the oldest"
    )
    windows_event_ids: EventIds = setting(None, "Windows events to forward", example=["+4768", "-1100"])
    windows_channels: Names = setting((), "Windows channels from which events are forwarded. The default is all", example=["Security"])
    feedback: Switch = setting(default=True, text="Send delivery confirmations and errors to Wazuh, if its socket exists")
    unix_socket_path: SocketAddress = setting(Path("/var/ossec/queue/sockets/queue"), "Queue socket of Wazuh, for the feedback")
    integration_name: FeedbackName = setting("dfn", "Name of this integration in the feedback")
    max_event_size: Annotated[int, Bytes(min=512, max=65_535)] = setting(65_535, "Largest message to Wazuh")
    connection_timeout: Annotated[float, Seconds(max=3_600)] = setting(30, "Maximum time to connect to the socket")
    write_timeout: Annotated[float, Seconds(max=3_600)] = setting(10, "Maximum time for Wazuh to accept one message")
    retry_interval: Annotated[float, Seconds(max=3_600)] = setting(
        5, "Wait before the socket is tried again. It doubles with each try that fails"
    )
    max_retry_wait_time: Annotated[float, Seconds(max=3_600)] = setting(30, "Longest such wait, if it is more than retry_interval")

    @property
    def event_ids(self) -> frozenset[str]:
        """The ids of all Windows events that are forwarded, as texts."""
        return resolve_event_ids(self.windows_event_ids)


class ProducerOptions(OptionTable):
    """Options of aiokafka's producer that are passed through as they are. Those left out have aiokafka's default."""

    client_id: Annotated[Text, Allowed("a text")] = setting(None, "Name of this client in the broker's logs and quotas")
    metadata_max_age_ms: Annotated[int | None, Milliseconds(min=1_000, max=86_400_000)] = setting(
        None, "Age at which topics and leaders are asked for again"
    )
    retry_backoff_ms: Annotated[int | None, Milliseconds(min=1, max=60_000)] = setting(None, "Wait of the producer between its own retries")
    connections_max_idle_ms: Annotated[int | None, Milliseconds(min=1_000, max=86_400_000)] = setting(
        None, "Idle time after which a connection is closed"
    )

    def given(self) -> dict[str, Any]:
        """The options that are set, by aiokafka's names."""
        return self.model_dump(exclude_none=True)


class KafkaSettings(Section):
    """Security, time limits, retries and sizes of the producer."""

    security_protocol: Annotated[Literal["SSL", "PLAINTEXT"] | None, UPPER_CASE] = setting(
        None,
        "Encryption of the connection. The default is SSL if certificates are named, otherwise PLAINTEXT to this machine only",
        example="SSL",
    )
    proxy: Proxy = setting(
        None, "HTTP proxy through which the brokers are reached (CONNECT). The default is none", example="http://proxy.example.org:3128"
    )
    sasl_mechanism: Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None, UPPER_CASE] = setting(
        None,
        "How to log in by name and password (SASL), beside certificates or in their place. The default is not to log in",
        example="SCRAM-SHA-512",
    )
    sasl_username: Text = setting(None, "Name to log in with. It goes together with sasl_mechanism", example="your-name")
    sasl_password: Text = setting(
        None,
        "Password to log in with. It goes together with sasl_mechanism. Set it here or in the variable, as it has no flag",
        example="the-password",
    )
    timeout: Annotated[float, Seconds(min=1, max=3_600)] = setting(60, "Maximum time of one request to the broker")
    retry_interval: Annotated[float, Seconds(max=3_600)] = setting(
        5, "Longest wait before a batch is sent again after an error that passes by itself. It doubles from 0.2 s on"
    )
    slow_retry_interval: Annotated[float, Seconds(max=3_600)] = setting(
        60, "Longest wait after an error that an operator must fix (certificate, permission, topic)"
    )
    compression_type: Annotated[Literal["none", "gzip", "lz4", "zstd", "snappy"], LOWER_CASE] = setting(
        "gzip", "Compression of the batches (gzip costs the least time, zstd the fewest bytes)"
    )
    idempotence: Switch = setting(default=True, text="Have the broker drop what a retry sends twice")
    record_headers: Switch = setting(
        default=False, text="Give each record the headers `id`, the same if it is sent again, and `source`, this host and version"
    )
    max_request_size: Annotated[int, Bytes(min=1_024, max=104_857_600)] = setting(
        _REQUEST_BYTES, "Largest request, and so the largest single record (the topic has a limit of its own, max.message.bytes)"
    )
    max_batch_bytes: Annotated[int, Bytes(min=1_024, max=104_857_600)] = Field(
        default_factory=_default_batch_bytes,
        description="Largest batch of records, not more than max_request_size. The default is 950000, or max_request_size if that is less",
    )
    producer_config: ProducerOptions = Field(ProducerOptions(), description="More options of the producer")

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        keys = ("sasl_mechanism", "sasl_username", "sasl_password")
        missing = [key for key in keys if getattr(self, key) is None]
        if missing and len(missing) < len(keys):
            raise conflict(keys, f"these go together: {', '.join(keys)}; set {' and '.join(missing)} too, or none of them")
        return self

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        if self.max_batch_bytes > self.max_request_size:
            raise conflict(
                ("max_batch_bytes", "max_request_size"),
                f"max_batch_bytes ({self.max_batch_bytes}) is more than max_request_size ({self.max_request_size}); lower the first or raise the second",
            )
        return self
