"""The Windows event as Windows Event XML (contract section 3a), rebuilt from the JSON that Wazuh made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wazuh_dfn.formats.values import child, event_id_text, section, value_text
from wazuh_dfn.formats.xml_text import element, escape_attribute, replace_forbidden, xml_name

_EVENT = "http://schemas.microsoft.com/win/2004/08/events/event"
_EVENTLOG = "http://manifests.microsoft.com/win/2004/08/windows/eventlog"

_LOGGING_SHUT_DOWN = "1100"
_LOG_CLEARED = "1102"
_WITH_ADDRESS = frozenset({"4625", "4768", "4771"})
"""Events of which the receiver expects an address and a port; Wazuh drops both when Windows wrote `-`."""


def event_xml(alert: Mapping[str, Any]) -> str:
    """Return the event of contract section 3a on one line; well-formed XML whatever the alert holds, and nothing raises.

    The line feeds and tabs that values have stay in their texts.
    """
    system = section(alert, "data", "win", "system")
    xml = f'<Event xmlns="{_EVENT}">{_system(system)}{_payload(alert, system)}</Event>'
    return replace_forbidden(xml)


def has_payload(alert: Mapping[str, Any]) -> bool:
    """Tell whether the payload is as it should be; if not, the record goes out without one and a warning is due.

    Only an event that carries its payload in `eventdata` can lack it: 1100 has a fixed payload, and 1102 may have none.
    """
    system = section(alert, "data", "win", "system")
    if event_id_text(system.get("eventID")) in {_LOGGING_SHUT_DOWN, _LOG_CLEARED}:
        return True
    return child(section(alert, "data", "win"), "eventdata") is not None


def _system(system: Mapping[str, Any]) -> str:
    def text(key: str) -> str:
        return value_text(system.get(key))

    def attribute(name: str, key: str) -> str:
        return f' {name}="{escape_attribute(text(key))}"'

    def attribute_if_there(name: str, key: str) -> str:
        return attribute(name, key) if key in system else ""

    return "".join(
        (
            "<System><Provider",
            attribute("Name", "providerName"),
            attribute_if_there("Guid", "providerGuid"),
            attribute_if_there("EventSourceName", "eventSourceName"),
            " />",
            element("EventID", text("eventID")),
            element("Version", text("version")),
            element("Level", text("level")),
            element("Task", text("task")),
            element("Opcode", text("opcode")),
            element("Keywords", text("keywords")),
            "<TimeCreated",
            attribute_if_there("SystemTime", "systemTime"),
            " />",
            element("EventRecordID", text("eventRecordID")),
            "<Correlation /><Execution",
            attribute("ProcessID", "processID"),
            attribute("ThreadID", "threadID"),
            " />",
            element("Channel", text("channel")),
            element("Computer", text("computer")),
            "<Security /></System>",
        ),
    )


def _payload(alert: Mapping[str, Any], system: Mapping[str, Any]) -> str:
    win = section(alert, "data", "win")
    event_id = event_id_text(system.get("eventID"))
    if event_id == _LOGGING_SHUT_DOWN:
        return f'<UserData><ServiceShutdown xmlns="{_EVENTLOG}" /></UserData>'
    if event_id == _LOG_CLEARED:
        cleared = child(win, "logFileCleared")
        return "" if cleared is None else _log_file_cleared(cleared)
    eventdata = child(win, "eventdata")
    return "" if eventdata is None else _event_data(eventdata, with_address=event_id in _WITH_ADDRESS)


def _log_file_cleared(cleared: Mapping[str, Any]) -> str:
    fields = "".join(element(xml_name(_raised(key)), value_text(value)) for key, value in cleared.items())
    tag = f'LogFileCleared xmlns="{_EVENTLOG}"'
    return f"<UserData><{tag}>{fields}</LogFileCleared></UserData>" if fields else f"<UserData><{tag} /></UserData>"


def _event_data(eventdata: Mapping[str, Any], *, with_address: bool) -> str:
    fields = [(_raised(key), value_text(value)) for key, value in eventdata.items()]
    if with_address:
        names = {name for name, _ in fields}
        fields += [(name, "-") for name in ("IpAddress", "IpPort") if name not in names]
    data = "".join(element("Data", text, f' Name="{escape_attribute(name)}"') for name, text in fields)
    return f"<EventData>{data}</EventData>" if data else "<EventData />"


def _raised(key: str) -> str:
    """Undo what Wazuh does to the names of fields: it lowers their first letter."""
    return key[:1].upper() + key[1:]
