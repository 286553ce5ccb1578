"""The section `[wazuh]`: what is read, where the daemon keeps its state, and which events it selects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from wazuh_dfn.config.base import RequiredPath, Section
from wazuh_dfn.config.event_ids import parse_event_ids, resolve_event_ids


class WazuhSettings(Section):
    """Alert file, checkpoint, dead letters and the Windows events to forward."""

    json_alert_file: RequiredPath = Field(
        Path("/var/ossec/logs/alerts/alerts.json"), description="Path of the file that Wazuh appends its alerts to, one JSON object a line"
    )
    json_alert_file_poll_interval: float = Field(
        1.0, gt=0, le=60, description="How often the alert file is looked at for new lines; seconds, more than 0, at most 60"
    )
    start_at: Literal["end", "beginning"] = Field(
        "end",
        description='Where the very first start reads from: "end" or "beginning" of the alert file; later starts go on where the last ended',
    )
    checkpoint_file: RequiredPath = Field(
        Path("/var/lib/wazuh-dfn/checkpoint.json"), description="Path of the file that remembers how far all alerts are delivered"
    )
    failed_alerts_path: RequiredPath = Field(
        Path("/opt/wazuh-dfn/failed-alerts"),
        description="Folder for dead letters: alerts that can't be read or that the broker refuses for good",
    )
    max_failed_files: int = Field(
        10_000,
        ge=1,
        le=10_000_000,
        description="How many dead letters are kept before the oldest is removed (it is the only copy); a number from 1 to 10000000",
    )
    windows_event_ids: Annotated[tuple[str, ...] | None, BeforeValidator(parse_event_ids)] = Field(
        None,
        description='Windows event ids to forward, each from 0 to 65535: a list like ["+4768", "-1100"] adds to and removes from the default, '
        "a list without signs replaces it",
    )

    @property
    def event_ids(self) -> frozenset[str]:
        """The ids of all Windows events that are forwarded, as texts."""
        return resolve_event_ids(self.windows_event_ids)
