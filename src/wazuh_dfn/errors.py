"""The exceptions of wazuh-dfn, in one small hierarchy, so that a caller can catch all of them or one kind.

Foreign exceptions (of aiokafka, the operating system, pydantic) are translated into these at the boundary where they arise. `supervision`
has its own, derived from `SupervisionError`, because it does not depend on this package.
"""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb
from typing import Any

from wazuh_dfn.supervision.failures import SupervisionError

_FRAMES = 4
"""Maximum number of calls that are named, the innermost last: enough to find the place in the source."""


class WazuhDfnError(Exception):
    """Base class of all exceptions that this package raises on purpose."""


class ConfigurationError(WazuhDfnError):
    """The configuration or the command line cannot be used.

    Each of the `findings` is one line, and the text joins them with line feeds.
    """

    def __init__(self, *findings: str) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


class CertificateFileError(WazuhDfnError):
    """A file with a certificate or a key cannot be used.

    The text names the file and its configuration key.
    """


class MalformedLineError(WazuhDfnError):
    """A line that is not a JSON object, or that is nested too deeply (kinds/CONTRACT.md, "Lines that are not alerts" and "Depth")."""


class TooDeepError(MalformedLineError):
    """A line that is a JSON object, but nested too deeply to be sent.

    `outline` is the object, which may have null in place of anything that is nested too deeply.
    """

    def __init__(self, text: str, outline: dict[str, Any]) -> None:
        super().__init__(text)
        self.outline = outline


class FileTruncatedError(WazuhDfnError):
    """An alert file no longer holds what was read of it: it was truncated, or something else was written in its place."""


class CannotUnpackError(WazuhDfnError):
    """An alert file is packed in an unknown format.

    The text names the file and the known formats.
    """


class CheckpointUnreadableError(WazuhDfnError):
    """A checkpoint exists, but neither it nor the previous one can be read, so the reading position is unknown.

    Nothing written after `saved_at` (seconds since the epoch) can have been settled.
    """

    def __init__(self, text: str, saved_at: float) -> None:
        super().__init__(text)
        self.saved_at = saved_at


class DeadLettersUnusableError(WazuhDfnError):
    """The folder of the dead letters cannot be read or written."""


class NoReportError(WazuhDfnError):
    """A running daemon could not be asked for its health report.

    The text gives the reason and the remedy.
    """


class WazuhUnavailableError(WazuhDfnError):
    """Wazuh's socket cannot be reached or accepts nothing now.

    The connection must be closed and a new one made. `is_absent` is true if the socket does not exist at all, as on a machine where Wazuh
    does not run.
    """

    def __init__(self, reason: str, *, is_absent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_absent = is_absent


def in_brief(error: BaseException) -> str:
    """Return one line for the log: the kind of error and where it arose, without anything that it could quote of an alert.

    The text of an error is included only for errors of this package and of the operating system, because a ValueError shows the value.
    """
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(in_brief(each) for each in error.exceptions)
    name = type(error).__name__
    what = f"{name}: {error}" if isinstance(error, WazuhDfnError | SupervisionError | OSError) and str(error) else name
    frames = extract_tb(error.__traceback__)[-_FRAMES:]
    calls = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{what} ({calls})" if calls else what
