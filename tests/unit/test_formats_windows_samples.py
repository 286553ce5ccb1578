r"""Events as Windows writes them, as Wazuh puts them into its alerts, and as they go out: all that Windows wrote is there again.

What Wazuh does on its way: it drops fields that are empty, `-` or `(NULL)`, and the attributes of Correlation and Security; it
writes `\\` and `\"` for a backslash and a quote and leaves `&lt;` `&gt;` `&amp;` as they are; the agent turns line breaks into spaces.
"""

import html
import json
import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from support.alerts import ordinary_alert
from support.kinds import build
from wazuh_dfn.config.event_ids import DEFAULT_EVENT_IDS
from wazuh_dfn.kinds.windows import EventIds
from wazuh_dfn.lines.parse import parse_alert

AUDITING = ("Microsoft-Windows-Security-Auditing", "{54849625-5478-4994-a5ba-3e3b0328c30d}")
EVENTLOG = ("Microsoft-Windows-Eventlog", "{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}")
MANIFEST = "http://manifests.microsoft.com/win/2004/08/windows/eventlog"
DROPPED = {"", "-", "(NULL)"}


def original(event_id, payload, *, provider=AUDITING, level=0, correlation="<Correlation/>", computer="dc-1.example.org"):
    name, guid = provider
    return (
        f"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='{name}' Guid='{guid}'/>"
        f"<EventID>{event_id}</EventID><Version>0</Version><Level>{level}</Level><Task>12544</Task><Opcode>0</Opcode>"
        "<Keywords>0x8010000000000000</Keywords><TimeCreated SystemTime='2024-02-03T04:05:06.7890123Z'/>"
        f"<EventRecordID>4711</EventRecordID>{correlation}<Execution ProcessID='624' ThreadID='2216'/><Channel>Security</Channel>"
        f"<Computer>{computer}</Computer><Security UserID='S-1-5-18'/></System>{payload}</Event>"
    )


def system(event_id, *, provider=AUDITING, level=0, computer="dc-1.example.org"):
    name, guid = provider
    return {
        "providerName": name,
        "providerGuid": guid,
        "eventID": str(event_id),
        "version": "0",
        "level": str(level),
        "task": "12544",
        "opcode": "0",
        "keywords": "0x8010000000000000",
        "systemTime": "2024-02-03T04:05:06.7890123Z",
        "eventRecordID": "4711",
        "processID": "624",
        "threadID": "2216",
        "channel": "Security",
        "computer": computer,
        "severityValue": "AUDIT_SUCCESS",
        "message": '"A text that Windows made for people.\r\n\r\nSubject:\r\n\tSecurity ID:\t\tS-1-5-18"',
    }


def data(**fields):
    return "<EventData>" + "".join(f"<Data Name='{name}'>{text}</Data>" for name, text in fields.items()) + "</EventData>"


EVENTS = {
    "1100, which is nothing but its name": (
        original(
            1100,
            f"<UserData><ServiceShutdown xmlns='{MANIFEST}'></ServiceShutdown></UserData>",
            provider=EVENTLOG,
            level=4,
            computer="WS-7",
        ),
        {"system": system(1100, provider=EVENTLOG, level=4, computer="WS-7")},
    ),
    "1102, whose fields are elements": (
        original(
            1102,
            f"<UserData><LogFileCleared xmlns='{MANIFEST}'><SubjectUserSid>S-1-5-21-1-2-3-500</SubjectUserSid>"
            "<SubjectUserName>bob</SubjectUserName><SubjectDomainName>EXAMPLE</SubjectDomainName>"
            "<SubjectLogonId>0x2e1a4</SubjectLogonId></LogFileCleared></UserData>",
            provider=EVENTLOG,
            level=4,
        ),
        {
            "system": system(1102, provider=EVENTLOG, level=4),
            "logFileCleared": {
                "subjectUserSid": "S-1-5-21-1-2-3-500",
                "subjectUserName": "bob",
                "subjectDomainName": "EXAMPLE",
                "subjectLogonId": "0x2e1a4",
            },
        },
    ),
    "4625 over the network": (
        original(
            4625,
            data(
                SubjectUserSid="S-1-0-0",
                SubjectUserName="-",
                TargetUserName="alice",
                Status="0xc000006d",
                FailureReason="%%2313",
                LogonProcessName="NtLmSsp ",
                KeyLength="0",
                ProcessName="-",
                IpAddress="192.0.2.77",
                IpPort="50123",
            ),
            correlation="<Correlation ActivityID='{aaaaaaaa-1111-2222-3333-444444444444}'/>",
        ),
        {
            "system": system(4625),
            "eventdata": {
                "subjectUserSid": "S-1-0-0",
                "targetUserName": "alice",
                "status": "0xc000006d",
                "failureReason": "%%2313",
                "logonProcessName": "NtLmSsp",
                "keyLength": "0",
                "ipAddress": "192.0.2.77",
                "ipPort": "50123",
            },
        },
    ),
    "4625 of a local process, without an address": (
        original(4625, data(TargetUserName="d&amp;d", ProcessName="C:\\Windows\\System32\\svchost.exe", IpAddress="-", IpPort="-")),
        {
            "system": system(4625),
            "eventdata": {"targetUserName": "d&amp;d", "processName": r"C:\\Windows\\System32\\svchost.exe"},
        },
    ),
    "4672 with a list over several lines": (
        original(
            4672, data(SubjectUserName="svc$", PrivilegeList="SeSecurityPrivilege\r\n\t\t\tSeBackupPrivilege\r\n\t\t\tSeDebugPrivilege")
        ),
        {
            "system": system(4672),
            "eventdata": {
                "subjectUserName": "svc$",
                "privilegeList": "SeSecurityPrivilege      SeBackupPrivilege      SeDebugPrivilege",
            },
        },
    ),
    "4697 with quotes and backslashes": (
        original(4697, data(ServiceName="helper", ServiceFileName='"C:\\Program Files\\Helper\\h.exe" -k "a b"', ServiceType="0x10")),
        {
            "system": system(4697),
            "eventdata": {
                "serviceName": "helper",
                "serviceFileName": r"\"C:\\Program Files\\Helper\\h.exe\" -k \"a b\"",
                "serviceType": "0x10",
            },
        },
    ),
    "4698 with a task that is XML itself": (
        original(
            4698,
            data(
                TaskName="\\Clean up",
                TaskContent='&lt;?xml version="1.0"?&gt;\r\n&lt;Task&gt;\r\n  &lt;Arguments&gt;/c dir &amp;gt; %TEMP%\\x 2&amp;gt;&amp;amp;1'
                "&lt;/Arguments&gt;\r\n&lt;/Task&gt;",
            ),
        ),
        {
            "system": system(4698),
            "eventdata": {
                "taskName": r"\\Clean up",
                "taskContent": r"&lt;?xml version=\"1.0\"?&gt;  &lt;Task&gt;    &lt;Arguments&gt;/c dir &amp;gt; %TEMP%\\x 2&amp;gt;&amp;amp;1"
                "&lt;/Arguments&gt;  &lt;/Task&gt;",
            },
        },
    ),
    "4720 with letters beyond ASCII": (
        original(
            4720,
            data(TargetUserName="jürgen.süß", DisplayName="Jürgen Süß 東京 \U0001f600", UserParameters="(NULL)", SamAccountName="jsuess"),
        ),
        {
            "system": system(4720),
            "eventdata": {
                "targetUserName": "jürgen.süß",
                "displayName": "Jürgen Süß 東京 \U0001f600",
                "samAccountName": "jsuess",
            },
        },
    ),
    "4771 without an address": (
        original(4771, data(TargetUserName="bob", Status="0x18", PreAuthType="2", IpAddress="-", IpPort="")),
        {"system": system(4771), "eventdata": {"targetUserName": "bob", "status": "0x18", "preAuthType": "2"}},
    ),
    "4719, to which Wazuh adds texts of its own": (
        original(4719, data(SubjectUserName="DC-1$", CategoryId="%%8274", SubcategoryId="%%12804", AuditPolicyChanges="%%8448, %%8450")),
        {
            "system": system(4719),
            "eventdata": {
                "subjectUserName": "DC-1$",
                "categoryId": "%%8274",
                "subcategoryId": "%%12804",
                "auditPolicyChangesId": "%%8448, %%8450",
                "category": "Object Access",
                "subcategory": "Other Object Access Events",
                "auditPolicyChanges": "Success removed, Failure removed",
            },
        },
    ),
}


def without_wazuhs_escapes(text):
    return html.unescape(re.sub(r"\\([\\\"])", r"\1", text))


def fields(xml, undo=str):
    """Give each field of an event by its name, white space made uniform."""
    found = {}
    for element in ET.fromstring(xml).iter():
        name = element.tag.split("}")[1]
        if name in {"Correlation", "Security"}:
            continue
        if name == "Data":
            found[element.get("Name")] = element.text
        else:
            found[name] = element.text
            found |= {f"{name}@{attribute}": value for attribute, value in element.items()}
    return {name: " ".join(undo(text or "").split()) for name, text in found.items()}


@pytest.mark.parametrize("name", EVENTS)
def test_all_that_windows_wrote_goes_out(name):
    xml, win = EVENTS[name]
    line = json.dumps(ordinary_alert(data={"win": win})).encode()
    record = json.loads(build("windows", parse_alert(line), datetime.now(UTC)))
    wrote, sent = fields(xml), fields(record["event_raw"], without_wazuhs_escapes)
    if wrote["EventID"] == "4719":  # Wazuh keeps the original under another name
        sent["AuditPolicyChanges"] = sent.pop("AuditPolicyChangesId")
        del sent["Category"], sent["Subcategory"]
    appended = {name for name, text in sent.items() if text == "-"}
    assert appended <= {"IpAddress", "IpPort"}
    assert {name: text for name, text in sent.items() if name not in appended} == {
        name: text for name, text in wrote.items() if text not in DROPPED or name in sent.keys() - appended
    }
    assert record["data"]["win"] == win


@pytest.mark.parametrize("name", EVENTS)
def test_these_events_are_selected_as_the_event_id_says(name):
    _, win = EVENTS[name]
    assert EventIds(DEFAULT_EVENT_IDS | {"4771"}).selects(ordinary_alert(data={"win": win}))


@pytest.mark.parametrize("event_id", ["4625", "4771"])
def test_both_address_fields_are_there_although_wazuh_dropped_them(event_id):
    for _, win in EVENTS.values():
        if win["system"]["eventID"] == event_id:
            sent = fields(json.loads(build("windows", ordinary_alert(data={"win": win}), datetime.now(UTC)))["event_raw"])
            assert sent["IpAddress"]
            assert sent["IpPort"]
