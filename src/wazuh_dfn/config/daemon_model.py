"""The sections about the daemon itself: `[log]`, `[misc]` and `[supervisor]`."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wazuh_dfn.config.base import IN_LOWER_CASE, IN_UPPER_CASE, OptionalPath, Section, conflict
from wazuh_dfn.config.networks import Networks, networks_of


class LogSettings(Section):
    """Where log lines go, and which."""

    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], IN_UPPER_CASE] = Field(
        "INFO", description="Lowest level that is logged; DEBUG, INFO, WARNING, ERROR or CRITICAL"
    )
    format: Annotated[Literal["auto", "console", "json"], IN_LOWER_CASE] = Field(
        "auto", description='Form of the lines; "console" (key=value), "json", or "auto"'
    )
    console: bool = Field(default=True, description="Whether lines go to the standard error stream; true or false")
    file_path: OptionalPath = Field(
        None, examples=["/var/log/wazuh-dfn/wazuh-dfn.log"], description="Log file, besides the console; path of a file"
    )
    keep_files: int = Field(
        5,
        ge=0,
        le=1_000,
        description="How many rotated log files are kept, with 0 the rotation is left to logrotate; a number from 0 to 1000",
    )


class MiscSettings(Section):
    """What fits nowhere else."""

    own_network: Networks = Field(
        (),
        examples=["192.0.2.0/24, 2001:db8::/32"],
        description="Your own networks: fail2ban alerts about addresses in them, or that are not global, are not forwarded; "
        "IPv4 or IPv6 networks like 192.0.2.0/24, several with commas between them",
    )

    @property
    def own_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of `own_network`; bits of the host part are ignored."""
        return networks_of(self.own_network)


class SupervisorSettings(Section):
    """When crashed or hanging parts are restarted, and how much may be under way."""

    max_restarts: int = Field(
        10, ge=0, le=1_000, description="Restarts within restart_window after which the daemon gives up and exits; a number from 0 to 1000"
    )
    restart_window: float = Field(
        60, gt=0, le=86_400, description="Time in which restarts are counted; seconds, more than 0, at most 86400"
    )
    backoff_initial: float = Field(
        0.1, gt=0, le=3_600, description="Wait before the first restart, doubled with each; seconds, more than 0, at most 3600"
    )
    backoff_max: float = Field(
        5, gt=0, le=3_600, description="Longest wait before a restart; seconds, more than 0, at most 3600, not less than backoff_initial"
    )
    poison_limit: int = Field(
        3, ge=2, le=100, description="Crashes over one alert after which it becomes a dead letter; a number from 2 to 100"
    )
    progress_deadline: float = Field(
        120, ge=1, le=86_400, description="Time without progress after which a part counts as hanging; seconds, 1 to 86400"
    )
    shutdown_timeout: float = Field(
        30, gt=0, le=3_600, description="Time to deliver what was read, on shutdown; seconds, more than 0, at most 3600"
    )
    mailbox_capacity: int = Field(
        2, ge=1, le=1_024, description="Batches that may wait for each part, four times as many for the broker; a number from 1 to 1024"
    )
    read_chunk_bytes: int = Field(
        524_288, ge=65_536, le=4_194_304, description="How much is read from the alert file at a time; bytes, 65536 to 4194304"
    )
    checkpoint_interval: float = Field(
        1.0, gt=0, le=60, description="How often the checkpoint is written; seconds, more than 0, at most 60"
    )

    @model_validator(mode="after")
    def _check_backoff(self) -> Self:
        if self.backoff_initial > self.backoff_max:
            raise conflict(
                ("backoff_initial", "backoff_max"),
                f"backoff_initial ({self.backoff_initial:g} s) is more than backoff_max ({self.backoff_max:g} s); lower the first or raise the second",
            )
        return self
