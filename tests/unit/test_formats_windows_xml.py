"""The Windows event as XML (kinds/CONTRACT.md, "Windows Event XML")."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.alerts import EVENTDATA, EVENTDATA_LEFT_OUT, SYSTEM, any_text, json_values, odd_alerts, windows_alert
from wazuh_dfn.kinds.windows_xml import event_xml, has_payload
from wazuh_dfn.lines.values import value_text
from wazuh_dfn.lines.xml_text import xml_name

EVENT = "http://schemas.microsoft.com/win/2004/08/events/event"
EVENTLOG = "http://manifests.microsoft.com/win/2004/08/windows/eventlog"


def add_expected_payload(event, win):
    system = win["system"]
    if system["eventID"] == "1100" and "eventdata" not in win:
        ET.SubElement(ET.SubElement(event, "UserData"), "ServiceShutdown", xmlns=EVENTLOG)
    elif system["eventID"] == "1102" and "logFileCleared" in win:
        cleared = ET.SubElement(ET.SubElement(event, "UserData"), "LogFileCleared", xmlns=EVENTLOG)
        for key, value in win["logFileCleared"].items():
            ET.SubElement(cleared, key[0].upper() + key[1:]).text = value
    elif "eventdata" in win:
        data = ET.SubElement(event, "EventData")
        for key, value in win["eventdata"].items():
            ET.SubElement(data, "Data", Name=key[:1].upper() + key[1:]).text = value
        if system["eventID"] in {"4625", "4768", "4771"}:
            for key in ("ipAddress", "ipPort"):
                if key not in win["eventdata"]:
                    ET.SubElement(data, "Data", Name="I" + key[1:]).text = "-"


def expected_xml(alert):
    """Build the tree of the contract with ElementTree, for well-formed alerts."""
    win = alert["data"]["win"]
    system = win["system"]
    event = ET.Element("Event", xmlns=EVENT)
    section = ET.SubElement(event, "System")
    provider = ET.SubElement(section, "Provider", Name=system["providerName"], Guid=system["providerGuid"])
    if "eventSourceName" in system:
        provider.set("EventSourceName", system["eventSourceName"])
    for name in ("EventID", "Version", "Level", "Task", "Opcode", "Keywords"):
        ET.SubElement(section, name).text = system.get(name[0].lower() + name[1:])
    ET.SubElement(section, "TimeCreated", {"SystemTime": system["systemTime"]} if "systemTime" in system else {})
    ET.SubElement(section, "EventRecordID").text = system.get("eventRecordID")
    ET.SubElement(section, "Correlation")
    ET.SubElement(section, "Execution", ProcessID=system.get("processID", ""), ThreadID=system.get("threadID", ""))
    ET.SubElement(section, "Channel").text = system.get("channel")
    ET.SubElement(section, "Computer").text = system.get("computer")
    ET.SubElement(section, "Security")
    add_expected_payload(event, win)
    return ET.tostring(event, encoding="unicode")


def parsed_data(alert):
    return [(data.get("Name"), data.text or "") for data in ET.fromstring(event_xml(alert)).iter(f"{{{EVENT}}}Data")]


def test_a_failed_logon_byte_for_byte():
    assert event_xml(windows_alert()) == (
        '<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System>'
        '<Provider Name="Microsoft-Windows-Security-Auditing" Guid="{11111111-2222-3333-4444-555555555555}" />'
        "<EventID>4625</EventID><Version>0</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode>"
        '<Keywords>0x8010000000000000</Keywords><TimeCreated SystemTime="2024-01-01T00:01:00.1234567Z" />'
        '<EventRecordID>4711</EventRecordID><Correlation /><Execution ProcessID="624" ThreadID="2216" />'
        "<Channel>Security</Channel><Computer>dc-1.example.org</Computer><Security /></System>"
        '<EventData><Data Name="TargetUserName">alice</Data><Data Name="LogonType">3</Data>'
        '<Data Name="IpAddress">192.0.2.7</Data><Data Name="IpPort">50123</Data></EventData></Event>'
    )


def test_an_event_source_name_follows_the_guid():
    xml = event_xml(windows_alert(eventSourceName="Old Source"))
    assert 'Guid="{11111111-2222-3333-4444-555555555555}" EventSourceName="Old Source" />' in xml


@pytest.mark.parametrize(
    ("key", "left"),
    [
        ("providerName", '<Provider Name="" Guid="{11111111-2222-3333-4444-555555555555}" />'),
        ("providerGuid", '<Provider Name="Microsoft-Windows-Security-Auditing" />'),
        ("version", "<Version />"),
        ("level", "<Level />"),
        ("task", "<Task />"),
        ("opcode", "<Opcode />"),
        ("keywords", "<Keywords />"),
        ("systemTime", "<TimeCreated />"),
        ("eventRecordID", "<EventRecordID />"),
        ("processID", '<Execution ProcessID="" ThreadID="2216" />'),
        ("threadID", '<Execution ProcessID="624" ThreadID="" />'),
        ("channel", "<Channel />"),
        ("computer", "<Computer />"),
    ],
)
def test_a_missing_field_leaves_its_element_empty_or_its_attribute_out(key, left):
    alert = windows_alert()
    del alert["data"]["win"]["system"][key]
    assert left in event_xml(alert)


def test_null_is_the_empty_text():
    xml = event_xml(windows_alert({"a": None}, providerGuid=None, systemTime=None, level=None))
    assert ' Guid="" />' in xml
    assert '<TimeCreated SystemTime="" />' in xml
    assert "<Level />" in xml
    assert '<Data Name="A" />' in xml


def test_numbers_booleans_and_structures_become_text():
    values = {"a": 1, "b": 1.5, "c": True, "d": False, "e": {"f": [1, None, "ä<"]}, "g": [], "h": 2**70, "i": ["\ud800"]}
    assert parsed_data(windows_alert(values, eventID=4672)) == [
        ("A", "1"),
        ("B", "1.5"),
        ("C", "true"),
        ("D", "false"),
        ("E", '{"f":[1,null,"ä<"]}'),
        ("G", "[]"),
        ("H", "1180591620717411303424"),
        ("I", '["\ufffd"]'),
    ]
    assert "<EventID>4672</EventID>" in event_xml(windows_alert(eventID=4672))


def test_the_fields_keep_the_alerts_order():
    assert [name for name, _ in parsed_data(windows_alert({"b": "1", "a": "2", "c": "3"}, eventID="4672"))] == ["B", "A", "C"]


def test_only_the_first_letter_of_a_name_is_raised():
    names = [name for name, _ in parsed_data(windows_alert({"subjectUserSid": "", "ID": "", "": "", "1a": "", "äb": ""}, eventID="4672"))]
    assert names == ["SubjectUserSid", "ID", "", "1a", "Äb"]


def test_backslashes_and_the_texts_that_wazuh_escaped_stay_as_they_are():
    alert = windows_alert({"a": r"C:\\Windows\\x.exe \"y\" &lt;z&gt; &amp;amp;"}, eventID="4672")
    assert r'<Data Name="A">C:\\Windows\\x.exe \"y\" &amp;lt;z&amp;gt; &amp;amp;amp;</Data>' in event_xml(alert)


def test_texts_and_attributes_are_escaped_each_in_its_way():
    xml = event_xml(windows_alert({'k"<>&\t\r\n': '"<>&\t\r\n'}, eventID="4672", processID="\"<>&'\t\r\n"))
    assert '<Data Name="K&quot;&lt;&gt;&amp;&#09;&#13;&#10;">"&lt;&gt;&amp;\t\r\n</Data>' in xml
    assert 'ProcessID="&quot;&lt;&gt;&amp;\'&#09;&#13;&#10;"' in xml


@pytest.mark.parametrize("char", [chr(code) for code in (0, 8, 0xB, 0xC, 0x1F, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF)])
def test_a_character_that_xml_forbids_is_replaced(char):
    xml = event_xml(windows_alert({f"a{char}": f"b{char}c"}, eventID="4672", computer=char, processID=char))
    assert '<Data Name="A\ufffd">b\ufffdc</Data>' in xml
    assert "<Computer>\ufffd</Computer>" in xml
    assert 'ProcessID="\ufffd"' in xml
    ET.fromstring(xml)


@pytest.mark.parametrize("char", ["\t", "\n", "\x7f", "\x85", "\u2028", "\ud7ff", "\ue000", "\ufffd", "\U0001ffff", "\U0010ffff"])
def test_all_other_characters_stay(char):
    assert parsed_data(windows_alert({"a": f"b{char}c"}, eventID="4672")) == [("A", f"b{char}c")]


@pytest.mark.parametrize("event_id", ["4625", "4768", "4771", 4625])
def test_a_dropped_address_and_port_are_appended_for_the_events_that_have_them(event_id):
    assert parsed_data(windows_alert({"a": "b"}, eventID=event_id)) == [("A", "b"), ("IpAddress", "-"), ("IpPort", "-")]
    assert parsed_data(windows_alert({"ipPort": "1", "a": "b"}, eventID=event_id)) == [("IpPort", "1"), ("A", "b"), ("IpAddress", "-")]
    assert parsed_data(windows_alert({"ipAddress": ""}, eventID=event_id)) == [("IpAddress", ""), ("IpPort", "-")]
    assert parsed_data(windows_alert({}, eventID=event_id)) == [("IpAddress", "-"), ("IpPort", "-")]


def test_an_address_under_its_raised_name_is_there():
    assert parsed_data(windows_alert({"IpAddress": "1", "IpPort": "2"}, eventID="4625")) == [("IpAddress", "1"), ("IpPort", "2")]


def test_no_address_is_appended_for_other_events_nor_where_there_is_no_payload():
    assert parsed_data(windows_alert({"a": "b"}, eventID="4672")) == [("A", "b")]
    assert parsed_data(windows_alert(EVENTDATA_LEFT_OUT, eventID="4625")) == []


def test_the_payload_of_1100_is_fixed():
    expected = f'</System><UserData><ServiceShutdown xmlns="{EVENTLOG}" /></UserData></Event>'
    assert event_xml(windows_alert(EVENTDATA_LEFT_OUT, eventID="1100")).endswith(expected)


@pytest.mark.parametrize("event_id", ["1100", "1102", 1102])
def test_event_data_of_an_event_that_is_not_what_its_id_says_is_sent(event_id):
    alert = windows_alert({"a": "b"}, eventID=event_id)
    assert event_xml(alert).endswith('</System><EventData><Data Name="A">b</Data></EventData></Event>')
    assert has_payload(alert)


def test_the_payload_of_1102_has_an_element_for_each_field():
    fields = {"subjectUserSid": "S-1-5-18", "subjectUserName": "a & b", "x": "", "n": 5}
    xml = event_xml(windows_alert(EVENTDATA_LEFT_OUT, win={"logFileCleared": fields}, eventID="1102"))
    assert xml.endswith(
        f'</System><UserData><LogFileCleared xmlns="{EVENTLOG}"><SubjectUserSid>S-1-5-18</SubjectUserSid>'
        "<SubjectUserName>a &amp; b</SubjectUserName><X /><N>5</N></LogFileCleared></UserData></Event>"
    )


def test_the_section_of_1102_comes_before_event_data():
    xml = event_xml(windows_alert({"a": "b"}, win={"logFileCleared": {"x": "y"}}, eventID="1102"))
    assert xml.endswith(f'</System><UserData><LogFileCleared xmlns="{EVENTLOG}"><X>y</X></LogFileCleared></UserData></Event>')


def test_1102_without_the_section_has_no_payload():
    assert event_xml(windows_alert(EVENTDATA_LEFT_OUT, eventID="1102")).endswith("</System></Event>")
    assert event_xml(windows_alert(EVENTDATA_LEFT_OUT, win={"logFileCleared": "text"}, eventID="1102")).endswith("</System></Event>")
    assert event_xml(windows_alert(win={"logFileCleared": {}}, eventID="1102")).endswith(
        f'<UserData><LogFileCleared xmlns="{EVENTLOG}" /></UserData></Event>'
    )


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("subjectUserSid", "subjectUserSid"),
        ("größe-1.2_x", "größe-1.2_x"),
        ("Ключ", "Ключ"),
        ("", "_"),
        ("1st", "_1st"),
        ("-a", "_-a"),
        ("a b<c>", "a_b_c_"),
        ("a:b", "a_b"),
        (":", "_"),
        ("\ud800\0", "__"),
        ("a\n", "a_"),
    ],
)
def test_a_key_that_is_no_xml_name_is_made_one(key, name):
    assert xml_name(key) == name
    ET.fromstring(f"<{name} />")


@given(st.text(st.characters(exclude_categories=()), max_size=6))
def test_every_key_makes_a_name_that_parses(key):
    assert ET.fromstring(f"<{xml_name(key)} />").tag == xml_name(key)


@pytest.mark.parametrize("eventdata", [EVENTDATA_LEFT_OUT, [], ["a"], "text", 5, False])
def test_an_event_without_event_data_has_no_payload_which_deserves_a_warning(eventdata):
    alert = windows_alert(eventdata)
    assert event_xml(alert).endswith("</System></Event>")
    assert not has_payload(alert)


def test_null_event_data_counts_as_missing():
    alert = windows_alert()
    alert["data"]["win"]["eventdata"] = None
    assert event_xml(alert).endswith("</System></Event>")
    assert not has_payload(alert)


def test_empty_event_data_is_a_payload():
    alert = windows_alert({}, eventID="4672")
    assert event_xml(alert).endswith("</System><EventData /></Event>")
    assert has_payload(alert)


@pytest.mark.parametrize("event_id", ["1100", "1102", 1102])
def test_no_warning_is_due_for_events_that_have_no_event_data_anyway(event_id):
    assert has_payload(windows_alert(EVENTDATA_LEFT_OUT, eventID=event_id))


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20).filter(
    lambda text: not re.search("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", text)
)
keys = st.sampled_from([*EVENTDATA, "subjectUserSid", "param1", "data"])
systems = st.fixed_dictionaries(
    {"eventID": st.sampled_from(["4625", "4672", "4768", "4771", "1100", "1102", "4719"]), "providerName": texts, "providerGuid": texts},
    optional={key: texts for key in [*SYSTEM, "eventSourceName"] if key not in {"eventID", "providerName", "providerGuid"}},
)


@given(systems, st.fixed_dictionaries({}, optional={key: st.dictionaries(keys, texts) for key in ("eventdata", "logFileCleared")}))
def test_well_formed_alerts_give_the_bytes_of_element_tree(system, sections):
    alert = {"data": {"win": {"system": system, **sections}}}
    assert event_xml(alert) == expected_xml(alert)


@given(odd_alerts)
def test_the_xml_parses_whatever_the_alert_holds(alert):
    xml = event_xml(alert)
    system = ET.fromstring(xml)[0]
    assert [child.tag.split("}")[1] for child in system] == (
        "Provider EventID Version Level Task Opcode Keywords TimeCreated EventRecordID Correlation Execution Channel Computer Security".split()  # noqa: SIM905
    )
    assert isinstance(has_payload(alert), bool)


def as_read(text):
    """Give a text as a parser returns it: line ends become line feeds, and what XML forbids has been replaced."""
    allowed = re.sub("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "\ufffd", text)
    return allowed.replace("\r\n", "\n").replace("\r", "\n")


@given(st.dictionaries(any_text, json_values, max_size=4), json_values)
def test_the_values_come_back_out_of_the_xml(eventdata, computer):
    alert = windows_alert(eventdata, eventID="4672", computer=computer, processID=computer)
    system = ET.fromstring(event_xml(alert))[0]
    assert (system.findtext(f"{{{EVENT}}}Computer") or "") == as_read(value_text(computer))
    execution = system.find(f"{{{EVENT}}}Execution").attrib["ProcessID"]
    assert as_read(execution) == as_read(value_text(computer))  # attributes even keep their carriage returns
    assert [text for _, text in parsed_data(alert)] == [as_read(value_text(value)) for value in eventdata.values()]
