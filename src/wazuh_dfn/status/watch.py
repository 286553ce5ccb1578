"""Fetches and prints the report, once or repeatedly."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper

from rich.console import Console, RenderableType
from rich.live import Live

from wazuh_dfn import exit_codes
from wazuh_dfn.errors import NoReportError
from wazuh_dfn.health.report import HealthReport, RatePoint
from wazuh_dfn.status.address import ApiAddress
from wazuh_dfn.status.ask import Answer, ask
from wazuh_dfn.status.distances import rates_between
from wazuh_dfn.status.key_value_lines import as_line, as_unknown_line
from wazuh_dfn.status.terminal_report import shown, shown_as_stale, shown_as_unknown


@dataclass(frozen=True, slots=True)
class _Round:
    """Result of one request.

    Attributes:
        outcome: The answer or the error.
        last: The newest report received so far.
        age: The age of `last` in seconds.
        rates: The rates since the previous report.
    """

    outcome: Answer | NoReportError
    last: HealthReport | None
    age: float
    rates: RatePoint | None


def show_once(address: ApiAddress, *, as_json: bool) -> int:
    """Print the report and return the exit code.

    Raises:
        NoReportError: The report is not available.
    """
    answer = ask(address)
    if as_json:
        print(_on_one_line(answer))  # noqa: T201 - the command's result
    else:
        _console().print(shown(answer.report))
    return _code(answer)


def watch(address: ApiAddress, interval: float, *, as_json: bool) -> int:
    """Show the report every `interval` seconds until Ctrl-C, and return the exit code of the last request.

    A terminal shows it in place. Other outputs get one line per request. The daemon may be unreachable in between.
    """
    console = _console()
    code = exit_codes.NO_REPORT
    with suppress(KeyboardInterrupt):
        if as_json or not console.is_terminal:
            for each in _rounds(address, interval):
                code = _code(each.outcome)
                _print_line(each, as_json=as_json)
        else:
            with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
                for each in _rounds(address, interval):
                    code = _code(each.outcome)
                    live.update(_picture(each), refresh=True)
    return code


def _code(outcome: Answer | NoReportError) -> int:
    if isinstance(outcome, NoReportError):
        return exit_codes.NO_REPORT
    return exit_codes.OK if outcome.report.status == "healthy" else exit_codes.FAILED


def _rounds(address: ApiAddress, interval: float) -> Iterator[_Round]:
    last: HealthReport | None = None
    asked_at = 0.0
    while True:
        try:
            answer = ask(address)
        except NoReportError as error:
            yield _Round(error, last, time.monotonic() - asked_at, None)
        else:
            rates = rates_between(last, answer.report) if last else None
            last, asked_at = answer.report, time.monotonic()
            yield _Round(answer, last, 0, rates)
        time.sleep(interval)


def _picture(each: _Round) -> RenderableType:
    if isinstance(each.outcome, Answer):
        return shown(each.outcome.report, each.rates)
    return shown_as_stale(each.last, str(each.outcome), each.age) if each.last else shown_as_unknown(str(each.outcome))


def _print_line(each: _Round, *, as_json: bool) -> None:
    if isinstance(each.outcome, Answer):
        line = _on_one_line(each.outcome) if as_json else as_line(each.outcome.report, each.rates)
        print(line, flush=True)  # noqa: T201 - the command's result
    elif as_json:
        print(each.outcome, file=sys.stderr, flush=True)  # noqa: T201 - standard output carries only JSON
    else:
        print(as_unknown_line(str(each.outcome)), flush=True)  # noqa: T201 - the command's result


def _on_one_line(answer: Answer) -> str:
    return answer.document.decode().replace("\n", " ")


def _console() -> Console:
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without some characters still shows the others
    return Console(highlight=False)
