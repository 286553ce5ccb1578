"""Format of the feedback (kinds/CONTRACT.md, "Feedback to Wazuh"): messages `1:LOCATION:JSON` for Wazuh's queue."""

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
    """Builds the messages.

    Nothing raises for an alert from `parse_alert`. No message is longer than `max_bytes`. A description that is too long loses its end. A
    delivery confirmation has nothing that could be cut without making it wrong, so a confirmation that is too long is not built.
    """

    integration: str = "dfn"
    max_bytes: int = 65_535

    def delivered(self, kind: Kind, alert: Mapping[str, Any]) -> bytes | None:
        """Return the message that the alert's record of this kind was acknowledged, or None if it would be too long."""
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
        """Return the message that reports an error."""
        return self._described({"error": _UNAVAILABLE, "description": text, "integration": self.integration})

    def description(self, text: str) -> bytes:
        """Return a message with another text, such as that the feedback begins."""
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
        kept = text[: max(0, len(text) - excess - len(_CUT))]  # each character takes at least one byte
        return _message(self.integration, content | {"description": kept + _CUT})


def _message(location: str, content: Mapping[str, Any]) -> bytes:
    return b"1:%b:%b" % (location.encode("utf-8", "replace"), json_bytes(content))
