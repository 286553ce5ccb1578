"""The sections about the daemon itself: `[log]`, `[health]` with `[health.api]`, `[misc]` and `[supervisor]`."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wazuh_dfn.config.addresses import is_loopback, networks_of
from wazuh_dfn.config.setting_types import (
    LOWER_CASE,
    UPPER_CASE,
    Bytes,
    ListeningHost,
    Networks,
    Number,
    OptionalPath,
    Percent,
    Seconds,
    Section,
    Switch,
    Token,
    conflict,
)


class LogSettings(Section):
    """Where log lines go, and which."""

    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], UPPER_CASE] = Field(
        "INFO", description="Lowest level that is logged"
    )
    format: Annotated[Literal["auto", "console", "json"], LOWER_CASE] = Field("auto", description="Form of the lines (console: key=value)")
    console: Switch = Field(default=True, description="Write lines to the standard error stream")
    file_path: OptionalPath = Field(None, examples=["/var/log/wazuh-dfn/wazuh-dfn.log"], description="Log file, besides the console")
    keep_files: Annotated[int, Number(at_least=0, at_most=1_000)] = Field(
        5, description="Number of rotated log files that are kept, with 0 the rotation is left to logrotate"
    )


class HealthApiSettings(Section):
    """The HTTP API, which is read-only."""

    enabled: Switch = Field(default=False, description="Serve the state over HTTP")
    host: ListeningHost = Field("127.0.0.1", description="Where it listens, without auth_token on this machine only")
    port: Annotated[int, Number(at_least=1, at_most=65_535)] = Field(8080, description="Port that it listens on")
    auth_token: Token = Field(
        None, examples=["a-long-random-text"], description='Token that clients have to send as "Authorization: Bearer TOKEN"'
    )
    allowed_ips: Networks = Field(("127.0.0.1", "::1"), description="Clients that are answered")
    rate_limit: Annotated[int, Number(at_least=1, at_most=1_000_000)] = Field(
        100, description="Requests of one client within rate_limit_window that are answered"
    )
    rate_limit_window: Annotated[float, Seconds(at_least=1, at_most=86_400)] = Field(
        60, description="Time in which the requests of a client are counted"
    )
    https_enabled: Switch = Field(default=False, description="Use HTTPS, with cert_file and key_file")
    cert_file: OptionalPath = Field(None, examples=["/etc/wazuh-dfn/api.pem"], description="Certificate of the API with its chain (PEM)")
    key_file: OptionalPath = Field(None, examples=["/etc/wazuh-dfn/api-key.pem"], description="Private key of that certificate (PEM)")

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of `allowed_ips`. Bits of the host part are ignored."""
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
    """What the daemon reports about its own state, and when it calls itself degraded."""

    stats_interval: Annotated[float, Seconds(at_least=1, at_most=86_400)] = Field(
        600, description="Time between two log lines with statistics"
    )
    history_retention: Annotated[float, Seconds(at_least=60, at_most=604_800)] = Field(
        3_600, description="Age up to which /health/detailed shows rates"
    )
    max_history_entries: Annotated[int, Number(at_least=2, at_most=10_000)] = Field(
        1_000, description="Maximum number of history points, with fewer each covers a longer time"
    )
    queue_warning_threshold: Annotated[float, Percent(at_most=100)] = Field(
        70, description="Fill level of a mailbox from which on the state is degraded"
    )
    queue_critical_threshold: Annotated[float, Percent(at_most=100)] = Field(
        90,
        description="Fill level of a mailbox from which on the state is unhealthy, "
        "if its actor has made no progress for worker_stall_threshold",
    )
    worker_stall_threshold: Annotated[float, Seconds(at_most=86_400)] = Field(
        60, description="Time that an actor may work without progress before the state is degraded"
    )
    kafka_slow_threshold: Annotated[float, Seconds(at_most=3_600)] = Field(
        1.0, description="Time that the broker may take for a batch before the state is degraded"
    )
    kafka_extremely_slow_threshold: Annotated[float, Seconds(at_most=3_600)] = Field(
        5.0, description="Time from which on the broker is called extremely slow"
    )
    api: HealthApiSettings = Field(HealthApiSettings(), description="The state over HTTP, for monitoring")


class MiscSettings(Section):
    """What fits nowhere else."""

    own_network: Networks = Field(
        (),
        examples=["192.0.2.0/24, 2001:db8::/32"],
        description="Your own networks: fail2ban alerts about addresses in them, or that are not global, are not forwarded",
    )

    @property
    def own_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of `own_network`. Bits of the host part are ignored."""
        return networks_of(self.own_network)


class SupervisorSettings(Section):
    """When crashed or hanging parts are restarted, and how much may be under way."""

    max_restarts: Annotated[int, Number(at_least=0, at_most=1_000)] = Field(
        10, description="Restarts within restart_window after which the daemon gives up and exits"
    )
    restart_window: Annotated[float, Seconds(at_most=86_400)] = Field(60, description="Time in which restarts are counted")
    backoff_initial: Annotated[float, Seconds(at_most=3_600)] = Field(0.1, description="Wait before the first restart, doubled with each")
    backoff_max: Annotated[float, Seconds(at_most=3_600)] = Field(
        5, description="Longest wait before a restart, not less than backoff_initial"
    )
    poison_limit: Annotated[int, Number(at_least=2, at_most=100)] = Field(
        3, description="Crashes over one alert after which it becomes a dead letter"
    )
    progress_deadline: Annotated[float, Seconds(at_least=1, at_most=86_400)] = Field(
        120, description="Time without progress after which a part counts as hanging"
    )
    shutdown_timeout: Annotated[float, Seconds(at_most=3_600)] = Field(30, description="Time to deliver what was read, on shutdown")
    mailbox_capacity: Annotated[int, Number(at_least=1, at_most=1_024)] = Field(
        2, description="Batches that may wait for each part, four times as many for the broker"
    )
    read_chunk_bytes: Annotated[int, Bytes(at_least=65_536, at_most=4_194_304)] = Field(
        524_288, description="Size of one read from the alert file"
    )
    checkpoint_interval: Annotated[float, Seconds(at_most=60)] = Field(1.0, description="Time between two writes of the checkpoint")

    @model_validator(mode="after")
    def _check_backoff(self) -> Self:
        if self.backoff_initial > self.backoff_max:
            raise conflict(
                ("backoff_initial", "backoff_max"),
                f"backoff_initial ({self.backoff_initial:g} s) is more than backoff_max ({self.backoff_max:g} s); lower the first or raise the second",
            )
        return self
