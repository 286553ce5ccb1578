"""The section `[kafka]`: how the producer talks to the broker."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from wazuh_dfn.config.addresses import BrokerAddress, parse_broker
from wazuh_dfn.config.base import EMPTY_IS_NONE, IN_LOWER_CASE, IN_UPPER_CASE, OptionalText, OptionTable, Section, conflict

_PROXY = re.compile(r"http://([^/@]+)/?")
_BATCH_BYTES = 950_000
_REQUEST_BYTES = 16_777_216


def _default_batch_bytes(data: dict[str, Any]) -> int:
    return min(_BATCH_BYTES, int(data.get("max_request_size", _REQUEST_BYTES)))


def _check_proxy(value: str | None) -> str | None:
    if value is not None:
        proxy_address(value)
    return value


def proxy_address(url: str) -> BrokerAddress:
    """Read `http://host:port`.

    Raises:
        ValueError: it has another form.
    """
    match = _PROXY.fullmatch(url)
    if match is None:
        raise ValueError(
            "this is no address of an HTTP proxy; http://host:port is one (HTTPS and passwords towards a proxy are not supported)"
        )
    return parse_broker(match[1])


class ProducerOptions(OptionTable):
    """Options of aiokafka's producer that are passed through as they are; those left out have aiokafka's default."""

    client_id: OptionalText = Field(None, description="Name of this client in the broker's logs and quotas; a text")
    metadata_max_age_ms: int | None = Field(
        None, ge=1_000, le=86_400_000, description="Age at which topics and leaders are asked for again; milliseconds, 1000 to 86400000"
    )
    retry_backoff_ms: int | None = Field(
        None, ge=1, le=60_000, description="Wait of the producer between its own retries; milliseconds, 1 to 60000"
    )
    connections_max_idle_ms: int | None = Field(
        None, ge=1_000, le=86_400_000, description="Idle time after which a connection is closed; milliseconds, 1000 to 86400000"
    )

    def given(self) -> dict[str, Any]:
        """The options that are set, by aiokafka's names."""
        return self.model_dump(exclude_none=True)


class KafkaSettings(Section):
    """Security, time limits, retries and sizes of the producer."""

    security_protocol: Annotated[Literal["SSL", "PLAINTEXT"] | None, EMPTY_IS_NONE, IN_UPPER_CASE] = Field(
        None,
        examples=["SSL"],
        description='Encryption of the connection; "SSL" or "PLAINTEXT", left out: SSL if certificates are named, otherwise PLAINTEXT to this machine only',
    )
    proxy: Annotated[OptionalText, AfterValidator(_check_proxy)] = Field(
        None,
        examples=["http://proxy.example.org:3128"],
        description="HTTP proxy through which the brokers are reached (CONNECT), left out: none; http://host:port, without a password",
    )
    sasl_mechanism: Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None, EMPTY_IS_NONE, IN_UPPER_CASE] = Field(
        None,
        examples=["SCRAM-SHA-512"],
        description="How to log in by name and password (SASL), beside certificates or in their place, left out: not at all; "
        '"PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-512"',
    )
    sasl_username: OptionalText = Field(
        None, examples=["your-name"], description="Name to log in with, goes together with sasl_mechanism; any text"
    )
    sasl_password: OptionalText = Field(
        None,
        examples=["the-password"],
        description="Password to log in with, here or in the variable, never as a flag, goes together with sasl_mechanism; any text",
    )
    timeout: float = Field(60, ge=1, le=3_600, description="How long one request to the broker may take; seconds, 1 to 3600")
    retry_interval: float = Field(
        5,
        gt=0,
        le=3_600,
        description="Longest wait before a batch is sent again after an error that passes by itself (it doubles from 0.2 s on); seconds, more than 0, at most 3600",
    )
    slow_retry_interval: float = Field(
        60,
        gt=0,
        le=3_600,
        description="Longest wait after an error that an operator must mend (certificate, permission, topic); seconds, more than 0, at most 3600",
    )
    compression_type: Annotated[Literal["none", "gzip", "lz4", "zstd", "snappy"], IN_LOWER_CASE] = Field(
        "gzip",
        description='Compression of the batches; "none", "gzip", "lz4", "zstd" or "snappy". Of these gzip costs the least time, zstd the fewest bytes',
    )
    idempotence: bool = Field(default=True, description="Whether the broker is asked to drop what a retry sends twice; true or false")
    record_headers: bool = Field(
        default=False,
        description="Whether each record has the headers `id`, the same if it is sent again, and `source`, this host and version; true or false",
    )
    max_request_size: int = Field(
        _REQUEST_BYTES,
        ge=1_024,
        le=104_857_600,
        description="Largest request, and so the largest single record (the topic has a limit of its own, max.message.bytes); bytes, 1024 to 104857600",
    )
    max_batch_bytes: int = Field(
        default_factory=_default_batch_bytes,
        ge=1_024,
        le=104_857_600,
        description="Largest batch of records, by default 950000 or max_request_size if that is less; bytes, 1024 to max_request_size",
    )
    producer_config: ProducerOptions = Field(
        ProducerOptions(),
        description="More options of the producer; client_id, metadata_max_age_ms, retry_backoff_ms, connections_max_idle_ms",
    )

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
