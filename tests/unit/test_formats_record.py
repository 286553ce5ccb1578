"""The value of the Kafka record (kinds/CONTRACT.md, "Records"), whole."""

import json
import time
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.alerts import fail2ban_alert, json_values, odd_alerts, windows_alert
from support.kinds import build
from wazuh_dfn.config.delivery_sections import KafkaSettings
from wazuh_dfn.errors import MalformedLineError
from wazuh_dfn.kinds.record import wazuh_time
from wazuh_dfn.kinds.windows_xml import event_xml
from wazuh_dfn.lines.parse import MAX_DEPTH, parse_alert
from wazuh_dfn.messages import LINE_LIMIT_BYTES

NOW = datetime(2024, 1, 1, 0, 1, 0, 987654, tzinfo=UTC)


@pytest.fixture
def zone(monkeypatch):
    """Set the local zone; POSIX counts west of Greenwich as positive."""

    def change(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


def test_a_windows_record_has_the_fields_of_the_contract():
    alert = windows_alert()
    xml = event_xml(alert)
    assert orjson.loads(build("windows", alert, NOW)) == {
        "timestamp": "2024-01-01T00:01:00.456+0000",
        "event_raw": xml,
        "body": xml,
        "event_format": "windows-xml",
        "event_forward": True,
        "event_parser": "wazuh",
        "event_source": "soc-agent",
        "data": alert["data"],
    }


def test_an_alert_that_is_both_gives_a_record_of_each_kind():
    alert = fail2ban_alert(win=windows_alert()["data"]["win"])
    assert orjson.loads(build("windows", alert, NOW))["event_format"] == "windows-xml"
    assert orjson.loads(build("fail2ban", alert, NOW))["event_format"] == "syslog5424-json"


@pytest.mark.parametrize("kind", ["windows", "fail2ban"])
@pytest.mark.parametrize("timestamp", ["2024-05-06T07:08:09.010+0200", "yesterday", 1704067260, 1704067260.5])
def test_the_timestamp_is_the_alerts_own(kind, timestamp):
    alert = windows_alert() | {"timestamp": timestamp}
    assert orjson.loads(build(kind, alert, NOW))["timestamp"] == timestamp


@pytest.mark.parametrize("kind", ["windows", "fail2ban"])
@pytest.mark.parametrize("timestamp", [None, "", "  ", [], {}, True, ["2024-05-06T07:08:09.010+0200"]])
def test_without_a_timestamp_it_is_the_time_of_reading(kind, timestamp):
    alert = windows_alert() | {"timestamp": timestamp}
    assert orjson.loads(build(kind, alert, NOW))["timestamp"] == wazuh_time(NOW)
    del alert["timestamp"]
    assert orjson.loads(build(kind, alert, NOW))["timestamp"] == wazuh_time(NOW)


@pytest.mark.parametrize(
    ("name", "text"),
    [("UTC0", "2024-01-01T00:01:00.987+0000"), ("CET-1", "2024-01-01T01:01:00.987+0100"), ("NST3:30", "2023-12-31T20:31:00.987-0330")],
)
def test_times_are_written_as_wazuh_does_in_the_local_zone(zone, name, text):
    zone(name)
    assert wazuh_time(NOW) == text
    assert wazuh_time(NOW.astimezone(timezone(timedelta(hours=9)))) == text


def test_milliseconds_are_cut_and_padded(zone):
    zone("UTC0")
    assert wazuh_time(datetime(2024, 1, 1, 0, 1, 0, 7999, tzinfo=UTC)) == "2024-01-01T00:01:00.007+0000"


def test_text_goes_out_as_utf8():
    assert "Zürich".encode() in build("windows", windows_alert({"a": "Zürich"}), NOW)


def test_integers_over_64_bits_go_out_with_all_their_digits():
    digits = "123456789012345678901234567890"
    line = orjson.dumps(windows_alert({"a": "NUMBER"})).replace(b'"NUMBER"', digits.encode())
    value = build("windows", parse_alert(line), NOW)
    assert f'"eventdata":{{"a":{digits}}}'.encode() in value
    assert f">{digits}<" in orjson.loads(value)["event_raw"]


def test_lone_surrogates_stay_the_escapes_they_were():
    line = orjson.dumps(windows_alert({"aKEY": "VALUE", "b": "ä\n\\ud800"})).replace(b"KEY", rb"\udc00").replace(b"VALUE", rb"\ud800x")
    value = build("windows", parse_alert(line), NOW)
    value.decode("utf-8", "strict")
    assert json.loads(value)["data"] == json.loads(line)["data"]


@pytest.mark.parametrize("kind", ["windows", "fail2ban"])
@pytest.mark.parametrize("levels", [200, 254, 255, 300, MAX_DEPTH - 5])
def test_nesting_up_to_the_limit_goes_out_as_it_came_in(kind, levels):
    deep = b'{"a":' + b"[" * levels + b"1" + b"]" * levels + b"}"
    line = orjson.dumps(windows_alert()).replace(b'"alice"', deep[5:-1])
    alert = parse_alert(line)
    assert alert["data"]["win"]["eventdata"]["targetUserName"]
    record = json.loads(build(kind, alert, NOW))
    assert kind == "fail2ban" or record["data"] == alert["data"]


@pytest.mark.parametrize("number", ["1e400", "-1e400", "7" * 5000, "1E-400", "-0", "-0.0"])
def test_extreme_numbers_never_make_the_record_invalid(number):
    line = orjson.dumps(windows_alert({"a": "NUMBER"}) | {"timestamp": "NUMBER"}).replace(b'"NUMBER"', number.encode())
    alert = parse_alert(line)
    assert orjson.loads(build("windows", alert, NOW))["data"] == alert["data"]
    orjson.loads(build("fail2ban", alert, NOW))


@settings(max_examples=200)
@given(odd_alerts, st.sampled_from(["windows", "fail2ban"]))
def test_whatever_was_parsed_gives_a_record(content, kind):
    alert = parse_alert(json.dumps(content).encode())
    record = json.loads(build(kind, alert, NOW).decode("utf-8", "strict"))
    assert record["event_forward"] is True
    assert kind == "fail2ban" or record["data"] == content["data"]


@given(st.dictionaries(st.sampled_from(["data", "timestamp", "full_log", "agent", "rule", "x"]), json_values))
def test_an_object_that_is_no_alert_gives_a_record_too(content):
    for kind in ("windows", "fail2ban"):
        json.loads(build(kind, content, NOW))


@given(st.binary(max_size=30))
def test_junk_inside_values_never_stops_a_record(junk):
    line = orjson.dumps(windows_alert({"a": "JUNK"}) | {"full_log": "JUNK"}).replace(b"JUNK", junk)
    try:
        alert = parse_alert(line)
    except MalformedLineError:
        return
    for kind in ("windows", "fail2ban"):
        json.loads(build(kind, alert, NOW).decode("utf-8", "strict"))


def test_records_of_the_largest_lines_that_wazuh_writes_fit_the_default_request_size():
    limit = KafkaSettings().max_request_size
    control = "\x01" * 65_000  # six bytes each in JSON
    ban = fail2ban_alert() | {"full_log": control, "previous_output": control * 7}
    event = windows_alert({"text": "&" * 65_000}) | {"full_log": "&" * 65_000, "previous_output": "&" * 3_200_000}
    plain = windows_alert({"text": "x" * 3_400_000})
    assert 3_000_000 < min(len(orjson.dumps(alert)) for alert in (ban, event, plain)) < LINE_LIMIT_BYTES
    sizes = [len(build("fail2ban", ban, NOW)), len(build("windows", event, NOW)), len(build("windows", plain, NOW))]
    assert max(sizes) < limit
    assert sizes[2] < 3.01 * len(orjson.dumps(plain))
    assert len(build("windows", windows_alert({"text": "&" * 65_000}), NOW)) < 11.1 * 65_000
