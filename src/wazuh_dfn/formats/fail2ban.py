"""The fail2ban event as the fields of a syslog message (contract section 3b)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wazuh_dfn.formats.values import plain_value, section, value_text

_FACILITY = 4
"""Security and authorisation messages (RFC 5424)."""

_SEVERITIES = {"NOTICE": 5, "WARNING": 4, "ERROR": 3}
_INFORMATIONAL = 6

_LOG_TAG = "fail2ban"
_LOG_TAG_LENGTH = len("fail2ban: ")


def syslog_fields(alert: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that only this kind of record has (contract section 3b); never raises."""
    data = section(alert, "data")
    severity_text = value_text(data.get("severity"))
    severity = _SEVERITIES.get(severity_text, _INFORMATIONAL)
    priority = _FACILITY * 8 + severity
    event_raw = f"<{priority}> 1 {_log(alert.get('full_log'))}"
    # An empty text is found at 0, one that does not occur at -1: both mean all of it.
    body = event_raw[max(event_raw.find(severity_text), 0) :]
    program = plain_value(data.get("program_name"))
    fields = {
        "hostName": plain_value(section(alert, "agent").get("name")),
        "structuredData": "",
        "appName": program,
        "appInst": program,
        "facility": str(_FACILITY),
        "severity": severity,
        "priority": priority,
        "event_raw": event_raw,
        "body": body,
    }
    if "pid" in data:
        fields["procId"] = plain_value(data["pid"])
    return fields


def _log(full_log: object) -> str:
    if not isinstance(full_log, str):
        return ""
    return full_log[_LOG_TAG_LENGTH:] if full_log.startswith(_LOG_TAG) else full_log
