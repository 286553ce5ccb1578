"""The section `[health]` and, within it, `[health.api]`: what the daemon tells about its own state, and to whom."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from wazuh_dfn.config.addresses import is_loopback
from wazuh_dfn.config.base import OptionalPath, OptionalText, Section, conflict
from wazuh_dfn.config.networks import Networks, networks_of


def _check_host(value: str) -> str:
    if not value.strip() or not value.isascii() or not value.isprintable() or "/" in value:
        raise ValueError("this is no address to listen on")
    return value.strip().removeprefix("[").removesuffix("]")


def _check_token(value: str | None) -> str | None:
    if value is not None and not (value.isascii() and value.isprintable() and " " not in value):
        raise ValueError("a token is sent in a header, where it can't stand like this")
    return value


class HealthApiSettings(Section):
    """The HTTP API; it tells, and changes nothing."""

    enabled: bool = Field(default=False, description="Whether the state can be asked for over HTTP; true or false")
    host: Annotated[str, AfterValidator(_check_host)] = Field(
        "127.0.0.1",
        description="Where it listens, without auth_token on this machine only; an address or a name of this machine, 0.0.0.0 or :: for all",
    )
    port: int = Field(8080, ge=1, le=65_535, description="Port that it listens on; a number from 1 to 65535")
    auth_token: Annotated[OptionalText, AfterValidator(_check_token)] = Field(
        None,
        examples=["a-long-random-text"],
        description='Token that clients have to send as "Authorization: Bearer TOKEN"; printable ASCII characters without spaces',
    )
    allowed_ips: Networks = Field(
        ("127.0.0.1", "::1"),
        description="Clients that are answered; IPv4 or IPv6 addresses or networks like 192.0.2.0/24, several with commas between them",
    )
    rate_limit: int = Field(
        100, ge=1, le=1_000_000, description="Requests of one client within rate_limit_window that are answered; a number from 1 to 1000000"
    )
    rate_limit_window: float = Field(
        60, ge=1, le=86_400, description="Time in which the requests of a client are counted; seconds, 1 to 86400"
    )
    https_enabled: bool = Field(default=False, description="Whether it speaks HTTPS, with cert_file and key_file; true or false")
    cert_file: OptionalPath = Field(
        None, examples=["/etc/wazuh-dfn/api.pem"], description="Certificate of the API with its chain (PEM); path of a file"
    )
    key_file: OptionalPath = Field(
        None, examples=["/etc/wazuh-dfn/api-key.pem"], description="Private key of that certificate (PEM); path of a file"
    )

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of `allowed_ips`; bits of the host part are ignored."""
        return networks_of(self.allowed_ips)

    def url(self, host: str) -> str:
        """Return the address of the API on this host, a name or an IP address."""
        return f"{'https' if self.https_enabled else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it surely listens on this machine alone."""
        return is_loopback(self.host)

    @model_validator(mode="after")
    def _check_that_strangers_need_a_token(self) -> Self:
        if self.enabled and self.auth_token is None and not self.is_loopback:
            text = "others than this machine could ask without a token; set health.api.auth_token, or listen on 127.0.0.1 or ::1"
            raise conflict(("host", "enabled", "auth_token"), text)
        return self

    @model_validator(mode="after")
    def _check_https(self) -> Self:
        if self.https_enabled and (self.cert_file is None or self.key_file is None):
            raise conflict(
                ("https_enabled", "cert_file", "key_file"),
                "there is no HTTPS without health.api.cert_file and health.api.key_file; set both",
            )
        return self


class HealthSettings(Section):
    """What the daemon tells about its own state, and when it calls itself degraded."""

    stats_interval: float = Field(600, ge=1, le=86_400, description="How often the line with statistics is logged; seconds, 1 to 86400")
    history_retention: float = Field(
        3_600, ge=60, le=604_800, description="How far back the rates go that /health/detailed tells; seconds, 60 to 604800"
    )
    max_history_entries: int = Field(
        1_000, ge=2, le=10_000, description="How many rates that may be, so with fewer each covers a longer time; a number from 2 to 10000"
    )
    queue_warning_threshold: float = Field(
        70, gt=0, le=100, description="How full a mailbox may be before the state is degraded; percent, more than 0, at most 100"
    )
    queue_critical_threshold: float = Field(
        90,
        gt=0,
        le=100,
        description="How full the mailbox of an actor may be that has made no progress for worker_stall_threshold, before the state is unhealthy; "
        "percent, more than 0, at most 100",
    )
    worker_stall_threshold: float = Field(
        60,
        gt=0,
        le=86_400,
        description="Time that an actor may work without progress before the state is degraded; seconds, more than 0, at most 86400",
    )
    kafka_slow_threshold: float = Field(
        1.0,
        gt=0,
        le=3_600,
        description="Time that the broker may take for a batch before the state is degraded; seconds, more than 0, at most 3600",
    )
    kafka_extremely_slow_threshold: float = Field(
        5.0,
        gt=0,
        le=3_600,
        description="Time from which on the broker is called extremely slow; seconds, more than 0, at most 3600",
    )
    api: HealthApiSettings = Field(HealthApiSettings(), description="The state over HTTP, for monitoring")
