"""Parses one line of alerts.json, as tolerantly as JSON allows (kinds/CONTRACT.md, "Input lines" and "Odd input")."""

from __future__ import annotations

import json
import math
from typing import Any, Never

import orjson

from wazuh_dfn.byte_search import count, find, translate
from wazuh_dfn.errors import MalformedLineError, TooDeepError
from wazuh_dfn.lines.layers import outline_of

MAX_DEPTH = 500
"""Maximum number of nested objects and lists, including the alert.

The json module of every interpreter writes these without a RecursionError.
"""

_EDGE = b" \t\r\n\v\f\0"
"""Bytes that are not part of an alert at the ends of its line. A crash leaves NULs in place of bytes that were never written."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBER = b"0" * 19
"""Searched for after all digits were replaced by zeros: possibly an integer over 64 bits, which orjson would turn into a float.

This is ten times as fast as a regular expression. A long text of digits takes the slow decoder too, which is harmless.
"""


def parse_alert(line: bytes) -> dict[str, Any]:
    """Return the alert on a line, given with or without its line end.

    More is accepted than strict JSON: invalid UTF-8 (each faulty sequence becomes U+FFFD), raw control characters in strings, lone
    surrogate escapes, a byte order mark, and NULs before and after the object. Integers keep all their digits. A number that Python cannot
    represent (an integer over 4,300 digits, a float over 1.8e308) is kept as its text.

    Raises:
        TooDeepError: the line is a JSON object, nested more than `MAX_DEPTH` levels.
        MalformedLineError: the line is not a JSON object. The text briefly gives the reason and quotes nothing of the line.
    """
    text = line.strip(_EDGE).removeprefix(_BYTE_ORDER_MARK).strip(_EDGE)
    if not text:
        raise MalformedLineError("the line is empty")
    # The depth is checked only where there are enough brackets.
    may_be_deep = count(text, b"{") + count(text, b"[") > MAX_DEPTH
    alert, is_too_deep = _decode_deep(text) if may_be_deep else (_decode(text), False)
    if not isinstance(alert, dict):
        raise MalformedLineError("the line is valid JSON, but no object")
    if is_too_deep:
        raise TooDeepError(f"the line is nested more than {MAX_DEPTH} levels deep", alert)
    return alert


def inner_nuls(line: bytes) -> int:
    """Return the number of NUL bytes inside the line, without those at its ends."""
    return count(line.strip(_EDGE), b"\0")


def _decode_deep(text: bytes) -> tuple[object, bool]:
    """Decode a text that may be nested too deeply, and return the value and whether it is."""
    try:
        alert = orjson.loads(text)  # up to about 1,000 levels, and fifty times as fast as what follows
    except orjson.JSONDecodeError:
        return outline_of(text, MAX_DEPTH, _decode)
    is_too_deep = _is_too_deep(alert)
    return (alert if is_too_deep else _decode(text)), is_too_deep


def _is_too_deep(value: object) -> bool:
    """Return whether the value is nested too deeply, checked level by level without recursion."""
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer) if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _decode(text: bytes) -> object:
    """Decode a text that is nested at most about `MAX_DEPTH` levels."""
    if find(translate(text, _DIGITS_TO_ZERO), _LONG_NUMBER) < 0:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass  # the slow decoder accepts more, and gives a better reason if it fails
    try:
        return _TOLERANT.decode(text.decode("utf-8", "replace"))
    except json.JSONDecodeError as error:
        raise MalformedLineError(f"the line is no JSON: {error.msg} at character {error.pos}") from None


def _integer(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:  # Python's limit against quadratic time
        return digits


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _refuse_constant(name: str) -> Never:
    raise MalformedLineError(f"the line is no JSON: it has {name} for a number")


_TOLERANT = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_refuse_constant, strict=False)
