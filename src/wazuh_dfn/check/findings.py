"""What a check found: one line for the operator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is. A failure keeps alerts from being delivered, or must not stay as it is; a warning may be as it should be."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: the name of the check (stable: scripts may go by it), what is the case, and for warnings and failures what to do."""

    check: str
    level: Level
    text: str
    remedy: str | None = None


def ok(check: str, text: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, Level.OK, text)


def info(check: str, text: str) -> Finding:
    """Return what is worth knowing, and neither good nor bad."""
    return Finding(check, Level.INFO, text)


def warning(check: str, text: str, remedy: str) -> Finding:
    """Return what may go wrong, or be as it should be."""
    return Finding(check, Level.WARNING, text, remedy)


def failure(check: str, text: str, remedy: str) -> Finding:
    """Return what goes wrong."""
    return Finding(check, Level.FAILURE, text, remedy)


def has_failure(findings: list[Finding]) -> bool:
    """Tell whether any of them is a failure."""
    return any(finding.level is Level.FAILURE for finding in findings)
