"""`wazuh-dfn help`: the manual, which is in the package as Markdown, one file per topic."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from textwrap import fill
from typing import Annotated

from cyclopts import Parameter

from wazuh_dfn import exit_codes
from wazuh_dfn.commands.terminal import out
from wazuh_dfn.errors import ConfigurationError

_WIDEST = 110
"""Columns. Longer lines of text are hard to read."""
_INDENT = " " * 4
_MARKS = re.compile(r"^#+ |^\| | \|$|^- ")
"""What makes a heading, a row or an item of a line."""
_ITEM = re.compile(r"- |[|#]|\d+\. ")
"""What begins a line that does not continue the text before it."""
_RULER = re.compile(r"\|[-| ]+")


def manual(*words: str, search: Annotated[bool, Parameter(negative=(), show_default=False)] = False) -> int:
    """Show the manual. Without a topic, list the topics.

    On a terminal, a topic that is longer than the screen opens in a pager (PAGER, or less). Elsewhere it is printed as Markdown.
    The flags of a command are described by its own help, for example "wazuh-dfn check --help".

    Exit code 0: success. Exit code 1: --search found nothing. Exit code 2: the topic does not exist.

    Examples: "help", "help troubleshooting", "help --search certificate expired".

    Parameters
    ----------
    words: str
        A topic, or with --search the words to search for.
    search: bool
        List the topics and the passages that contain all the words, in upper or lower case.
    """
    topics = read_topics()
    if search:
        return _search(topics, words)
    if words:
        _show(topics[_topic(words, topics)])
    else:
        _list(topics)
    return exit_codes.OK


def read_topics() -> dict[str, str]:
    """Return the text of each topic by its name, in the order of the names."""
    folder = files("wazuh_dfn").joinpath("manual")
    found = {file.name.removesuffix(".md"): file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".md")}
    return dict(sorted(found.items()))


def summary(text: str) -> str:
    """Return the sentence below a topic's heading."""
    return text.split("\n\n")[1].replace("\n", " ")


def _topic(words: tuple[str, ...], topics: dict[str, str]) -> str:
    name = "-".join(words).lower()
    if name in topics:
        return name
    near = [topic for topic in topics if name in topic] or difflib.get_close_matches(name, topics, n=1)
    hint = f'did you mean "wazuh-dfn help {near[0]}"?' if near else f'search for it with "wazuh-dfn help --search {" ".join(words)}".'
    others = '"wazuh-dfn help" lists the topics, "wazuh-dfn COMMAND --help" describes a command'
    raise ConfigurationError(f'unknown topic "{" ".join(words)}"; {hint} {others}')


def _list(topics: dict[str, str]) -> None:
    width = max(map(len, topics))
    for name, text in topics.items():
        out.print(f"{name:{width}}  {summary(text)}", markup=False)
    out.print('\nShow a topic: "wazuh-dfn help TOPIC". Search all: "wazuh-dfn help --search WORDS".', markup=False)


def _show(text: str) -> None:
    if not sys.stdout.isatty():
        sys.stdout.write(text)
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs these
    from rich.markdown import Markdown  # noqa: PLC0415 - see above

    console = Console(highlight=False)
    console.width = min(console.width, _WIDEST)
    with console.capture() as capture:
        console.print(Markdown(text, hyperlinks=False))
    rendered = capture.get()
    if rendered.count("\n") < console.height:
        sys.stdout.write(rendered)
        return
    import pydoc  # noqa: PLC0415 - see above

    os.environ.setdefault("LESS", "-R")  # shows the colours
    pydoc.pager(rendered)


def _search(topics: dict[str, str], words: tuple[str, ...]) -> int:
    wanted = [each.casefold() for word in words for each in word.split()]
    if not wanted:
        raise ConfigurationError('no words to search for; example: "wazuh-dfn help --search certificate expired"')
    matches = {
        name: [passage for passage in _passages(text) if all(word in passage.casefold() for word in wanted)]
        for name, text in topics.items()
    }
    if not any(matches.values()):
        out.print(f'No passage contains "{" ".join(wanted)}"; try fewer or other words. "wazuh-dfn help" lists the topics.', markup=False)
        return exit_codes.FAILED
    for name, found in matches.items():
        if found:
            out.print(name, style="bold", markup=False)
            for passage in found:
                out.print(_shown(_MARKS.sub("", passage).replace(" | ", ": ")), markup=False)
    return exit_codes.OK


def _shown(passage: str) -> str:
    """Indent it, and wrap it where people read it. Elsewhere it stays one line, which grep can search."""
    if not sys.stdout.isatty():
        return _INDENT + passage
    width = min(out.width, _WIDEST)
    return fill(passage, width, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False, break_long_words=False)


def _passages(text: str) -> Iterator[str]:
    """Yield each paragraph, list item, row of a table and line of code as one line."""
    passage = ""
    is_code = False
    for line in [*text.splitlines(), ""]:
        if line.startswith("```"):
            is_code = not is_code
        elif not is_code and line.strip() and not _ITEM.match(line):
            passage += " " + line.strip()
            continue
        if passage:
            yield passage.strip()
        passage = "" if line.startswith("```") or _RULER.fullmatch(line) else line
