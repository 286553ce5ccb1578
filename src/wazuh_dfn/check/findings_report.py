"""Output of the findings: lines for people (coloured on a terminal only), or one JSON document for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from wazuh_dfn.check.findings import Finding, Level

_STYLES = {Level.OK: "green", Level.INFO: "blue", Level.WARNING: "yellow", Level.FAILURE: "bold red"}


class Report:
    """Prints each finding at once, or all of them at the end as JSON. Progress is shown on a terminal only."""

    def __init__(self, *, as_json: bool) -> None:
        self.findings: list[Finding] = []
        self._as_json = as_json
        self._out = Console(highlight=False, soft_wrap=True)
        self._progress = Console(stderr=True) if as_json else self._out

    @contextmanager
    def working(self, on: str) -> Iterator[None]:
        """Show the current check while it runs, if there is a terminal."""
        if not self._progress.is_terminal:
            yield
            return
        with self._progress.status(f"checking {on} ..."):
            yield

    def add(self, findings: list[Finding]) -> None:
        """Record findings, and print them unless JSON is wanted."""
        self.findings += findings
        if not self._as_json:
            for finding in findings:
                self._out.print(_line(finding))

    def finish(self) -> None:
        """Print the totals, or the JSON document."""
        counts = Counter(finding.level for finding in self.findings)
        if self._as_json:
            print(json.dumps(_document(self.findings, counts), indent=1))  # noqa: T201 - a program reads it
        else:
            self._out.print(f"{counts[Level.FAILURE]} failed, {counts[Level.WARNING]} warnings, {counts[Level.OK]} ok")


def _line(finding: Finding) -> Text:
    """Return one line without control characters, because a certificate's names are untrusted text."""
    said = finding.text if finding.remedy is None else f"{finding.text} -> {finding.remedy}"
    printable = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in said)
    return Text.assemble((f"{finding.level:<8}", _STYLES[finding.level]), f" {finding.check}: {printable}")


def _document(findings: list[Finding], counts: Counter[Level]) -> dict[str, object]:
    """Return the JSON document.

    `result` is the worst level, where "info" counts as "ok". `findings` are in the order of the checks, and `remedy` is null if none is
    needed.
    """
    worst = next((level for level in (Level.FAILURE, Level.WARNING) if counts[level]), Level.OK)
    listed = [{"check": each.check, "level": each.level, "text": each.text, "remedy": each.remedy} for each in findings]
    return {"result": worst, "failures": counts[Level.FAILURE], "warnings": counts[Level.WARNING], "findings": listed}
