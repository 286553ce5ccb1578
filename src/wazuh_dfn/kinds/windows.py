"""Windows Security events as Windows Event XML (kinds/CONTRACT.md, "Windows events")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog

from wazuh_dfn.config.settings import Settings
from wazuh_dfn.delivery.dead_letter_store import DeadLetterStore
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.kinds.kind import Complain, Content
from wazuh_dfn.kinds.transform_actor import TransformActor
from wazuh_dfn.kinds.windows_xml import event_xml, has_payload
from wazuh_dfn.lines.candidates import occurrences
from wazuh_dfn.lines.values import event_id_text, section, value_text
from wazuh_dfn.messages import Alert, RecordBatch
from wazuh_dfn.supervision.mailbox import Mailbox

_KEY = b'"eventID"'
_PLAIN_VALUE = re.compile(rb':"([0-9]++)"')
"""The form in which Wazuh writes the value, which is tried first."""
_VALUE = re.compile(
    rb"""
    [ \t\r]* : [ \t\r]*
    (?: " (?P<text> [^"\\\n]*+ ) "              # a text without escapes
      | (?P<integer> [0-9]++ ) (?! [.eE] )
      | (?P<unclear> ["0-9-] )                  # a text with escapes or without an end, a fraction, an exponent, a minus sign
    )
    """,
    re.VERBOSE,
)
"""What can follow the key if its value can be an event ID. Other values (null, true, objects, lists) never are."""
_WAZUH_ID = re.compile(r"\d{1,12}\.\d{1,20}")
"""Form of Wazuh's alert IDs. Anything else in that field is content, which must not be logged."""
log = structlog.get_logger(__name__)


class Windows:
    """Implements `Kind`."""

    name = "windows"
    event_format = "windows-xml"

    def rule(self, settings: Settings) -> EventIds:
        """See `Kind`."""
        return EventIds(settings.wazuh.event_ids, frozenset(each.casefold() for each in settings.wazuh.windows_channels))

    def fields(self, alert: Content) -> dict[str, Any]:
        """See `Kind`."""
        xml = event_xml(alert)
        return {"event_raw": xml, "body": xml, "data": alert.get("data")}

    def feedback(self, alert: Content) -> dict[str, Any]:
        """See `Kind`."""
        system = section(alert, "data", "win", "system")
        return {"event_id": system.get("eventID"), "win_timestamp": system.get("systemTime")}

    def actor(self, ledger: Ledger, dead_letters: DeadLetterStore, outbox: Mailbox[RecordBatch], complain: Complain) -> WindowsActor:
        """See `Kind`."""
        return WindowsActor(self, ledger, dead_letters, outbox, complain)


class WindowsActor(TransformActor):
    """Transforms Windows events and warns of an event without payload, which is sent all the same."""

    def inspect(self, alert: Alert) -> None:
        """Warn of an event without payload (see `TransformActor`)."""
        if not has_payload(alert.content):
            given = str(alert.content.get("id"))
            alert_id = given if _WAZUH_ID.fullmatch(given) else None
            log.warning("Windows event without eventdata, sent without payload", alert_id=alert_id, offset=alert.offset)
            self.complain("payload", f"Windows event without eventdata, sent without payload: alert {alert_id}")


@dataclass(frozen=True, slots=True)
class EventIds:
    """Implements `Rule`: selects by event ID, and by channel if there are `channels` (casefolded, as Windows ignores their case).

    The IDs are decimal numbers without leading zeros. Their number hardly affects the speed.
    """

    event_ids: frozenset[str]
    channels: frozenset[str] = frozenset()

    def occurrences(self, data: bytes) -> Iterator[int]:
        """See `Rule`."""
        for offset in occurrences(data, _KEY):
            if self._can_be_wanted(data, offset + len(_KEY)):
                yield offset

    def selects(self, alert: Content) -> bool:
        """See `Rule`."""
        system = section(alert, "data", "win", "system")
        if event_id_text(system.get("eventID")) not in self.event_ids:
            return False
        return not self.channels or value_text(system.get("channel")).casefold() in self.channels

    def _can_be_wanted(self, data: bytes, offset: int) -> bool:
        plain = _PLAIN_VALUE.match(data, offset)
        if plain is not None:
            return plain[1].decode() in self.event_ids
        value = _VALUE.match(data, offset)
        if value is None:
            return False
        text = value["integer"] if value["text"] is None else value["text"]
        # The text is read as the parser and `selects` will read it. A set makes long lists as fast as short ones.
        return text is None or event_id_text(text.decode("utf-8", "replace")) in self.event_ids
