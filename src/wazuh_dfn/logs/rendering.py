"""Formats of log lines: for a terminal, as key=value, as JSON, or for systemd's journal."""

from __future__ import annotations

import logging
import os
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["auto", "console", "json"]

_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
"""Priorities of syslog(3), which the journal reads from `<N>` at the beginning of a line (sd-daemon(3))."""


def formatter(choice: Format, *, is_terminal: bool = False, to_journal: bool = False) -> logging.Formatter:
    """Return the formatter for records of structlog and of other loggers.

    Args:
        choice: the value of `log.format`.
        is_terminal: whether the output is a terminal, which gets colours.
        to_journal: whether the output is the journal, which gets priorities, and no time because it adds its own.
    """
    first = ["level", "event"] if to_journal else ["timestamp", "level", "event"]
    renderer = _renderer(choice, first, is_terminal=is_terminal)
    shared: list[Processor] = [structlog.stdlib.add_log_level]
    if not to_journal:
        shared.append(structlog.processors.TimeStamper(fmt="iso", utc=False))
    ending: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if not isinstance(renderer, structlog.dev.ConsoleRenderer):
        ending.append(structlog.processors.format_exc_info)
    ending.append(_WithPriority(renderer) if to_journal else renderer)
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*shared, *ending])


def is_journal(stream: TextIO) -> bool:
    """Return whether the stream is connected to systemd's journal, by $JOURNAL_STREAM (systemd.exec(5))."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def with_priority(level: str, text: str) -> str:
    """Return the text with the journal's priority prefix on each of its lines."""
    mark = f"<{_PRIORITIES.get(level, 6)}>"
    return mark + text.replace("\n", f"\n{mark}")


class _WithPriority:
    """Adds the priority prefix to the output of another renderer."""

    def __init__(self, renderer: Processor) -> None:
        self._renderer = renderer

    def __call__(self, logger: WrappedLogger, name: str, event_dict: EventDict) -> str:
        level = str(event_dict.get("level"))
        return with_priority(level, str(self._renderer(logger, name, event_dict)))


def _renderer(choice: Format, first: list[str], *, is_terminal: bool) -> Processor:
    if choice == "json":
        return structlog.processors.JSONRenderer(default=str)
    if choice == "console" or is_terminal:
        return structlog.dev.ConsoleRenderer(colors=is_terminal)
    return structlog.processors.LogfmtRenderer(key_order=first, bool_as_flag=False)
