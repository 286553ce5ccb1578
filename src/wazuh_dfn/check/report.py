"""Shows findings: lines for people (colours on a terminal only), or one JSON document for programs."""

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
    """Prints each finding as it comes, or all of them at the end as JSON. Progress goes to a terminal alone."""

    def __init__(self, *, as_json: bool) -> None:
        self.findings: list[Finding] = []
        self._as_json = as_json
        self._out = Console(highlight=False, soft_wrap=True)
        self._progress = Console(stderr=True) if as_json else self._out

    @contextmanager
    def working(self, on: str) -> Iterator[None]:
        """Show what is being done, while it is, if there is a terminal to show it on."""
        if not self._progress.is_terminal:
            yield
            return
        with self._progress.status(f"checking {on} ..."):
            yield

    def add(self, findings: list[Finding]) -> None:
        """Take findings over."""
        self.findings += findings
        if not self._as_json:
            for finding in findings:
                self._out.print(_line(finding))

    def finish(self) -> None:
        """Print the sum, or the JSON document."""
        counts = Counter(finding.level for finding in self.findings)
        if self._as_json:
            print(json.dumps(_document(self.findings, counts), indent=1))  # noqa: T201 - a program reads it
        else:
            self._out.print(f"{counts[Level.FAILURE]} failed, {counts[Level.WARNING]} warnings, {counts[Level.OK]} ok")


def _line(finding: Finding) -> Text:
    """One line, without what could move the cursor: a certificate's names are somebody else's text."""
    said = finding.text if finding.remedy is None else f"{finding.text} -> {finding.remedy}"
    printable = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in said)
    return Text.assemble((f"{finding.level:<8}", _STYLES[finding.level]), f" {finding.check}: {printable}")


def _document(findings: list[Finding], counts: Counter[Level]) -> dict[str, object]:
    """`result` is the worst level ("ok" counts "info" in); `findings` are in the order of the checks, `remedy` null where none is needed."""
    worst = next((level for level in (Level.FAILURE, Level.WARNING) if counts[level]), Level.OK)
    listed = [{"check": each.check, "level": each.level, "text": each.text, "remedy": each.remedy} for each in findings]
    return {"result": worst, "failures": counts[Level.FAILURE], "warnings": counts[Level.WARNING], "findings": listed}
