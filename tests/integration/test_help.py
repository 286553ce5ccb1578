"""`wazuh-dfn help`: the manual in the terminal."""

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import wazuh_dfn
from support.command_line import run_here
from wazuh_dfn.commands.manual import read_topics, summary

MANUAL = Path(wazuh_dfn.__file__).parent / "manual"


def on_a_terminal(*arguments, lines, pager="cat"):
    """Return what the command writes to a terminal of so many lines."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (lines, 80))
    environment = {**os.environ, "PAGER": pager, "TERM": "xterm", "NO_COLOR": "1"}
    for name in ("MANPAGER", "LINES", "COLUMNS"):
        environment.pop(name, None)
    with subprocess.Popen([sys.executable, "-m", "wazuh_dfn", *arguments], stdin=theirs, stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65_536):
                shown += chunk
        except OSError:
            pass  # how a terminal says that nobody writes to it any more
    os.close(ours)
    assert process.returncode == 0
    return shown.decode()


def test_without_a_topic_each_is_listed_with_what_it_is_about():
    done = run_here("help")
    assert done.returncode == 0
    for topic, text in read_topics().items():
        [line] = [line for line in done.stdout.splitlines() if line.startswith(f"{topic} ")]
        assert line.endswith(summary(text))


def test_a_topic_is_printed_as_it_is_where_there_is_no_terminal():
    assert run_here("help", "dead-letters").stdout == (MANUAL / "dead-letters.md").read_text()
    assert run_here("help", "Dead", "letters").stdout == run_here("help", "dead-letters").stdout


@pytest.mark.integration
def test_on_a_terminal_a_topic_is_rendered_and_a_long_one_goes_through_the_pager():
    marked = "sed 's/^/paged:/'"
    short = on_a_terminal("help", "alerts", lines=200, pager=marked)
    assert "Windows events" in short
    assert "## Windows" not in short
    assert "paged:" not in short
    assert "paged:" in on_a_terminal("help", "alerts", lines=10, pager=marked)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("instal",), 'unknown topic "instal"; did you mean "wazuh-dfn help install"?'),
        (("moving",), 'did you mean "wazuh-dfn help moving-from-0.23"?'),
        (("zzz",), 'unknown topic "zzz"; search for it with "wazuh-dfn help --search zzz".'),
        (("--search",), "no words to search for"),
    ],
)
def test_an_unknown_topic_is_an_error_with_a_hint(words, hint):
    done = run_here("help", *words)
    assert done.returncode == 2
    assert hint in done.stderr
    assert done.stdout == ""


def test_search_lists_the_topics_and_the_passages_that_have_all_the_words():
    done = run_here("help", "--search", "Certificate", "expires")
    assert done.returncode == 0
    topics = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert {"connection", "status", "troubleshooting"} <= set(topics) <= set(read_topics())
    assert run_here("help", "--search", "certificate expires").stdout == done.stdout


def test_search_reads_a_passage_over_the_ends_of_its_lines_and_each_row_and_line_of_code_by_itself():
    assert "It asks first, unless `--yes` is given." in run_here("help", "--search", "asks first unless").stdout
    [_, row] = run_here("help", "--search", "wazuh_dfn_build_info").stdout.splitlines()
    assert row == "    `wazuh_dfn_build_info{version}`: gauge: 1: the version"
    [_, line] = run_here("help", "--search", "useradd").stdout.splitlines()
    assert line.strip().startswith("useradd --system")


def test_a_search_that_finds_nothing_says_so():
    done = run_here("help", "--search", "xylophone", "certificate")
    assert done.returncode == 1
    assert 'No passage contains "xylophone certificate"' in done.stdout
