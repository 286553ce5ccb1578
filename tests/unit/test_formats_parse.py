"""Parsing: whatever can be read as a JSON object is, all else is a malformed line and nothing else."""

import contextlib
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.alerts import json_values, windows_alert
from wazuh_dfn.errors import MalformedLineError, TooDeepError
from wazuh_dfn.lines.parse import MAX_DEPTH, parse_alert


def nested(levels, opening=b'{"a":', closing=b"}"):
    """Give a line of so many levels; lists can't be the outermost one."""
    return b'{"a":' + opening * (levels - 1) + b"1" + closing * (levels - 1) + b"}"


def test_an_ordinary_line_is_read_as_it_stands():
    assert parse_alert(orjson.dumps(windows_alert())) == windows_alert()


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":1}\n',
        b'{"a":1}\r\n',
        b'  \t{"a":1}  ',
        b'\0\0\0\0{"a":1}',
        b'{"a":1}\0\0',
        b' \0 {"a":1}',
        b'\xef\xbb\xbf{"a":1}',
        b'\0\xef\xbb\xbf {"a" : 1}',
    ],
)
def test_white_space_nuls_and_a_byte_order_mark_around_the_object_do_not_matter(line):
    assert parse_alert(line) == {"a": 1}


def test_bytes_that_are_no_utf8_are_replaced():
    assert parse_alert(b'{"a\xff":"b\xe4c","d":"\xc3\xa4"}') == {"a\ufffd": "b\ufffdc", "d": "ä"}


def test_an_encoded_surrogate_is_no_utf8_either():
    assert parse_alert(b'{"a":"\xed\xa0\x80x"}') == {"a": "\ufffd\ufffd\ufffdx"}


def test_a_sequence_cut_by_the_quote_does_not_swallow_it():
    assert parse_alert(b'{"a":"b\xe2\x82","c":"d"}') == {"a": "b\ufffd", "c": "d"}


def test_lone_surrogate_escapes_are_kept():
    assert parse_alert(rb'{"a\udc00":"\ud800","b":"\ud83d\ude00"}') == {"a\udc00": "\ud800", "b": "\U0001f600"}


def test_raw_control_characters_in_texts_are_kept():
    assert parse_alert(b'{"a":"b\0c\td\x1b"}') == {"a": "b\0c\td\x1b"}


@pytest.mark.parametrize(
    "number",
    [2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**64 + 1, -(2**63), -(2**63) - 1, 10**19, 12345678901234567890123, 10**4000 + 1],
)
@pytest.mark.parametrize("form", [b'{"a":%d}', b'{"a" : %d }', b'{"a":[%d]}', b'{"a":[0,%d]}', b'{"a":{"b":\t%d}}'])
def test_integers_keep_all_their_digits(number, form):
    line = form.replace(b"%d", str(number).encode())
    value = parse_alert(line)["a"]
    while not isinstance(value, int):
        value = list(value.values() if isinstance(value, dict) else value)[-1]
    assert value == number


def test_a_number_that_python_can_not_hold_stays_as_its_text():
    digits = "7" * 5000
    assert parse_alert(f'{{"a":{digits},"b":-{digits},"c":1e400,"d":-1E+999}}'.encode()) == {
        "a": digits,
        "b": f"-{digits}",
        "c": "1e400",
        "d": "-1E+999",
    }


def test_a_float_among_long_integers_stays_a_float():
    assert parse_alert(b'{"a":18446744073709551616,"b":1.5,"c":1e3}') == {"a": 2**64, "b": 1.5, "c": 1000.0}


def test_of_equal_keys_the_last_one_counts():
    assert parse_alert(b'{"a":1,"a":2}') == {"a": 2}
    assert parse_alert(b'{"a":1,"a":"\xff"}') == {"a": "\ufffd"}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b" \r\n",
        b"\0\0\0",
        b"text",
        b"[1]",
        b'"a"',
        b"17",
        b"null",
        b"[\xff]",
        b'{"a":1',
        b'{"a":1}}',
        b'{"a":1} {"a":2}',
        b'{"a":"',
        b'{"a":"\\',
        b'{"a":"\\u12',
        b"{'a':1}",
        b'{"a":1,}',
        b'{a:"1"}',
        b'{"a":01}',
        b'{"a":0x12}',
        b'{"a":"\\x41"}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":[18446744073709551616,NaN]}',
        b'{"timestamp":"2024","rule":{"lev{"timestamp":"2024"}',
    ],
)
def test_what_is_no_json_object_is_malformed(line):
    with pytest.raises(MalformedLineError):
        parse_alert(line)


def test_the_reason_is_short_and_quotes_nothing_of_the_line():
    with pytest.raises(MalformedLineError) as caught:
        parse_alert(b'{"password":"hunter2"' * 1000)
    assert len(str(caught.value)) < 100
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("opening", "closing"), [(b'{"a":', b"}"), (b"[", b"]"), (b'[{"a":', b"}]")])
def test_nesting_is_read_up_to_the_limit_and_too_deep_beyond(opening, closing):
    per_step = opening.count(b"[") + opening.count(b"{")
    deepest = (MAX_DEPTH - 1) // per_step
    assert parse_alert(nested(deepest + 1, opening, closing))
    with pytest.raises(TooDeepError, match="nested"):
        parse_alert(nested(deepest + 2, opening, closing))


@pytest.mark.parametrize("levels", [501, 999, 1_000, 1_001, 1_600, 5_000, 1_000_000])
@pytest.mark.parametrize("value", [b"1", b'"\\ud800 ]"', b'"\\\\",{"b":"[\\"]"}'], ids=["fast", "tolerant", "escapes"])
def test_of_what_is_nested_thousands_deep_the_outline_is_told(levels, value):
    line = b'{"a":' + b"[" * levels + value + b"]" * levels + b',"b":{"c":"[\\"{"}}'
    with pytest.raises(TooDeepError, match="nested") as caught:
        parse_alert(line)
    outline = caught.value.outline
    assert outline["b"] == {"c": '["{'}
    if levels > 2_000:  # what a decoder takes is told as it stands
        for _ in range(MAX_DEPTH):
            [outline] = [outline["a"]] if isinstance(outline, dict) else outline
        assert outline is None


@pytest.mark.parametrize(
    "inner",
    [b"x", b"1,", b'"', b'"\\"', b"1]", b"[1", b"{]", b"1}", b'{"a"}', b'{"a":1}}', b'{"b":"\\x"}'],
)
@pytest.mark.parametrize("levels", [499, 500, 501, 1_000, 20_000])
def test_what_is_no_json_deep_inside_is_malformed(inner, levels):
    with pytest.raises(MalformedLineError, match="no JSON") as caught:
        parse_alert(b'{"a":' + b"[" * levels + inner + b"]" * levels + b"}")
    assert not isinstance(caught.value, TooDeepError)


def test_deep_nesting_takes_linear_time():
    """Each of these would take hours if any step were quadratic."""
    many = 700_000
    for line in (
        b'{"a":' * many,
        b'{"a":' + b'["' * many,
        b'{"a":' * 500 + b"[" + b"{}," * many,
        b"]" * 4 * many,
        b'{"a":' + b'["",' * many,
    ):
        with pytest.raises(MalformedLineError):
            parse_alert(line)


def test_many_brackets_side_by_side_are_no_nesting():
    assert parse_alert(b'{"a":[' + b"{}," * 5000 + b'{}],"b":"' + b"[{" * 5000 + b'"}')["a"] == [{}] * 5001


@given(json_values)
def test_every_json_value_comes_back(value):
    assert parse_alert(json.dumps({"a": value}).encode()) == {"a": value}


@given(st.binary(max_size=60) | st.text('{}[]":,\\u0d8NaI-+.eE \0', max_size=60).map(str.encode))
def test_arbitrary_bytes_give_an_object_or_a_malformed_line(line):
    for candidate in (line, b'{"a":' + line + b"}"):
        with contextlib.suppress(MalformedLineError):
            assert isinstance(parse_alert(candidate), dict)
