"""Writes and rotates alert files as Wazuh does: dated files, with alerts.json as a hard link to the current one."""

import gzip
import os
from datetime import date, timedelta
from pathlib import Path

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class WazuhWriter:
    """analysisd with its JSON output.

    It appends through the dated name and never truncates. `roll` needs `rotate_interval` or `max_output_size` in Wazuh's configuration.
    """

    def __init__(self, folder, day=date(2026, 1, 30)):
        self.folder = Path(folder)
        self.link = self.folder / "alerts.json"
        self.day = day
        self.number = 0
        self.file = None
        self.open_dated()

    @property
    def dated(self):
        return self.dated_path(self.number)

    def dated_path(self, number):
        """Return the name of this day's file with that number; 0 is the one without a number."""
        suffix = f"-{number:03d}" if number else ""
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

    def next_day_without_link(self):
        """Midnight, at a site where alerts.json can't be linked again, or somebody put another file there."""
        self._finish()
        self.day += timedelta(days=1)
        self.number = 0
        self.file = self.dated.open("ab", buffering=0)

    def clock_back(self, days=1):
        """The clock is set back over midnight: the file of the former day is opened again, or a new one of its name if it was gzipped."""
        former = self._finish()
        self.day -= timedelta(days=days)
        self.number = self._last_before_the_first_missing()
        self.open_dated()
        return former

    def clock_forward(self, days=1):
        """Midnight comes once more: the file of the new day is there already, and is appended to."""
        former = self._finish()
        self.day += timedelta(days=days)
        self.number = self._last_before_the_first_missing()
        self.open_dated()
        return former

    def roll(self):
        """Rotation within a day, by size or interval; a file with the next number is appended to if there is one."""
        former = self._finish()
        self.number += 1
        self.open_dated()
        return former

    def restart(self):
        """A new process: it appends to the file before the first number that is missing as a plain file."""
        self.close()
        self.number = self._last_before_the_first_missing()
        self.open_dated()

    def move_to(self, folder):
        """A new process again, after its folder was moved or copied there."""
        self.close()
        self.folder = Path(folder)
        self.link = self.folder / "alerts.json"
        self.open_dated()

    def close(self):
        if self.file is not None:
            self.file.close()

    def _last_before_the_first_missing(self):
        number = 0
        while self.dated_path(number + 1).exists():
            number += 1
        return number

    def _finish(self):
        self.close()
        former = self.dated
        if former.exists() and former.stat().st_size == 0:
            former.unlink()
        return former


class Gzipping:
    """What monitord does with the file of the day before, in steps. It does not look whether the writer still has the file open."""

    def __init__(self, path):
        self.path = path
        self.packed = path.with_name(f"{path.name}.gz")
        self._content = gzip.compress(path.read_bytes())

    def begin(self):
        """The gzipped file has its final name while it grows."""
        self.packed.write_bytes(self._content[: len(self._content) // 2])

    def finish(self):
        """All that the file held when the gzipping began is in the gzipped one."""
        with self.packed.open("ab") as file:
            file.write(self._content[len(self._content) // 2 :])
        Path(f"{self.path}.sum").write_text("sums\n")

    def unlink(self):
        """Remove the plain name; alerts.json can still name the same file."""
        self.path.unlink()

    def all(self):
        self.begin()
        self.finish()
        self.unlink()


def compress(path):
    """What monitord does with a former day's file."""
    Gzipping(path).all()


def add_files_of_others(writer):
    """Put files beside the alerts that have nothing to say to us: Wazuh's plain text twins, sums, and what editors leave."""
    text = b"** Alert 1769767200.1: - syslog,\n2026 Jan 30 12:00:00 host->/var/log/app.log\n" * 20
    month = writer.dated.parent
    for path in (
        writer.folder / "alerts.log",
        month / "ossec-alerts-30.log",
        month / "ossec-alerts-29.log",
        month / "ossec-alerts-30-001.log",
    ):
        path.write_bytes(text)
    with gzip.open(month / "ossec-alerts-28.log.gz", "wb") as file:
        file.write(text)
    for name in ("ossec-alerts-28.log.sum", "ossec-alerts-28.json.sum"):
        (month / name).write_text("MD5 (ossec-alerts-28) = 0\n")
    for folder, name in ((writer.folder, "alerts.json"), (month, "ossec-alerts-30.json")):
        for other in (f"{name}~", f".{name}.swp", f"#{name}#", f".{name}.1", f"{name}.sum"):
            (folder / other).write_bytes(b"%s\n" % (b"not for us " * 200))
