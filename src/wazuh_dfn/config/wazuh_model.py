"""The section `[wazuh]`: what is read, where the daemon keeps its state, which events it selects, and what it tells Wazuh."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from wazuh_dfn.config.base import RequiredPath, Section
from wazuh_dfn.config.event_ids import parse_event_ids, resolve_event_ids
from wazuh_dfn.config.socket_address import SocketAddress, check_name, parse_socket_address
from wazuh_dfn.messages import KEPT_LINE_BYTES


class WazuhSettings(Section):
    """Alert file, checkpoint, dead letters, the Windows events to forward, and the feedback to Wazuh."""

    json_alert_file: RequiredPath = Field(
        Path("/var/ossec/logs/alerts/alerts.json"),
        description="File that Wazuh appends its alerts to, one JSON object a line; path of a file",
    )
    json_alert_file_poll_interval: float = Field(
        1.0, gt=0, le=60, description="How often the alert file is looked at for new lines; seconds, more than 0, at most 60"
    )
    start_at: Literal["end", "beginning"] = Field(
        "end",
        description='Where in the alert file the very first start begins, later ones go on where the last ended; "end" or "beginning"',
    )
    checkpoint_file: RequiredPath = Field(
        Path("/var/lib/wazuh-dfn/checkpoint.json"),
        description="File that remembers up to where all alerts are delivered; path of a file, its folder is made",
    )
    failed_alerts_path: RequiredPath = Field(
        Path("/opt/wazuh-dfn/failed-alerts"),
        description="Folder for dead letters, alerts that can't be read or that the broker refuses for good; path of a folder, it is made",
    )
    max_failed_files: int = Field(
        10_000,
        ge=1,
        le=10_000_000,
        description="How many dead letters of each stage are kept before the oldest is removed (it is the only copy); a number from 1 to 10000000",
    )
    max_failed_bytes: int = Field(
        1_073_741_824,
        ge=2 * KEPT_LINE_BYTES,
        le=2**40,
        description="How much all dead letters may take before some are removed, junk first, then the oldest; bytes, 134217728 to 1099511627776",
    )
    windows_event_ids: Annotated[tuple[str, ...] | None, BeforeValidator(parse_event_ids)] = Field(
        None,
        examples=[["+4768", "-1100"]],
        description="Windows events to forward; ids from 0 to 65535, all with a sign like ['+4768', '-1100'] (they change the default list) "
        "or none with (they replace it)",
    )
    feedback: bool = Field(
        default=True, description="Whether Wazuh is told what was delivered and what went wrong, where its socket is there; true or false"
    )
    unix_socket_path: Annotated[SocketAddress, PlainValidator(parse_socket_address)] = Field(
        Path("/var/ossec/queue/sockets/queue"),
        description='Queue socket of Wazuh, for the feedback; path of a socket, or a host and a port for TCP like ["127.0.0.1", 1514]',
    )
    integration_name: Annotated[str, AfterValidator(check_name)] = Field(
        "dfn", description="Name of this integration in the feedback; a text without colons and line breaks"
    )
    max_event_size: int = Field(65_535, ge=512, le=65_535, description="Largest message to Wazuh; bytes, 512 to 65535")
    connection_timeout: float = Field(
        30, gt=0, le=3_600, description="How long connecting to the socket may take; seconds, more than 0, at most 3600"
    )
    write_timeout: float = Field(
        10, gt=0, le=3_600, description="How long Wazuh may take to accept one message; seconds, more than 0, at most 3600"
    )
    retry_interval: float = Field(
        5,
        gt=0,
        le=3_600,
        description="Wait before the socket is tried again, doubled with each try that fails; seconds, more than 0, at most 3600",
    )
    max_retry_wait_time: float = Field(
        30,
        gt=0,
        le=3_600,
        description="Longest such wait, where it is more than retry_interval; seconds, more than 0, at most 3600",
    )

    @property
    def event_ids(self) -> frozenset[str]:
        """The ids of all Windows events that are forwarded, as texts."""
        return resolve_event_ids(self.windows_event_ids)
