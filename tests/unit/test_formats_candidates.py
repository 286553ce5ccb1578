"""The scan of whole chunks: it names every line that the selection would select, the broken ones, and few others."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.alerts import fail2ban_alert, line, odd_alerts, ordinary_alert, windows_alert
from support.kinds import FAIL2BAN, WINDOWS, select
from wazuh_dfn.errors import MalformedLineError
from wazuh_dfn.lines.parse import parse_alert

SELECTION = select()
SCAN = SELECTION.scan
ORDINARY = line(ordinary_alert())


def found(*lines, scan=SCAN):
    data = b"\n".join(lines)
    return [data[start:end] for start, end in scan.candidates(data)]


def windows_line(value, key='"eventID"'):
    """Give a line with the key and the value spelled as given."""
    return b'{"timestamp":"t","data":{"win":{"system":{%s:%s}}}}' % (key.encode(), value.encode())


def test_nothing_is_found_in_nothing():
    assert found(b"") == []
    assert found(b"", b"") == []


def test_relevant_lines_are_found_among_others_in_their_order():
    windows, fail2ban = line(windows_alert()), line(fail2ban_alert())
    assert found(ORDINARY, windows, ORDINARY, ORDINARY, fail2ban, ORDINARY, b"") == [windows, fail2ban]


def test_the_spans_are_offsets_in_the_chunk_without_the_line_feed():
    windows = line(windows_alert())
    data = ORDINARY + b"\n" + windows + b"\n"
    assert list(SCAN.candidates(data)) == [(len(ORDINARY) + 1, len(data) - 1)]


def test_the_last_line_may_lack_its_line_feed():
    windows = line(windows_alert())
    assert found(windows) == found(windows, b"") == [windows]


def test_a_line_is_named_once_however_many_reasons_it_has():
    alert = fail2ban_alert(win={"system": {"eventID": "4625", "x": {"eventID": "4625"}}})
    assert found(line(alert), ORDINARY) == [line(alert)]


def test_other_events_are_not_worth_parsing():
    assert found(line(windows_alert(eventID="4624")), line(windows_alert(eventID=5156)), ORDINARY) == []


@pytest.mark.parametrize("value", ["null", "true", "{}", '{"a":"4625"}', "[4625]", '"46250"', '""', "46250", '" "'])
def test_values_that_are_no_wanted_id_are_passed_over(value):
    assert found(windows_line(value)) == []


@pytest.mark.parametrize(
    "value", ['"4625"', ' "4625"', '\t"4625"', '" 4625 "', '"\t4625"', "4625", " 4625", "4625.0", "4.625e3", "46250E-1"]
)
@pytest.mark.parametrize("key", ['"eventID"', '"eventID" ', '"eventID"\t\r ', '"event\\u0049D"', '"\\u0065ventID"'])
def test_spacing_numbers_and_escaped_keys_hide_nothing(key, value):
    relevant = windows_line(value, key)
    assert SELECTION.kinds(parse_alert(relevant)) == [WINDOWS]
    assert found(ORDINARY, relevant, ORDINARY) == [relevant]


@pytest.mark.parametrize(
    "value", ['"46\\u00325"', '"4625\\n"', '"\\t4625"', '"\\u00204625"', '"\\u20034625"', '"\u20034625\u00a0"', '"\u00a04625"']
)
def test_escaped_and_spaced_ids_hide_nothing(value):
    relevant = windows_line(value)
    assert SELECTION.kinds(parse_alert(relevant)) == [WINDOWS]
    assert found(relevant) == [relevant]


@pytest.mark.parametrize(
    "program", ["fail2ban\\u002eactions", "f\\u0061il2ban.actions", "\\u0066ail2ban.action\\u0073", "fail2ban\\u002Eactions"]
)
def test_an_escaped_program_name_hides_nothing(program):
    relevant = line(fail2ban_alert()).replace(b"fail2ban.actions", program.encode())
    assert SELECTION.kinds(parse_alert(relevant)) == [FAIL2BAN]
    assert found(ORDINARY, relevant) == [relevant]


def test_escapes_of_control_characters_and_other_letters_are_no_reason():
    assert found(line(ordinary_alert(full_log='\x1b[0m\x00 Zürich \u20ac \U0001f600 \\ " /'))) == []


def test_of_equal_keys_every_one_is_looked_at():
    relevant = b'{"data":{"win":{"system":{"eventID":"1","eventID":"4625"}}}}'
    assert found(relevant) == [relevant]
    relevant = b'{"data":{"win":{"x":{"eventID":"\\"eventID"},"system":{"eventID":"4625"}}}}'
    assert found(relevant) == [relevant]


@pytest.mark.parametrize("junk", [b"\xff", b"\xe2\x82", b"\0", b"\r", b"\xed\xa0\x80", b"\x1b"])
def test_junk_in_the_line_hides_nothing(junk):
    relevant = line(windows_alert(computer="JUNK", providerName="JUNK")).replace(b"JUNK", junk)
    assert SELECTION.kinds(parse_alert(relevant)) == [WINDOWS]
    assert found(ORDINARY, relevant, ORDINARY) == [relevant]


@pytest.mark.parametrize("before", [b"\0\0\0", b"\xef\xbb\xbf", b" ", b"\r"])
def test_junk_before_the_line_hides_nothing(before):
    relevant = before + line(windows_alert())
    assert found(ORDINARY, relevant) == [relevant]


def test_the_event_ids_are_a_setting():
    other = line(windows_alert(eventID="4768"))
    assert found(other, line(windows_alert()), scan=select({"4768"}).scan) == [other]


def test_a_long_list_of_ids_works_as_a_short_one_does():
    ids = [str(number) for number in range(1000, 9000)]
    assert found(line(windows_alert()), line(windows_alert(eventID="9999")), scan=select(ids).scan) == [line(windows_alert())]


@pytest.mark.parametrize(
    "broken",
    [
        b"text",
        b'{"timestamp":"t","a',
        b'a":"b"}',
        b"[1]",
        b"\0\0",
        b"{",
        b"}",
        b'{"timestamp":"t","a":{"b":1}',
        b'{"timestamp":"t","a{"timestamp":"t","a":"b"}}',
        b'{"a":"b{"timestamp":"t"}}',
        b' {"timestamp":"t"',
    ],
)
@pytest.mark.parametrize("end", [b"", b"\r"])
def test_lines_that_look_broken_are_named(broken, end):
    with pytest.raises(MalformedLineError):
        parse_alert(broken)
    assert found(ORDINARY + end, broken + end, ORDINARY + end) == [broken + end]


def test_a_second_alert_in_a_line_is_noticed_although_another_line_begins_otherwise():
    twice = b'{"timestamp":"1","a":"{"timestamp":"2","b":"}"}'
    assert found(b'{"id":"1"}', twice, ORDINARY) == [twice]


@pytest.mark.parametrize("blank", [b"", b" ", b"\r", b"\t \r"])
def test_blank_lines_are_passed_over(blank):
    assert found(blank, ORDINARY, blank, blank, ORDINARY, blank) == []


@pytest.mark.parametrize("odd", [b" %s", b"%s ", b"%s\r", b"\t%s \r"])
def test_white_space_around_an_ordinary_line_is_no_reason(odd):
    assert found(odd % b'{"id":"1"}', ORDINARY) == []


def spelled_text(text, rng):
    """Spell a JSON text, each character plainly or as an escape."""
    return '"' + "".join(json.dumps(char)[1:-1] if rng.random() < 0.8 else escape(char, rng) for char in text) + '"'


def escape(char, rng):
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join("\\u" + rng.choice([str.upper, str.lower])(units[at : at + 4]) for at in range(0, len(units), 4))


def spelled_number(number, rng):
    if isinstance(number, float) or abs(number) > 10**6:
        return json.dumps(number)
    return rng.choice([str(number), f"{number}.0", f"{number * 10}e-1", f"{number / 1000!r}E+3", f"{number}E0"])


def spelled(value, rng):
    """Spell a JSON value with random white space, escapes and forms of numbers, sometimes with a key given twice."""

    def space():
        return rng.choice(["", "", "", " ", "\t", "\r", "  "])

    if isinstance(value, str):
        return spelled_text(value, rng)
    if isinstance(value, dict):
        pairs = [(key, spelled(inner, rng)) for key, inner in value.items()]
        if pairs and rng.random() < 0.2:
            pairs.insert(0, (pairs[-1][0], rng.choice(["null", '"1"', "4624", '"eventID"'])))
        inner = ",".join(f"{space()}{spelled_text(key, rng)}{space()}:{space()}{text}{space()}" for key, text in pairs)
        return f"{{{inner}}}"
    if isinstance(value, list):
        return "[" + ",".join(space() + spelled(inner, rng) + space() for inner in value) + "]"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return spelled_number(value, rng)
    return json.dumps(value)


randoms = st.integers(0, 2**32).map(Random)  # the spelling needs far more choices than hypothesis likes to make

relevant_alerts = st.one_of(
    st.sampled_from(["4625", " 4625\n", "\u20034625", "1100", 4625, 1102, 4720.0]).map(lambda event_id: windows_alert(eventID=event_id)),
    st.sampled_from(["192.0.2.2", "8.8.8.8", 17]).map(lambda srcip: fail2ban_alert(srcip=srcip)),
    odd_alerts,
)


@given(st.lists(relevant_alerts, min_size=1, max_size=4), randoms, st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"]))
def test_whatever_the_selection_selects_is_named_however_it_is_spelled(alerts, rng, line_end):
    lines = []
    for alert in alerts:
        text = spelled(alert, rng).encode("utf-8", "surrogatepass")  # bytes that are no UTF-8, if json.dumps left any
        junk = rng.choice([b"", b"\xff", b"\0", b"\xe2\x82"])
        lines += [text.replace(b"alice", b"ali" + junk + b"ce"), ORDINARY]
    data = line_end.encode().join(lines)
    named = {data[start:end].strip() for start, end in SCAN.candidates(data)}
    for text in lines:
        alert = parse_alert(text)
        if SELECTION.kinds(alert):
            assert text.strip() in named
    assert ORDINARY not in named


@given(relevant_alerts, randoms)
def test_the_spelling_of_these_tests_does_not_change_an_alert(alert, rng):
    assert parse_alert(spelled(alert, rng).encode("utf-8", "surrogatepass")) == alert


@given(st.binary(max_size=80) | st.text('{}"\\u00:4625eventIDtimestamp \n\r\0', max_size=80).map(str.encode))
def test_whatever_the_bytes_the_spans_are_whole_lines_in_order(data):
    spans = list(SCAN.candidates(data))
    starts, position = {}, 0
    for text in data.split(b"\n"):
        starts[position] = position + len(text)
        position += len(text) + 1
    assert spans == sorted(set(spans))
    assert all(starts[start] == end and data[start:end].strip() for start, end in spans)
    for start, end in starts.items():
        text = data[start:end]
        stripped = text.strip()
        if stripped and not (stripped.startswith(b"{") and stripped.endswith(b"}")):
            assert (start, end) in spans


@pytest.mark.parametrize(
    ("raw", "holds"),
    [
        (b'{"eventID":"4625', True),
        (b'"eventID" : 4625 }}}', True),
        (b'{"eventID":"4624"', False),
        (b"x fail2ban.actions", True),
        (b'{"timestamp":"a{"timestamp":"b"', False),
        (b"}}}{{", False),
        (b"\0\0", False),
        (rb'{"\u0065ventID":"4625"', True),
    ],
)
def test_bytes_hold_a_token_or_not_whatever_else_is_wrong_with_them(raw, holds):
    assert SCAN.holds_token(raw) is holds


def test_a_nul_inside_makes_a_line_a_candidate_once():
    data = b'{"a":"' + b"\0" * 4096 + b'"}\n{"a":1}\n{"b":"\0"}'
    spans = list(SCAN.candidates(data))
    assert [data[start:end] for start, end in spans] == [data.split(b"\n")[0], data.split(b"\n")[2]]
