"""Writes and rotates alert files as Wazuh does: dated files, with alerts.json as a hard link to the newest."""

import gzip
import os
from datetime import date, timedelta
from pathlib import Path

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class WazuhWriter:
    def __init__(self, folder, day=date(2026, 1, 30)):
        self.folder = Path(folder)
        self.link = self.folder / "alerts.json"
        self.day = day
        self.number = 0
        self.file = None
        self.open_dated()

    @property
    def dated(self):
        suffix = f"-{self.number:03d}" if self.number else ""
        month = self.folder / f"{self.day:%Y}" / MONTHS[self.day.month - 1]
        month.mkdir(parents=True, exist_ok=True)
        return month / f"ossec-alerts-{self.day:%d}{suffix}.json"

    def open_dated(self, *, gap=None):
        """Unlink alerts.json and link it to the new file; `gap` is called while it does not exist."""
        self.close()
        self.file = self.dated.open("ab", buffering=0)
        self.link.unlink(missing_ok=True)
        if gap is not None:
            gap()
        os.link(self.dated, self.link)

    def write(self, data):
        self.file.write(data)

    def next_day(self, days=1, *, gap=None):
        """Midnight; returns the former day's path. An empty file is deleted."""
        former = self._finish()
        self.day += timedelta(days=days)
        self.number = 0
        self.open_dated(gap=gap)
        return former

    def roll(self):
        """Rotation within a day, by size or interval."""
        former = self._finish()
        self.number += 1
        self.open_dated()
        return former

    def close(self):
        if self.file is not None:
            self.file.close()

    def _finish(self):
        self.close()
        former = self.dated
        if former.stat().st_size == 0:
            former.unlink()
        return former


def compress(path):
    """What monitord does with a former day's file."""
    with gzip.open(f"{path}.gz", "wb") as file:
        file.write(path.read_bytes())
    Path(f"{path}.sum").write_text("sums\n")
    path.unlink()
