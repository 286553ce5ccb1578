"""The simulated logrotate: it copies or renames, under all names it has, and compresses at once or the next time."""

import re
from datetime import datetime
from pathlib import Path

from simulation.places import ALERTS, FOLDER

_EXTENDED = ("alerts", ".json")
_PLAIN = ("alerts.json", "")
NAMINGS = {
    # what comes before and behind the part that differs, and a date's format
    "number": (*_PLAIN, ""),
    "number before the extension": (*_EXTENDED, ""),
    "date": (*_PLAIN, "-%Y%m%d"),
    "date and time": (*_PLAIN, "-%Y%m%dT%H%M%S"),
    "date with underscore": (*_PLAIN, "_%Y%m%d"),
    "date before the extension": (*_EXTENDED, "-%Y%m%d"),
}


class Logrotate:
    """The part of `Wazuh` that rotates alerts.json itself."""

    def _copytruncate(self):
        """Number the copies up, copy, truncate. What was written between those two is lost."""
        if self._rotated_at == self.disk.time():
            return  # it can't have been there just now: copies of the same moment could not be put in order
        path = yield from self._free_name()
        if path is None:
            return
        inode = self.disk.inode(ALERTS)
        copy = self.disk.create(path)
        self._rotated_at = self.disk.time()
        self.disk.append(copy, bytes(inode.data))
        copy.durable = inode.durable = bytes(copy.data)  # what was written earlier is not lost where its copy is not
        self.disk.sync_names()
        self._truncate(inode, b"")
        yield 0.0
        yield from self._compress_copy(path)

    def _logrotate_create(self):
        """Rename alerts.json and make a new one. The writer is restarted some time later."""
        if self.world.has_dated_files or self._rotated_at == self.disk.time():
            return
        path = yield from self._free_name()
        if path is None:
            return
        self._rotated_at = self.disk.time()
        self.disk.rename(ALERTS, path)
        yield self.random.choice([0.0, 0.0, 0.2])
        self.disk.create(ALERTS)
        for _ in range(self.random.choice([0, 0, 1])):  # it still writes to the renamed one
            yield from self._write_burst()
        yield self.random.choice([0.0, 0.5])
        yield from self._open()
        yield from self._compress_copy(path)

    def _free_name(self):
        """Number the former ones up, and return the name for the next; None if the one of this date is taken."""
        before, behind, date = NAMINGS[self.world.naming]
        if date:
            day = datetime.fromtimestamp(self.world.now())  # noqa: DTZ006 - logrotate's days are local ones
            path = FOLDER / f"{before}{day.strftime(date)}{behind}"
            if any(name.name.startswith(path.name) for name in self.disk.names):
                return None
            self.world.note(f"rotated to {path.name}")
            return path
        pattern = re.compile(re.escape(before) + r"\.(\d+)(" + re.escape(behind) + r"(?:\.\w+)?)")
        found = [(int(match[1]), match[2], path) for path in self.disk.names if (match := pattern.fullmatch(path.name))]
        for number, rest, path in sorted(found, reverse=True, key=lambda entry: (entry[0], str(entry[2]))):
            self.disk.rename(path, FOLDER / f"{before}.{number + 1}{rest}")
            yield 0.0
        self.world.note(f"rotated to {before}.1{behind}")
        return FOLDER / f"{before}.1{behind}"

    def _compress_copy(self, path):
        """Compress it, or the one before it (delaycompress), with what this site has chosen; it keeps the time."""
        if self.world.has("delaycompress"):
            path, self._uncompressed = self._uncompressed, self.disk.inode(path)
            path = next((name for name, inode in self.disk.names.items() if inode is path), None)
            if path is None:
                return
        elif self.random.random() >= 0.3:
            return
        if Path(f"{path}{self.world.compression}") not in self.disk.names:
            self.world.note(f"compressed to {self.world.compression}")
            yield from self._compress(path, self.world.compression, keeps_time=True)
