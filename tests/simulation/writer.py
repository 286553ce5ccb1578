"""The simulated analysisd: which file it writes to, and what goes wrong with it."""

from datetime import datetime, timedelta

import trio

from simulation.lines import make_line
from simulation.places import ALERTS, FIRST_DAY, dated


class Writer:
    """The part of `Wazuh` that writes alerts."""

    @property
    def dated(self):
        return dated(self.day, self.number) if self.world.has_dated_files else ALERTS

    @property
    def generation(self):
        return self.history.current

    @property
    def generations(self):
        return self.history.generations

    def _open_highest(self):
        """What it does at its start, and on a new day: append to the file before the first number that is missing."""
        self.number = self._highest()
        yield from self._open()

    def _highest(self):
        number = 0
        while self.world.has_dated_files and dated(self.day, number + 1) in self.disk.names:
            number += 1
        return number

    def _open(self):
        """Open the file of that day and number, or make it, and link alerts.json to it."""
        found = self.disk.names.get(self.dated) or self.disk.create(self.dated)
        self._begin(found)
        yield 0.0
        former = self.disk.names.get(ALERTS)
        if former is not found:
            self.disk.unlink(ALERTS)
            is_nameless = former is not None and former not in self.disk.names.values()
            if is_nameless and former not in self.gzipped_early:  # a power cut had taken its dated name
                self.world.oracle.something_was_destroyed()
            yield self.random.choice([0.0, 0.0, 0.2, 4.0])
            self.disk.link(ALERTS, found)
            found.current_since = trio.current_time()

    def _begin(self, inode):
        """From now on write to this file, behind what is in it."""
        self.history.begin(inode, self.dated)

    def _append(self, data):
        self.disk.append(self.generation.inode, data)
        self.generation.content += data

    def _write_burst(self):
        sizes = self.world.happens("line_near_limit")
        if sizes:
            self.world.note("line near the limit")
        lines = [make_line(self._next_number + index, self.random, near_limit=sizes) for index in range(self.random.randint(1, 12))]
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
                line.file = generation
                self.world.lines.append(line)
            yield self.random.choice([0.0, 0.0, 0.01, 1.0]) if data else 0.0

    def _next_day(self):
        if not self.midnight_was_quiet:
            yield from self._finish()
            self.day += timedelta(days=self.random.choice([1, 1, 1, 3]))
            self.world.set_clock(self.day)
            yield from self._open_highest()
            yield from self._compress_former()
        else:  # it is the new day already, and this is the first message since
            yield from self._finish()
            self._follow_clock()
            yield from self._open_highest()

    def _follow_clock(self):
        """A start of the writer: the day is what the clock says, if it was the clock that the day should have followed."""
        if self.midnight_was_quiet:
            self.midnight_was_quiet = False
            self.day = datetime.fromtimestamp(self.world.now()).date()  # noqa: DTZ006 - Wazuh's days are local ones

    def _clock_back(self):
        """The clock steps back over midnight: the writer goes back to the file of the day before."""
        if self.day == FIRST_DAY or self.midnight_was_quiet:
            return
        yield from self._finish()
        self.day -= timedelta(days=1)
        self.world.set_clock(self.day, 86_400 - self.random.choice([5, 60, 3_600]))
        yield from self._open_highest()

    def _roll(self):
        yield from self._finish()
        self.number += 1
        yield from self._open()

    def _finish(self):
        """Close the file; an empty one is deleted."""
        if not self.generation.content:
            self.disk.unlink(self.dated)
        yield 0.0

    def _writer_restart(self):
        yield from self._finish()
        yield self.random.choice([0.1, 2.0, 20.0])
        self._follow_clock()
        yield from self._open_highest()

    def _writer_crash(self):
        """It leaves a line without its end."""
        self._tear()
        yield from self._open()

    def _writer_disk_full(self):
        """The end of what is in its buffer is lost, and not even logged: the next alert is glued to what is there of the last one."""
        self._tear()
        yield self.random.choice([0.0, 1.0])

    def _tear(self):
        self._torn += 1
        data = make_line(100_000_000 - self._torn, self.random, ["windows", "ordinary"]).data
        self._append(data[: self.random.randint(1, len(data) - 3)])
