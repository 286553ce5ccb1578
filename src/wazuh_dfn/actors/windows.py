"""The actor for Windows Security events (contract section 3a)."""

from __future__ import annotations

import structlog

from wazuh_dfn.actors.transform import TransformActor
from wazuh_dfn.formats.windows_xml import has_payload
from wazuh_dfn.messages import Alert

log = structlog.get_logger(__name__)


class WindowsActor(TransformActor):
    """Windows alerts to Windows Event XML records."""

    kind = "windows"

    def inspect(self, alert: Alert) -> None:
        """Warn about an event without payload; it is sent all the same."""
        if not has_payload(alert.content):
            log.warning("Windows event without eventdata, sent without payload", alert_id=alert.content.get("id"), offset=alert.offset)
