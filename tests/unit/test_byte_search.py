"""The functions are those of bytes, on every processor."""

import importlib

import pytest
import stringzilla
from hypothesis import given
from hypothesis import strategies as st

from wazuh_dfn import byte_search

HAYSTACKS = st.binary(max_size=300) | st.text("ab\\{}\n\0\xff", max_size=300).map(lambda text: text.encode("latin-1"))
NEEDLES = st.sampled_from([b"a", b"ab", b"\\u00", b"{", b"}", b"\n", b"\0", b"aba", b'"eventID"']) | st.binary(min_size=1, max_size=20)
ALL = stringzilla.__capabilities__


@pytest.fixture(params=["all", "serial"], autouse=True, scope="module")
def functions(request):
    """What this processor can do, and what every one can."""
    if request.param == "serial":
        stringzilla.reset_capabilities(["serial"])
    yield
    stringzilla.reset_capabilities(list(ALL))


@given(HAYSTACKS, NEEDLES, st.integers(0, 320))
def test_find_and_count_are_those_of_bytes(haystack, needle, start):
    assert byte_search.find(haystack + needle, needle, start) == (haystack + needle).find(needle, start)
    assert byte_search.find(haystack, needle, start) == haystack.find(needle, start)
    assert byte_search.count(haystack, needle) == haystack.count(needle)
    assert byte_search.count(haystack, needle, start, start + 50) == haystack.count(needle, start, start + 50)


@given(HAYSTACKS, st.text("&<>\n\"x'", min_size=1, max_size=7))
def test_find_first_of_finds_the_first_of_these_characters(haystack, characters):
    text = haystack.decode("latin-1").encode("ascii", "ignore").decode() + characters
    assert byte_search.find_first_of(text, characters) == min(text.find(each) for each in characters)


@given(HAYSTACKS)
def test_translate_is_that_of_bytes(haystack):
    table = bytes.maketrans(b"123456789", b"0" * 9)
    assert byte_search.translate(haystack, table) == haystack.translate(table)


@pytest.mark.parametrize(
    ("capabilities", "portable"),
    [(("serial", "westmere"), True), (("serial", "westmere", "haswell"), False), (("serial",), False), (("serial", "neon"), False)],
)
def test_a_processor_with_sse_but_without_avx2_gets_the_portable_functions(monkeypatch, capabilities, portable):
    """On one, such as those of 2011, the daemon died of an illegal instruction at its first relevant alert (seen under qemu)."""
    asked = []
    monkeypatch.setattr(stringzilla, "__capabilities__", capabilities)
    monkeypatch.setattr(stringzilla, "reset_capabilities", asked.append)
    importlib.reload(byte_search)
    assert asked == ([["serial"]] if portable else [])
