"""The fail2ban record (kinds/CONTRACT.md, "Syslog messages")."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given

from support.alerts import FAIL2BAN_LOG, fail2ban_alert, odd_alerts
from support.kinds import build
from wazuh_dfn.kinds.fail2ban import syslog_fields


def test_the_example_of_the_contract():
    assert orjson.loads(build("fail2ban", fail2ban_alert(), datetime.now(UTC))) == {
        "timestamp": "2024-01-01T00:01:00.000+0000",
        "event_format": "syslog5424-json",
        "event_forward": True,
        "event_parser": "wazuh",
        "event_source": "soc-agent",
        "hostName": "mail-1",
        "structuredData": "",
        "appName": "fail2ban.actions",
        "appInst": "fail2ban.actions",
        "procId": "1235",
        "facility": "4",
        "severity": 5,
        "priority": 37,
        "event_raw": "<37> 1 2024-01-01 00:01:00,000 fail2ban.actions [1235]: NOTICE [sshd] Ban 192.0.2.2",
        "body": "NOTICE [sshd] Ban 192.0.2.2",
    }


@pytest.mark.parametrize(
    ("text", "severity"),
    [("NOTICE", 5), ("WARNING", 4), ("ERROR", 3), ("INFO", 6), ("CRITICAL", 6), ("notice", 6), ("", 6), (None, 6), (5, 6), (["ERROR"], 6)],
)
def test_the_severity_is_a_number_and_the_priority_follows_from_it(text, severity):
    fields = syslog_fields(fail2ban_alert(severity=text))
    assert (fields["severity"], fields["priority"], fields["facility"]) == (severity, 32 + severity, "4")
    assert fields["event_raw"].startswith(f"<{32 + severity}> 1 2024-01-01")


@pytest.mark.parametrize(
    ("full_log", "log"),
    [
        (FAIL2BAN_LOG, FAIL2BAN_LOG[10:]),
        ("fail2ban", ""),
        ("fail2ban.actions: x", "ctions: x"),
        ("2024 fail2ban: x", "2024 fail2ban: x"),
        (" fail2ban: x", " fail2ban: x"),
        ("", ""),
        (None, ""),
        (17, ""),
        (["fail2ban: x"], ""),
    ],
)
def test_the_log_loses_its_first_ten_characters_only_if_it_begins_with_fail2ban(full_log, log):
    assert syslog_fields(fail2ban_alert() | {"full_log": full_log})["event_raw"] == f"<37> 1 {log}"


def test_without_a_log_the_event_ends_after_the_version():
    alert = fail2ban_alert()
    del alert["full_log"]
    fields = syslog_fields(alert)
    assert fields["event_raw"] == fields["body"] == "<37> 1 "


def test_the_body_begins_at_the_first_occurrence_of_the_severity():
    alert = fail2ban_alert() | {"full_log": "fail2ban: NOTICE a NOTICE b"}
    assert syslog_fields(alert)["body"] == "NOTICE a NOTICE b"


@pytest.mark.parametrize("severity", ["", None, "WARNING"])
def test_the_body_is_all_of_the_event_if_the_severity_is_empty_or_not_in_it(severity):
    fields = syslog_fields(fail2ban_alert(severity=severity))
    assert fields["body"] == fields["event_raw"]


def test_the_body_is_all_of_the_event_if_there_is_no_severity():
    alert = fail2ban_alert()
    del alert["data"]["severity"]
    fields = syslog_fields(alert)
    assert fields["body"] == fields["event_raw"]
    assert fields["priority"] == 38


def test_a_missing_process_id_leaves_the_field_out():
    alert = fail2ban_alert()
    del alert["data"]["pid"]
    assert "procId" not in syslog_fields(alert)


@pytest.mark.parametrize(("pid", "process"), [("1235", "1235"), (1235, 1235), (None, ""), ([1, {"a": None}], '[1,{"a":null}]')])
def test_fields_keep_their_type_but_hold_no_structure(pid, process):
    assert syslog_fields(fail2ban_alert(pid=pid))["procId"] == process


@pytest.mark.parametrize("agent", [None, {}, [], "mail-1", {"name": None}, {"name": ""}])
def test_a_missing_host_name_is_empty(agent):
    assert syslog_fields(fail2ban_alert() | {"agent": agent})["hostName"] == ""


@given(odd_alerts)
def test_the_fields_are_those_of_the_contract_whatever_the_alert_holds(alert):
    fields = syslog_fields(alert)
    names = {"hostName", "structuredData", "appName", "appInst", "facility", "severity", "priority", "event_raw", "body"}
    assert set(fields) - {"procId"} == names
    assert not any(isinstance(value, dict | list | None) for value in fields.values())
    assert fields["event_raw"].endswith(fields["body"])
