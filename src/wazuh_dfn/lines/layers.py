"""Decoding of deeply nested JSON without recursion, in layers that a decoder can take."""

from __future__ import annotations

import re
from collections.abc import Callable

from wazuh_dfn.errors import MalformedLineError

_OPEN, _CLOSE = (b"{", b"["), (b"}", b"]")

_STRUCTURE = re.compile(
    rb"""
    " [^"\\]*+ (?: \\. [^"\\]*+ )*+ "      # a whole text: brackets in it mean nothing
    | [][{}"]                               # a bracket, or a text without an end
    """,
    re.VERBOSE | re.DOTALL,
)


def outline_of(text: bytes, depth: int, decode: Callable[[bytes], object]) -> tuple[object, bool]:
    """Decode a JSON text of any depth, in linear time.

    Args:
        text: JSON without surrounding white space.
        depth: maximum number of levels. Anything nested deeper becomes null.
        decode: decodes a text of at most that depth, or raises MalformedLineError.

    Returns:
        The value, and whether something in it was too deep.

    Raises:
        MalformedLineError: the text is not JSON, at whatever depth.
    """
    outer: list[list[bytes]] = []
    """The parts already read of each layer around the present one."""
    layer: list[bytes] = []
    is_too_deep = False
    level = begin = 0
    for token in _STRUCTURE.finditer(text):
        what = token[0]
        if what in _OPEN:
            if level and level % depth == 0:
                layer.append(text[begin : token.start()])
                outer.append(layer)
                layer, begin = [], token.start()
                is_too_deep = True
            level += 1
        elif what in _CLOSE:
            level -= 1
            if outer and level % depth == 0:
                layer.append(text[begin : token.end()])
                decode(b"".join(layer))  # only to verify that it is JSON
                layer = outer.pop()
                layer.append(b"null")
                begin = token.end()
        elif what == b'"':
            raise MalformedLineError("the line is no JSON: a text in it has no end")
    if outer:
        raise MalformedLineError("the line is no JSON: it ends within an object or a list")
    return decode(b"".join((*layer, text[begin:]))), is_too_deep
