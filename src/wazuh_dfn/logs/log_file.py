"""A log file that may become unwritable for a while, which is reported once on the console, and once when it is over.

The standard library instead prints a traceback for each line and raises some errors to the caller that logs.
"""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler, WatchedFileHandler
from pathlib import Path

FILE_BYTES = 10 * 1024 * 1024


class _LogFile(logging.FileHandler):
    console: logging.Handler
    problem: str | None = None
    _has_failed = False

    def emit(self, record: logging.LogRecord) -> None:
        self._has_failed = False
        try:
            super().emit(record)
        except OSError:  # from reopening the file
            self.handleError(record)
        if self.problem is not None and not self._has_failed:
            self.problem = None
            self._tell(logging.INFO, f"log.file_path: {self.baseFilename} can be written again")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        self._has_failed = True
        error = sys.exception()
        if not isinstance(error, OSError):
            super().handleError(record)
        elif self.problem != (problem := error.strerror or str(error)):
            self.problem = problem
            self._tell(logging.ERROR, f"log.file_path: {self.baseFilename} can't be written ({problem}); lines may be missing there")

    def _tell(self, level: int, text: str) -> None:
        self.console.handle(logging.LogRecord(__name__, level, __file__, 0, text, (), None))


class _WatchedLogFile(_LogFile, WatchedFileHandler):
    pass


class _RotatingLogFile(_LogFile, RotatingFileHandler):
    pass


def log_file(path: Path, keep_files: int, console: logging.Handler) -> logging.Handler:
    """Open the log file.

    Write errors are reported on `console`. The file is rotated at 10 MiB. With `keep_files` 0, rotation is left to other programs
    (logrotate), and a file that was moved away is created again.

    Raises:
        OSError: the file cannot be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file: _LogFile
    if keep_files == 0:
        file = _WatchedLogFile(path, encoding="utf-8")
    else:
        file = _RotatingLogFile(path, maxBytes=FILE_BYTES, backupCount=keep_files, encoding="utf-8")
    file.console = console
    return file
