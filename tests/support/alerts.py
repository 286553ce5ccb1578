"""Alerts for the tests of the formats: ordinary ones, and hypothesis strategies for those that nobody expects."""

import json
from copy import deepcopy

from hypothesis import strategies as st

SYSTEM = {
    "providerName": "Microsoft-Windows-Security-Auditing",
    "providerGuid": "{11111111-2222-3333-4444-555555555555}",
    "eventID": "4625",
    "version": "0",
    "level": "0",
    "task": "12544",
    "opcode": "0",
    "keywords": "0x8010000000000000",
    "systemTime": "2024-01-01T00:01:00.1234567Z",
    "eventRecordID": "4711",
    "processID": "624",
    "threadID": "2216",
    "channel": "Security",
    "computer": "dc-1.example.org",
    "severityValue": "AUDIT_FAILURE",
    "message": '"Something was logged."',
}

EVENTDATA = {"targetUserName": "alice", "logonType": "3", "ipAddress": "192.0.2.7", "ipPort": "50123"}

FAIL2BAN_LOG = "fail2ban: 2024-01-01 00:01:00,000 fail2ban.actions [1235]: NOTICE [sshd] Ban 192.0.2.2"

FAIL2BAN = {
    "timestamp": "2024-01-01T00:01:00.000+0000",
    "rule": {"level": 3, "groups": ["syslog", "fail2ban"]},
    "agent": {"id": "002", "name": "mail-1", "ip": "198.51.100.2"},
    "id": "1704067260.2",
    "full_log": FAIL2BAN_LOG,
    "data": {"program_name": "fail2ban.actions", "pid": "1235", "severity": "NOTICE", "srcip": "192.0.2.2"},
    "location": "/var/log/fail2ban.log",
}

EVENTDATA_LEFT_OUT = object()


def windows_alert(eventdata=None, *, win=None, **system):
    """Give a failed logon; `system` overrides fields of the System section, and `win` adds sections."""
    sections = {"system": SYSTEM | system} | (win or {})
    if eventdata is not EVENTDATA_LEFT_OUT:
        sections["eventdata"] = EVENTDATA if eventdata is None else eventdata
    return {
        "timestamp": "2024-01-01T00:01:00.456+0000",
        "rule": {"level": 5, "groups": ["windows"]},
        "agent": {"id": "001", "name": "dc-1", "ip": "198.51.100.1"},
        "id": "1704067260.1",
        "data": {"win": sections},
        "location": "EventChannel",
    }


def fail2ban_alert(**data):
    """Give a ban; `data` overrides fields of the alert's data."""
    alert = deepcopy(FAIL2BAN)
    alert["data"] |= data
    return alert


def ordinary_alert(**fields):
    return {"timestamp": "2024-01-01T00:01:00.000+0000", "rule": {"groups": ["syslog"]}, "data": {"srcip": "192.0.2.9"}} | fields


def line(alert):
    return json.dumps(alert, separators=(",", ":")).encode()


any_text = st.text(st.characters(exclude_categories=()), max_size=12)
"""Lone surrogates, control characters and noncharacters included."""

_scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | any_text

json_values = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3), max_leaves=6)

_event_ids = st.sampled_from(["4625", " 4625\n", 4625, 4625.0, "1100", 1102, "1102", "4768", "4672", "9999", 4625.5, 10**30])
_system = st.fixed_dictionaries({"eventID": _event_ids}, optional={key: json_values for key in SYSTEM if key != "eventID"})
_fields = st.dictionaries(any_text | st.sampled_from(list(EVENTDATA)), json_values, max_size=4)
_sections = {"eventdata": _fields | json_values, "logFileCleared": _fields | json_values}
_win = st.fixed_dictionaries({"system": _system | json_values}, optional=_sections) | json_values
_data = st.fixed_dictionaries(
    {"win": _win},
    optional={
        "program_name": st.just("fail2ban.actions") | json_values,
        "pid": json_values,
        "severity": st.sampled_from(["NOTICE", "WARNING", "ERROR"]) | json_values,
        "srcip": st.sampled_from(["192.0.2.2", "8.8.8.8", "::ffff:8.8.8.8", "fe80::1%eth0"]) | json_values,
    },
)

odd_alerts = st.fixed_dictionaries(
    {"data": _data | json_values},
    optional={
        "timestamp": json_values,
        "agent": st.fixed_dictionaries({"name": json_values}) | json_values,
        "rule": st.fixed_dictionaries({"groups": st.just(["fail2ban"]) | json_values}) | json_values,
        "full_log": json_values,
    },
)
"""Alerts with any type anywhere, often close enough to the real ones to get far."""
