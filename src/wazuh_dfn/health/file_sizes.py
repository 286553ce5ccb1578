"""Size of the alert file, on a file system that may not answer."""

from __future__ import annotations

from contextlib import suppress

import anyio

from wazuh_dfn.tailing.alert_file import AlertFile

PATIENCE_SECONDS = 1.0
PAUSE_SECONDS = 60.0
"""Seconds without further requests after one that got no answer, because each unanswered request blocks a thread."""


class FileSizes:
    """Requests the sizes of one file at a time."""

    def __init__(self) -> None:
        self.is_answering = True
        """Whether the last request was answered in time."""
        self._ask_again_at = 0.0
        self._one_at_a_time = anyio.Lock()

    async def of(self, file: AlertFile) -> tuple[int | None, int | None]:
        """Return the size of the file and its unnamed bytes, None for what is unknown.

        A request takes at most `PATIENCE_SECONDS`. Concurrent calls wait for each other.

        The size of a compressed file is not requested. It would be decompressed to its end, and the tailer would wait for that and start it
        again.
        """
        size = unnamed = None
        async with self._one_at_a_time:
            if anyio.current_time() < self._ask_again_at:
                return None, None
            with suppress(OSError, ValueError), anyio.move_on_after(PATIENCE_SECONDS) as patience:  # the tailer may be closing it
                size = None if file.is_packed else await file.size()
                unnamed = await file.unnamed_bytes()
            self.is_answering = not patience.cancelled_caught
            if not self.is_answering:
                self._ask_again_at = anyio.current_time() + PAUSE_SECONDS
        return size, unnamed
