"""The simulated Wazuh, monitord and logrotate: they write, rotate, compress and truncate, a system call at a time."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from gzip import compress
from pathlib import Path

import trio

from simulation.lines import make_line

FOLDER = Path("/alerts")
ALERTS = FOLDER / "alerts.json"
FIRST_DAY = date(2026, 1, 30)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(eq=False)
class Generation:
    """All that was written to a file since it was last empty; `path` is its dated name, `lines` are with the offsets behind them."""

    inode: object
    path: Path
    content: bytearray = field(default_factory=bytearray)
    lines: list = field(default_factory=list)


class Wazuh:
    """A state machine that makes one system call a step, so that it can be driven by time, and between two calls of the daemon."""

    def __init__(self, world, lines):
        self.world = world
        self.disk = world.disk
        self.random = world.random
        self.left = lines
        self.day = FIRST_DAY
        self.number = 0
        self.generations = []
        self._life = self._live()
        self.is_done = False
        self._is_stepping = False
        self._next_number = 0
        self._copied_at = 0.0

    @property
    def dated(self):
        suffix = f"-{self.number:03d}" if self.number else ""
        return FOLDER / f"{self.day:%Y}" / MONTHS[self.day.month - 1] / f"ossec-alerts-{self.day:%d}{suffix}.json"

    @property
    def generation(self):
        return self.generations[-1]

    async def run(self):
        while (seconds := self.step()) is not None:
            await trio.sleep(seconds)
        self.is_done = True

    def step(self):
        """Do one system call; returns how long to wait before the next, None when all is written."""
        if self._is_stepping:
            return 0.0
        self._is_stepping = True
        try:
            return next(self._life, None)
        finally:
            self._is_stepping = False

    def crash(self):
        """The writer dies with the host; what is in its buffer is gone, and it begins again."""
        self._life.close()
        while self.number and self.dated not in self.disk.names:
            self.number -= 1
        self._life = self._live()
        if self.is_done:  # nobody drives it any more; what it was just about to do to alerts.json must not stay undone
            list(self._open())

    def _live(self):
        yield from self._open()
        while self.left > 0:
            yield from self._write_burst()
            yield self.random.choice([0.05, 0.5, 0.5, 3.0])
            for what in ("next_day", "roll", "copytruncate", "restore", "hide", "writer_crash"):
                if self.world.happens(what) and self.world.oracle.has_begun:
                    self.world.note(what)
                    yield from getattr(self, f"_{what}")()
        yield from self._write_burst()

    def _open(self):
        """Open the day's file, the highest that there is, and link alerts.json to it."""
        found = self.disk.names.get(self.dated) or self.disk.create(self.dated)
        self._begin(found)
        yield 0.0
        if self.disk.names.get(ALERTS) is not found:
            former = self.disk.names.get(ALERTS)
            self.disk.unlink(ALERTS)
            if former is not None and former not in self.disk.names.values():  # a power cut had taken its dated name
                self.world.oracle.something_was_destroyed()
            yield self.random.choice([0.0, 0.0, 0.2, 4.0])
            self.disk.link(ALERTS, found)

    def _begin(self, inode):
        """From now on write to this file, behind what is in it."""
        if self.generations and self.generation.inode is inode and self.generation.content == inode.data:
            return
        lines = [entry for former in self.generations if former.inode is inode for entry in former.lines]
        kept = {line.number: (line, end) for line, end in lines if inode.data[:end].endswith(line.data)}
        self.generations.append(Generation(inode, self.dated, bytearray(inode.data), list(kept.values())))
        self.world.note(f"generation {len(self.generations) - 1}: inode {inode.number}, {self.dated.name}, {len(inode.data)} bytes")

    def _append(self, data):
        self.disk.append(self.generation.inode, data)
        self.generation.content += data

    def _write_burst(self):
        lines = [make_line(self._next_number + index, self.random) for index in range(self.random.randint(1, 12))]
        self._next_number += len(lines)
        self.left -= len(lines)
        generation = self.generation
        lines[0].joined = generation.content.rpartition(b"\n")[2].strip(b"\0") != b""
        data, end = b"".join(line.data for line in lines), len(generation.content)
        while data:
            cut = self.random.choice([len(data), self.random.randint(0, len(data))])
            self._append(data[:cut])
            data = data[cut:]
            while lines and end + len(lines[0].data) <= len(generation.content):
                line = lines.pop(0)
                end += len(line.data)
                generation.lines.append((line, end))
                self.world.lines.append(line)
            yield self.random.choice([0.0, 0.0, 0.01, 1.0]) if data else 0.0

    def _next_day(self):
        yield from self._finish()
        self.day += timedelta(days=self.random.choice([1, 1, 1, 3]))
        self.number = 0
        self.world.begin_day(self.day)
        yield from self._open()
        yield from self._compress_former()

    def _roll(self):
        yield from self._finish()
        self.number += 1
        yield from self._open()

    def _finish(self):
        """Close the file; an empty one is deleted."""
        if not self.generation.content:
            self.disk.unlink(self.dated)
        yield 0.0

    def _compress_former(self):
        """What monitord does, some time later: all but the newest."""
        if self.random.random() < 0.4:
            return
        yield self.random.choice([0.0, 0.2, 10.0])
        for path in sorted(self.disk.names):
            if path.name.startswith("ossec-alerts") and path.suffix == ".json" and path != self.dated:
                yield from self._compress(path)

    def _compress(self, path):
        """Write the packed file in two pieces, then remove the plain one."""
        plain = self.disk.inode(path)
        plain.durable = bytes(plain.data)  # it was written long before
        packed = compress(bytes(plain.data), 1, mtime=0)
        inode = self.disk.create(path.with_name(f"{path.name}.gz"))
        self.disk.append(inode, packed[: len(packed) // 2])
        yield 0.0
        self.disk.append(inode, packed[len(packed) // 2 :])
        inode.durable = packed
        yield 0.0
        if path.parent == FOLDER:  # the command gzip, unlike monitord, keeps the time
            inode.modified = plain.modified
        self.disk.sync_names()
        self.disk.unlink(path)

    def _copytruncate(self):
        """What logrotate does: number the copies up, copy, truncate. What was written between those two is lost."""
        if self._copied_at == self.disk.clock():
            return  # it can't have been there just now: copies of the same moment could not be put in order
        copies = sorted((path for path in self.disk.names if path.name.startswith("alerts.json.")), reverse=True)
        for path in copies:
            number = int(path.name.split(".")[2])
            self.disk.rename(path, FOLDER / path.name.replace(f".json.{number}", f".json.{number + 1}"))
            yield 0.0
        inode = self.disk.inode(ALERTS)
        copy = self.disk.create(FOLDER / "alerts.json.1")
        self._copied_at = self.disk.clock()
        self.disk.append(copy, bytes(inode.data))
        copy.durable = inode.durable = bytes(copy.data)  # what was written earlier is not lost where its copy is not
        self.disk.sync_names()
        self._truncate(inode, b"")
        yield 0.0
        if self.random.random() < 0.3:
            yield from self._compress(FOLDER / "alerts.json.1")

    def _restore(self):
        """Somebody puts back an older, smaller state of the file."""
        data = self.generation.content
        feeds = [index + 1 for index in range(len(data)) if data[index] == ord("\n")]
        self._truncate(self.generation.inode, bytes(data[: self.random.choice([0, *feeds])]))
        yield 2.0

    def _truncate(self, inode, data):
        self.disk.truncate(inode, data)
        self._begin(inode)
        self.world.oracle.something_was_destroyed()

    def _hide(self):
        """The path names nothing for a while."""
        inode = self.disk.inode(ALERTS)
        self.disk.unlink(ALERTS)
        yield self.random.choice([0.1, 2.0, 30.0])
        self.disk.link(ALERTS, inode)

    def _writer_crash(self):
        """It leaves a line without its end."""
        data = make_line(99_999_999, self.random, ["windows", "ordinary"]).data
        self._append(data[: self.random.randint(1, len(data) - 3)])
        yield from self._open()
