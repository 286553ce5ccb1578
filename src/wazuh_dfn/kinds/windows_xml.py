"""Rebuilds the Windows Event XML from the JSON that Wazuh made of it (kinds/CONTRACT.md, "Windows Event XML")."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from wazuh_dfn.lines.values import child, event_id_text, section
from wazuh_dfn.lines.xml_text import elements, escape_attribute, escape_attributes, escape_texts, replace_forbidden, xml_name

_EVENT = "http://schemas.microsoft.com/win/2004/08/events/event"
_EVENTLOG = "http://manifests.microsoft.com/win/2004/08/windows/eventlog"

_LOGGING_SHUT_DOWN = "1100"
_LOG_CLEARED = "1102"
_WITH_ADDRESS = frozenset({"4625", "4768", "4771"})
"""Events for which the receiver expects an address and a port. Wazuh drops both when Windows wrote `-`."""
_ADDRESS = ("ipAddress", "ipPort")

_ATTRIBUTES = ("providerName", "providerGuid", "eventSourceName", "systemTime", "processID", "threadID")
_ELEMENTS = {
    "eventID": "EventID",
    "version": "Version",
    "level": "Level",
    "task": "Task",
    "opcode": "Opcode",
    "keywords": "Keywords",
    "eventRecordID": "EventRecordID",
    "channel": "Channel",
    "computer": "Computer",
}


def event_xml(alert: Mapping[str, Any]) -> str:
    """Return the event as XML on one line.

    It is well-formed whatever the alert holds, and nothing raises. Line feeds and tabs in values are kept in their texts.
    """
    win = section(alert, "data", "win")
    system = section(win, "system")
    return replace_forbidden(f'<Event xmlns="{_EVENT}">{_system(system)}{_payload(win, event_id_text(system.get("eventID")))}</Event>')


def has_payload(alert: Mapping[str, Any]) -> bool:
    """Return whether the payload is as expected.

    Otherwise the record is sent without one, and a warning is due. Only an event that carries its payload in `eventdata` can lack it: 1100
    has a fixed payload, and 1102 may have none.
    """
    win = section(alert, "data", "win")
    if child(win, "eventdata") is not None:
        return True
    return event_id_text(section(win, "system").get("eventID")) in {_LOGGING_SHUT_DOWN, _LOG_CLEARED}


def _system(system: Mapping[str, Any]) -> str:
    name, guid, source, created, process, thread = escape_attributes([system.get(key, "") for key in _ATTRIBUTES])
    fields = elements(_ELEMENTS.values(), escape_texts([system.get(key, "") for key in _ELEMENTS]))
    *up_to_keywords, number, channel, computer = fields
    return "".join(
        (
            f'<System><Provider Name="{name}"',
            f' Guid="{guid}"' if "providerGuid" in system else "",
            f' EventSourceName="{source}"' if "eventSourceName" in system else "",
            " />",
            *up_to_keywords,
            f'<TimeCreated SystemTime="{created}" />' if "systemTime" in system else "<TimeCreated />",
            number,
            f'<Correlation /><Execution ProcessID="{process}" ThreadID="{thread}" />',
            channel,
            computer,
            "<Security /></System>",
        ),
    )


def _payload(win: Mapping[str, Any], event_id: str) -> str:
    cleared = child(win, "logFileCleared")
    if event_id == _LOG_CLEARED and cleared is not None:
        return _log_file_cleared(cleared)
    eventdata = child(win, "eventdata")
    if eventdata is not None:  # also for 1100 and 1102, because other providers, such as AD FS, use these IDs for other events
        return _event_data(eventdata, with_address=event_id in _WITH_ADDRESS)
    return f'<UserData><ServiceShutdown xmlns="{_EVENTLOG}" /></UserData>' if event_id == _LOGGING_SHUT_DOWN else ""


def _log_file_cleared(cleared: Mapping[str, Any]) -> str:
    fields = "".join(elements(map(xml_name, map(_raised, cleared)), escape_texts(cleared.values())))
    tag = f'LogFileCleared xmlns="{_EVENTLOG}"'
    return f"<UserData><{tag}>{fields}</LogFileCleared></UserData>" if fields else f"<UserData><{tag} /></UserData>"


def _event_data(eventdata: Mapping[str, Any], *, with_address: bool) -> str:
    if with_address:
        missing = {key: "-" for key in _ADDRESS if key not in eventdata and _raised(key) not in eventdata}
        eventdata = {**eventdata, **missing}
    data = "".join(map(_data, eventdata, escape_texts(eventdata.values())))
    return f"<EventData>{data}</EventData>" if data else "<EventData />"


def _data(key: str, text: str) -> str:
    tag = _short_tag(key) if len(key) <= _SHORT_KEY else _data_tag(key)
    return f"{tag}>{text}</Data>" if text else f"{tag} />"


def _data_tag(key: str) -> str:
    return f'<Data Name="{escape_attribute(_raised(key))}"'


_SHORT_KEY = 64
_short_tag = lru_cache(maxsize=256)(_data_tag)
"""Cached because the fields of all forwarded events have some hundred names in total. Long keys are not such names, and are not cached."""


def _raised(key: str) -> str:
    """Undo Wazuh's change of field names, whose first letter it lowers."""
    return key[:1].upper() + key[1:]
