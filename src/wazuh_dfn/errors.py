"""The exceptions of wazuh-dfn: one small hierarchy, so that a caller can catch all of it or one kind.

Foreign exceptions (of aiokafka, of the operating system, of pydantic) are translated into these at the boundary where they arise.
`supervision` has its own, derived from `SupervisionError`, because it knows nothing of this package.
"""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb
from typing import Any

from wazuh_dfn.supervision.errors import SupervisionError

_FRAMES = 4
"""So many calls are named, the innermost last: enough to find the place in the source."""


class WazuhDfnError(Exception):
    """Everything that this package raises on purpose."""


class ConfigurationError(WazuhDfnError):
    """The configuration, or the command line, can't be used. Each of the `findings` is one line; the text has one after the other."""

    def __init__(self, *findings: str) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


class CertificateFileError(WazuhDfnError):
    """A file with a certificate or a key can't be used; the text names the file and its key in the configuration."""


class MalformedLineError(WazuhDfnError):
    """A line that is not a JSON object, or that is nested too deeply (kinds/CONTRACT.md, "Lines that are not alerts" and "Depth")."""


class TooDeepError(MalformedLineError):
    """A line that is a JSON object, but nested too deeply to be sent.

    `outline` is the object, which may have null in place of what is nested too deeply.
    """

    def __init__(self, text: str, outline: dict[str, Any]) -> None:
        super().__init__(text)
        self.outline = outline


class FileTruncatedError(WazuhDfnError):
    """An alert file no longer holds what was read of it before: it was truncated, or something else was written in its place."""


class CannotUnpackError(WazuhDfnError):
    """An alert file is packed by a format that is not known here; the text names both."""


class CheckpointUnreadableError(WazuhDfnError):
    """A checkpoint exists but neither it nor the previous one can be read; where reading stopped is unknown.

    `saved_at` (seconds since the epoch): nothing that was written later can have been settled.
    """

    def __init__(self, text: str, saved_at: float) -> None:
        super().__init__(text)
        self.saved_at = saved_at


class DeadLettersUnusableError(WazuhDfnError):
    """The folder of the dead letters can't be read or written."""


class NoReportError(WazuhDfnError):
    """A running daemon could not be asked for its health report; the text says why, and what to do."""


class WazuhUnavailableError(WazuhDfnError):
    """Wazuh's socket can't be reached, or takes nothing now; the connection must be closed and a new one made.

    `is_absent` tells that there is no such socket at all, as on a machine where Wazuh does not run.
    """

    def __init__(self, reason: str, *, is_absent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_absent = is_absent


def in_brief(error: BaseException) -> str:
    """Return one line for the log: what it is and where it arose, and nothing that it could quote of an alert.

    What an error says is told only for those of this package and of the operating system: a ValueError shows the value.
    """
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(in_brief(each) for each in error.exceptions)
    name = type(error).__name__
    what = f"{name}: {error}" if isinstance(error, WazuhDfnError | SupervisionError | OSError) and str(error) else name
    frames = extract_tb(error.__traceback__)[-_FRAMES:]
    calls = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{what} ({calls})" if calls else what
