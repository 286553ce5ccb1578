"""What Wazuh is told, byte for byte (kinds/CONTRACT.md, "Feedback to Wazuh")."""

import json

import pytest
from hypothesis import given

from support.alerts import fail2ban_alert, odd_alerts, windows_alert
from support.kinds import FAIL2BAN, WINDOWS
from wazuh_dfn.wazuh.feedback_format import FeedbackFormat

FORM = FeedbackFormat()


def parts(message):
    """Undo Wazuh's escaping; returns the location before and after `->`, and the JSON."""
    assert message.startswith(b"1:")
    rest = message[2:].decode()
    location = ""
    while rest[0] != ":":
        taken = 2 if rest[0] == "|" else 1
        location += rest[taken - 1]
        rest = rest[taken:]
    return location, json.loads(rest[1:])


def test_a_delivered_windows_event():
    assert FORM.delivered(WINDOWS, windows_alert()) == (
        b'1:[001] (dc-1) 198.51.100.1->dfn:{"integration":"dfn","alert_id":"1704067260.1","agent_name":"dc-1",'
        b'"dfn":{"event_format":"windows-xml","event_id":"4625","win_timestamp":"2024-01-01T00:01:00.1234567Z",'
        b'"wz_timestamp":"2024-01-01T00:01:00.456+0000"}}'
    )


def test_a_delivered_ban_has_no_event_id_and_no_windows_time():
    assert FORM.delivered(FAIL2BAN, fail2ban_alert()) == (
        b'1:[002] (mail-1) 198.51.100.2->dfn:{"integration":"dfn","alert_id":"1704067260.2","agent_name":"mail-1",'
        b'"dfn":{"event_format":"syslog5424-json","event_id":null,"win_timestamp":null,"wz_timestamp":"2024-01-01T00:01:00.000+0000"}}'
    )


def test_an_error():
    assert FORM.error('no "broker"') == rb'1:dfn:{"error":503,"description":"no \"broker\"","integration":"dfn"}'


def test_a_description():
    assert FORM.description("hello") == b'1:dfn:{"integration":"dfn","description":"hello"}'


def test_the_name_of_the_integration_stands_in_all_three_places():
    form = FeedbackFormat("soc")
    assert form.error("x") == b'1:soc:{"error":503,"description":"x","integration":"soc"}'
    message = form.delivered(WINDOWS, windows_alert())
    assert message.startswith(b'1:[001] (dc-1) 198.51.100.1->soc:{"integration":"soc",')
    assert b',"dfn":{"event_format":' in message


@pytest.mark.parametrize(
    ("agent", "location"),
    [
        ({"id": "1", "name": "a", "ip": "2001:db8::1"}, b"[1] (a) 2001|:db8|:|:1->dfn"),
        ({"id": "1", "name": "a|b:c", "ip": "any"}, b"[1] (a||b|:c) any->dfn"),
        ({"id": "1", "name": "a"}, b"[1] (a) any->dfn"),
        ({"id": "1", "name": "a", "ip": None}, b"[1] (a) any->dfn"),
        ({"id": 1, "name": "\u00e4"}, "[1] (\u00e4) any->dfn".encode()),
        ({"name": "a", "ip": "192.0.2.1"}, b"dfn"),
        ({"id": "1", "ip": "192.0.2.1"}, b"dfn"),
        ({"id": "1", "name": "", "ip": "192.0.2.1"}, b"dfn"),
        ("no object", b"dfn"),
        (None, b"dfn"),
    ],
)
def test_the_location_names_the_agent_and_escapes_what_wazuh_would_split_at(agent, location):
    assert FORM.delivered(WINDOWS, windows_alert() | {"agent": agent}).startswith(b"1:" + location + b':{"integration"')


def test_what_an_alert_lacks_is_null():
    _, content = parts(FORM.delivered(WINDOWS, {}))
    assert content["alert_id"] is content["agent_name"] is None
    assert content["dfn"] == {"event_format": "windows-xml", "event_id": None, "win_timestamp": None, "wz_timestamp": None}


@given(odd_alerts)
def test_whatever_the_alert_the_message_can_be_taken_apart(alert):
    location, content = parts(FORM.delivered(WINDOWS, alert))
    assert location.split("->")[-1] == "dfn"
    assert list(content) == ["integration", "alert_id", "agent_name", "dfn"]


@pytest.mark.parametrize("text", ["x" * 70_000, "\u00fc" * 40_000, "\n" * 40_000, "\U0001f600" * 20_000])
@pytest.mark.parametrize("build", [FORM.error, FORM.description])
def test_a_description_that_is_too_long_loses_its_end(build, text):
    message = build(text)
    assert len(message) <= 65_535
    cut = parts(message)[1]["description"]
    assert cut.endswith("...")
    assert text.startswith(cut[:-3])


def test_a_description_at_the_limit_is_left_alone():
    length = 512 - len(FORM.description(""))
    form = FeedbackFormat(max_bytes=512)
    assert parts(form.description("x" * length))[1]["description"] == "x" * length
    assert len(form.description("x" * (length + 1))) == 512


def test_a_delivery_that_would_be_too_long_is_not_told():
    alert = windows_alert() | {"id": "9" * 65_535}
    assert FORM.delivered(WINDOWS, alert) is None
    assert FORM.delivered(WINDOWS, windows_alert() | {"id": "9" * 65_000}) is not None
