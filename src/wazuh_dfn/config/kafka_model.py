"""The section `[kafka]`: how the producer talks to the broker."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from wazuh_dfn.config.base import EMPTY_IS_NONE, IN_LOWER_CASE, IN_UPPER_CASE, OptionalText, OptionTable, Section, conflict

_BATCH_BYTES = 950_000
_REQUEST_BYTES = 16_777_216


def _default_batch_bytes(data: dict[str, Any]) -> int:
    return min(_BATCH_BYTES, int(data.get("max_request_size", _REQUEST_BYTES)))


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
    def _check_sizes(self) -> Self:
        if self.max_batch_bytes > self.max_request_size:
            raise conflict(
                ("max_batch_bytes", "max_request_size"),
                f"max_batch_bytes ({self.max_batch_bytes}) is more than max_request_size ({self.max_request_size}); lower the first or raise the second",
            )
        return self
