"""Makes man pages of the manual: `wazuh-dfn(8)` of its overview, and `wazuh-dfn-TOPIC(7)` of every other topic."""

# ruff: noqa: INP001 - a script, not a package

import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from wazuh_dfn.commands.manual import read_topics, summary

OVERVIEW = "overview"
_MARKDOWN = MarkdownIt("commonmark").enable("table")
_INLINE = {"strong_open": "\\fB", "strong_close": "\\fR", "em_open": "\\fI", "em_close": "\\fR", "softbreak": "\n", "hardbreak": "\n.br\n"}


def write_pages(folder: Path) -> list[Path]:
    """Write all pages into `man7` and `man8` below the folder, and return their paths."""
    topics, written = read_topics(), []
    for topic, text in topics.items():
        name, section = ("wazuh-dfn", 8) if topic == OVERVIEW else (f"wazuh-dfn-{topic}", 7)
        others = [("wazuh-dfn", 8), *((f"wazuh-dfn-{each}", 7) for each in topics if each != OVERVIEW)]
        also = ",\n".join(f".BR {_escaped(other)} ({number})" for other, number in others if other != name)
        path = folder / f"man{section}" / f"{name}.{section}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{page(name, section, text)}\n.SH SEE ALSO\n{also.replace(',\n', ' ,\n')}\n", encoding="utf-8")
        written.append(path)
    return written


def page(name: str, section: int, text: str) -> str:
    """Return the man page of a topic."""
    about = summary(text).rstrip(".").replace("`", "")
    head = [
        f'.TH "{_escaped(name).upper()}" {section} "" "wazuh-dfn {version("wazuh-dfn")}" "wazuh-dfn manual"',
        ".nh\n.ad l",  # or settings are broken into two
        ".SH NAME",
        f"{_escaped(name)} \\- {_escaped(about)}",
        ".SH DESCRIPTION",
    ]
    tokens = _MARKDOWN.parse(text.split("\n", 1)[1])  # the heading is the name
    return "\n".join([*head, *_lines(tokens)])


def _lines(tokens: Sequence[Token]) -> Iterator[str]:
    row = list[str]()
    for before, token in pairwise([Token("", "", 0), *tokens]):
        if token.type == "list_item_open":
            yield f".IP {token.info}. 4" if token.info else ".IP \\(bu 2"
        elif token.type == "heading_open":
            yield ".SH" if token.tag == "h2" else ".SS"
        elif token.type in {"paragraph_open", "bullet_list_close", "ordered_list_close"} and not token.hidden:
            yield ".PP"
        elif token.type == "fence":
            code = "\n".join(_safe(_escaped(line)) for line in token.content.splitlines())
            yield f".PP\n.RS 4\n.nf\n{code}\n.fi\n.RE"
        elif token.type == "inline" and before.type in {"td_open", "th_open"}:
            row.append(_text(token))
        elif token.type == "inline":
            yield "\n".join(map(_safe, _text(token).split("\n")))
        elif token.type == "tr_close":
            if before.type == "td_close":  # not the head
                yield f".TP\n{_safe(row[0])}\n{_safe(': '.join(filter(None, (', '.join(row[1:-1]), row[-1]))))}"
            row = []


def _text(inline: Token) -> str:
    made = [
        f"\\fB{_escaped(child.content)}\\fR" if child.type == "code_inline" else _INLINE.get(child.type, _escaped(child.content))
        for child in inline.children or ()
    ]
    return "".join(made)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")


def _safe(line: str) -> str:
    """Return the line so that it is not taken for a request."""
    return f"\\&{line}" if line.startswith((".", "'")) else line


if __name__ == "__main__":
    for written_path in write_pages(Path(sys.argv[1])):
        print(written_path)  # noqa: T201 - the script's result
