"""The result of a check: one line for the operator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """Severity of a finding.

    A failure prevents delivery or must be fixed. A warning may be intended.
    """

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check's output.

    Attributes:
        check: Name of the check. It is stable, so scripts may rely on it.
        text: What was found.
        remedy: What to do, for warnings and failures.
    """

    check: str
    level: Level
    text: str
    remedy: str | None = None


def ok(check: str, text: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(check, Level.OK, text)


def info(check: str, text: str) -> Finding:
    """Return a neutral finding."""
    return Finding(check, Level.INFO, text)


def warning(check: str, text: str, remedy: str) -> Finding:
    """Return a finding that may need attention."""
    return Finding(check, Level.WARNING, text, remedy)


def failure(check: str, text: str, remedy: str) -> Finding:
    """Return a finding that must be fixed."""
    return Finding(check, Level.FAILURE, text, remedy)


def has_failure(findings: list[Finding]) -> bool:
    """Return whether any of the findings is a failure."""
    return any(finding.level is Level.FAILURE for finding in findings)
