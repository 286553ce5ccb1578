"""What Wazuh is told (kinds/CONTRACT.md, "Feedback to Wazuh"): messages `1:LOCATION:JSON` for its queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wazuh_dfn.kinds.kind import Kind
from wazuh_dfn.lines.values import json_bytes, section, value_text

_UNAVAILABLE = 503
_CUT = "..."


@dataclass(frozen=True, slots=True)
class FeedbackFormat:
    """Builds the messages; none is longer than `max_bytes`, and nothing raises for what `parse_alert` returned.

    A description that is too long loses its end. What tells of a delivery has nothing that could be cut without lying: if it is too
    long, there is none.
    """

    integration: str = "dfn"
    max_bytes: int = 65_535

    def delivered(self, kind: Kind, alert: Mapping[str, Any]) -> bytes | None:
        """Tell that the alert's record of this kind was acknowledged; None if the message would be too long."""
        content = {
            "integration": self.integration,
            "alert_id": alert.get("id"),
            "agent_name": section(alert, "agent").get("name"),
            "dfn": {
                "event_format": kind.event_format,
                "event_id": None,
                "win_timestamp": None,
                **kind.feedback(alert),
                "wz_timestamp": alert.get("timestamp"),
            },
        }
        message = _message(self._agent_location(alert), content)
        return message if len(message) <= self.max_bytes else None

    def error(self, text: str) -> bytes:
        """Tell of an error."""
        return self._described({"error": _UNAVAILABLE, "description": text, "integration": self.integration})

    def description(self, text: str) -> bytes:
        """Tell something else, such as that the feedback begins."""
        return self._described({"integration": self.integration, "description": text})

    def _agent_location(self, alert: Mapping[str, Any]) -> str:
        agent = section(alert, "agent")
        number, name = value_text(agent.get("id")), value_text(agent.get("name"))
        if not number or not name:
            return self.integration
        place = f"[{number}] ({name}) {value_text(agent.get('ip')) or 'any'}"
        return f"{place.replace('|', '||').replace(':', '|:')}->{self.integration}"

    def _described(self, content: dict[str, Any]) -> bytes:
        message = _message(self.integration, content)
        excess = len(message) - self.max_bytes
        if excess <= 0:
            return message
        text = str(content["description"])
        kept = text[: max(0, len(text) - excess - len(_CUT))]  # each character is a byte at least
        return _message(self.integration, content | {"description": kept + _CUT})


def _message(location: str, content: Mapping[str, Any]) -> bytes:
    return b"1:%b:%b" % (location.encode("utf-8", "replace"), json_bytes(content))
