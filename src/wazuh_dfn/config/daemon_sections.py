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
    setting,
)


class LogSettings(Section):
    """Where log lines go, and which."""

    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], UPPER_CASE] = setting("INFO", "Lowest level that is logged")
    format: Annotated[Literal["auto", "console", "json"], LOWER_CASE] = setting("auto", "Form of the lines (console: key=value)")
    console: Switch = setting(default=True, text="Write lines to the standard error stream")
    file_path: OptionalPath = setting(None, "Log file, besides the console", example="/var/log/wazuh-dfn/wazuh-dfn.log")
    keep_files: Annotated[int, Number(min=0, max=1_000)] = setting(
        5, "Number of rotated log files that are kept. With 0 the rotation is left to logrotate"
    )


class HealthApiSettings(Section):
    """The HTTP API, which is read-only."""

    enabled: Switch = setting(default=False, text="Serve the state over HTTP")
    host: ListeningHost = setting("127.0.0.1", "Where it listens. Without auth_token it is on this machine only")
    port: Annotated[int, Number(min=1, max=65_535)] = setting(8080, "Port that it listens on")
    auth_token: Token = setting(None, 'Token that clients have to send as "Authorization: Bearer TOKEN"', example="a-long-random-text")
    allowed_ips: Networks = setting(("127.0.0.1", "::1"), "Clients that are answered")
    rate_limit: Annotated[int, Number(min=1, max=1_000_000)] = setting(
        100, "Requests of one client within rate_limit_window that are answered"
    )
    rate_limit_window: Annotated[float, Seconds(min=1, max=86_400)] = setting(60, "Time in which the requests of a client are counted")
    https_enabled: Switch = setting(default=False, text="Use HTTPS, with cert_file and key_file")
    cert_file: OptionalPath = setting(None, "Certificate of the API with its chain (PEM)", example="/etc/wazuh-dfn/api.pem")
    key_file: OptionalPath = setting(None, "Private key of that certificate (PEM)", example="/etc/wazuh-dfn/api-key.pem")

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

    stats_interval: Annotated[float, Seconds(min=1, max=86_400)] = setting(600, "Time between two log lines with statistics")
    history_retention: Annotated[float, Seconds(min=60, max=604_800)] = setting(3_600, "Age up to which /health/detailed shows rates")
    max_history_entries: Annotated[int, Number(min=2, max=10_000)] = setting(
        1_000, "Maximum number of history points. With fewer, each covers a longer time"
    )
    queue_warning_threshold: Annotated[float, Percent(max=100)] = setting(70, "Fill level of a mailbox from which on the state is degraded")
    queue_critical_threshold: Annotated[float, Percent(max=100)] = setting(
        90, "Fill level of a mailbox from which on the state is unhealthy, if its actor has made no progress for worker_stall_threshold"
    )
    worker_stall_threshold: Annotated[float, Seconds(max=86_400)] = setting(
        60, "Time that an actor may work without progress before the state is degraded"
    )
    kafka_slow_threshold: Annotated[float, Seconds(max=3_600)] = setting(
        1.0, "Time that the broker may take for a batch before the state is degraded"
    )
    kafka_extremely_slow_threshold: Annotated[float, Seconds(max=3_600)] = setting(
        5.0, "Time from which on the broker is called extremely slow"
    )
    api: HealthApiSettings = Field(HealthApiSettings(), description="The state over HTTP, for monitoring")


class MiscSettings(Section):
    """What fits nowhere else."""

    own_network: Networks = setting(
        (),
        "Your own networks: fail2ban alerts about addresses in them, or that are not global, are not forwarded",
        example="192.0.2.0/24, 2001:db8::/32",
    )

    @property
    def own_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of `own_network`. Bits of the host part are ignored."""
        return networks_of(self.own_network)


class SupervisorSettings(Section):
    """When crashed or hanging parts are restarted, and how much may be under way."""

    max_restarts: Annotated[int, Number(min=0, max=1_000)] = setting(
        10, "Restarts within restart_window after which the daemon gives up and exits"
    )
    restart_window: Annotated[float, Seconds(max=86_400)] = setting(60, "Time in which restarts are counted")
    backoff_initial: Annotated[float, Seconds(max=3_600)] = setting(0.1, "Wait before the first restart. It doubles with each")
    backoff_max: Annotated[float, Seconds(max=3_600)] = setting(5, "Longest wait before a restart, not less than backoff_initial")
    poison_limit: Annotated[int, Number(min=2, max=100)] = setting(3, "Crashes over one alert after which it becomes a dead letter")
    progress_deadline: Annotated[float, Seconds(min=1, max=86_400)] = setting(
        120, "Time without progress after which a part counts as hanging"
    )
    shutdown_timeout: Annotated[float, Seconds(max=3_600)] = setting(30, "Time to deliver what was read, on shutdown")
    mailbox_capacity: Annotated[int, Number(min=1, max=1_024)] = setting(
        2, "Batches that may wait for each part. For the broker it is four times as many"
    )
    read_chunk_bytes: Annotated[int, Bytes(min=65_536, max=4_194_304)] = setting(524_288, "Size of one read from the alert file")
    checkpoint_interval: Annotated[float, Seconds(max=60)] = setting(1.0, "Time between two writes of the checkpoint")

    @model_validator(mode="after")
    def _check_backoff(self) -> Self:
        if self.backoff_initial > self.backoff_max:
            raise conflict(
                ("backoff_initial", "backoff_max"),
                f"backoff_initial ({self.backoff_initial:g} s) is more than backoff_max ({self.backoff_max:g} s); lower the first or raise the second",
            )
        return self
