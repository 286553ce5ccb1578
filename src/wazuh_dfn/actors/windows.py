"""The actor for Windows Security events (contract section 3a)."""

from __future__ import annotations

import re

import structlog

from wazuh_dfn.actors.transform import TransformActor
from wazuh_dfn.formats.windows_xml import has_payload
from wazuh_dfn.messages import Alert

_WAZUH_ID = re.compile(r"\d{1,12}\.\d{1,20}")
"""How Wazuh numbers alerts; anything else in its place is content, which does not belong into the log."""
log = structlog.get_logger(__name__)


class WindowsActor(TransformActor):
    """Windows alerts to Windows Event XML records."""

    def inspect(self, alert: Alert) -> None:
        """Warn about an event without payload; it is sent all the same."""
        if not has_payload(alert.content):
            given = str(alert.content.get("id"))
            alert_id = given if _WAZUH_ID.fullmatch(given) else None
            log.warning("Windows event without eventdata, sent without payload", alert_id=alert_id, offset=alert.offset)
            self._feedback.error("payload", f"Windows event without eventdata, sent without payload: alert {alert_id}")
