"""What has to be true, during a run and at its end."""

import re
from collections import defaultdict
from pathlib import Path

from simulation.compression import unpacked
from simulation.disk import status_of
from simulation.lines import KEPT_LINE_BYTES, LINE_LIMIT_BYTES
from simulation.places import FOLDER
from simulation.site import FOREIGN
from wazuh_dfn.errors import CheckpointUnreadableError
from wazuh_dfn.tailing.checkpoint_file import load
from wazuh_dfn.tailing.registry import Mark

CHECKPOINT = Path("/state/checkpoint.json")
DEAD_LETTERS = Path("/dead-letters")
KEY = re.compile(rb"KEY-\d{8}\.")


class Oracle:
    """Watches broker, disk and pipeline of one run."""

    def __init__(self, world):
        self.world = world
        self._by_key = {}
        self._booked = 0
        self._latest = {}
        """For each kind (and file, where the writer goes back to former ones) the last line that arrived for the first time."""
        self.poisoned = 0
        """How many messages the supervisors have given up."""

    @property
    def has_begun(self):
        """Before its first checkpoint the daemon can't know of what is rotated away."""
        return CHECKPOINT in self.world.disk.durable_names

    def line_of(self, value):
        """Return the line that a record was made of."""
        for line in self.world.lines[self._booked :]:
            self._by_key[line.key] = line
        self._booked = len(self.world.lines)
        keys = set(KEY.findall(value))
        holed = [line for line in map(self._by_key.get, keys) if line is not None and line.holed]
        if len(keys) > 1 and holed:  # the line feed between them was lost in a power cut
            return holed[0]
        if len(keys) != 1:
            self.world.violate(f"a record of {len(keys)} lines: {value!r}")
        line = self._by_key.get(keys.pop())
        if line is None:
            self.world.violate(f"a record of what is no whole alert of Wazuh's: {value!r}")
        return line

    def is_refused(self, value):
        """Whether this broker never takes the record: one in forty, in worlds where that happens."""
        return self.world.rates.get("refused", 0) and self.line_of(value).number % 40 == 7

    def record_arrived(self, value):
        line = self.line_of(value)
        if value != line.record() and not line.holed:
            self.world.violate(f"line {line.number}: the record differs from what the formats give: {value!r}")
        line.delivered += 1
        if line.delivered == 1 and not self.world.rewrites_files:
            part = (line.kind, line.file if self.world.goes_back else None)
            if line.number < self._latest.get(part, -1):
                self.world.violate(f"line {line.number} arrives after line {self._latest[part]}")
            self._latest[part] = line.number
        if line.delivered > 1:
            self.world.note(f"line {line.number} arrives again")

    def answer_is_open(self, values):
        """Written, but whether the daemon hears of it is open: it may send them again."""
        for value in values:
            self.line_of(value).may_repeat += 1

    def acknowledged(self, values):
        for value in values:
            self.line_of(value).may_repeat -= 1

    def something_was_destroyed(self):
        """Excuse the lines that nobody can read any more, and let all others come again."""
        self.excuse_unreadable("destroyed")
        for line in self.world.lines:
            line.may_repeat += 1

    def excuse_unreadable(self, why, lines=None):
        """Excuse those of the lines (or of all) that are in no file any more."""
        for line in self.unreadable(self.world.lines if lines is None else lines):
            line.excused = line.excused or why

    def unreadable(self, lines):
        """Return those of the lines that are in no file that has a name. Of one with a hole its number is enough."""
        left = b"".join(content[: content.rfind(b"\n") + 1] for content in self._contents())  # what has no end may still get one
        return [line for line in lines if (line.key if line.holed else line.data) not in left]

    def life_begins(self):
        """What was delivered and is not behind a position that is saved, and still there, may come again."""
        covered = set()
        for known in self._saved():
            marks = sorted({known.settled, *known.earlier.values()}, reverse=True)
            there = next((mark for mark in marks if any(fits(content, known, mark) for content in self._contents())), Mark())
            covered |= {line.number for line in self._covered(known, there)}
        for line in self.world.lines:
            if line.number not in covered:
                line.may_repeat += line.delivered > 0

    def saving(self, files):
        """A checkpoint must never be ahead of what is settled."""
        dead = self.dead()
        for known in files:
            for line in self._covered(known, known.settled):
                if not (line.excused or line.holed or self._is_settled(line, dead)):
                    self.world.violate(
                        f"{known.path} is saved at {known.settled.offset}, ahead of {self._describe(line)}, which is not settled"
                    )

    def saved(self):
        """What has been saved survives a power cut from now on."""
        disk = self.world.disk
        inode = disk.names[CHECKPOINT]
        if disk.durable_names.get(CHECKPOINT) is not inode or inode.durable != bytes(inode.data):
            self.world.violate("a checkpoint that was saved would not survive a power cut")

    def check_bounds(self, pipeline):
        """At every step: no mailbox ever holds more than it may."""
        for mailbox in pipeline.mailboxes:
            leases = [*mailbox._waiting._state.buffer, *mailbox._suspects, *mailbox._leases, *(lease for lease, _ in mailbox._poisoned)]
            if len({lease.slot for lease in leases}) > mailbox.capacity:
                self.world.violate(f"{mailbox.name} holds {len(leases)} messages")
        held = sum(len(lease.item.data) for lease in pipeline.chunks._waiting._state.buffer)
        if held > pipeline.chunks.capacity * max(pipeline.settings.supervisor.read_chunk_bytes, KEPT_LINE_BYTES):
            self.world.violate(f"{held} bytes wait for the router")

    def check_all(self, pipeline):
        """At the end, when all is quiet."""
        if any(inode.opened for inode in self.world.disk.inodes):
            self.world.violate("files are held open after the end")
        counts = pipeline.ledger.accounting
        if not counts.is_balanced or counts.in_flight:
            self.world.violate(f"accounting: {counts}")
        dead = self.dead()
        poison = [line for line in self.world.lines if line.kind != "broken" and not line.delivered and dead[line.key] == {"poison"}]
        if len(poison) > self.poisoned:
            self.world.violate(f"{len(poison)} alerts are in the dead letters as poison, {self.poisoned} messages were")
        self.check_settled()
        for path, inode in self.world.disk.names.items():
            if path.suffix == ".raw" and any(foreign in inode.data for foreign in FOREIGN):
                self.world.violate(f"{path.name} is of a file that is none of Wazuh's")
        for line in self.world.lines:
            # which copies were read before is told by their times alone, not exactly: some may be read again
            if line.delivered > 1 + line.may_repeat and not self.world.rates["copytruncate"]:
                self.world.violate(f"line {line.number} arrived {line.delivered} times, {1 + line.may_repeat} were excusable")
            if line.kind == "ordinary" and line.delivered:
                self.world.violate(f"line {line.number} is not relevant and was delivered")

    def check_settled(self):
        """When all is quiet: what was written has arrived, or is kept as what can't be sent."""
        dead = self.dead()
        for line in self.world.lines:
            if not line.excused and not self._is_settled(line, dead):
                self.world.violate(f"{self._describe(line)} was neither delivered nor dead-lettered")

    def dead(self):
        """Return the keys that stand in the dead letters, each with the stages that put it there."""
        stages = defaultdict(set)
        for path, inode in self.world.disk.names.items():
            if path.suffix == ".raw":
                for key in KEY.findall(inode.data):
                    stages[key].add(path.name.split("-")[2])
        return stages

    def _describe(self, line):
        places = [
            f"{number} (inode {generation.inode.number}) to {end}"
            for number, generation in enumerate(self.world.wazuh.generations)
            for other, end in generation.lines
            if other is line
        ]
        return f"line {line.number} ({line.kind}) in generation {', '.join(places)}"

    def _is_settled(self, line, dead):
        if line.kind == "ordinary" or (line.kind == "broken" and line.joined):
            return True  # with what stands before it, broken can even become whole
        stages = dead[line.key]
        if line.holed and stages:
            return True
        return line.delivered > 0 or (bool(stages) if line.kind == "broken" else any(self._may_be(line, stage) for stage in stages))

    def _may_be(self, line, stage):
        """Whether a whole, relevant alert may be dead-lettered like that; how many are poison, `check_all` looks at."""
        if stage == "rejected":
            return self.is_refused(line.data)
        if stage == "oversize":
            return line.joined or len(line.data) > LINE_LIMIT_BYTES
        return stage == "poison"

    def _saved(self):
        try:
            saved = load(_Disk(self.world.disk), CHECKPOINT)
        except CheckpointUnreadableError:
            return ()
        return () if saved is None else saved.files

    def _covered(self, known, mark):
        """Return the lines before a position, in all files that have held it."""
        fitting = self.world.wazuh.history.fitting(lambda content: mark.offset > 0 and fits(content, known, mark))
        return [line for generation in fitting for line in generation.lines_to(mark.offset)]

    def _contents(self):
        for path, inode in self.world.disk.names.items():
            if path.parts[: len(FOLDER.parts)] == FOLDER.parts:
                yield unpacked(path.name, inode.data)


class _Disk:
    """What reading a checkpoint needs."""

    def __init__(self, disk):
        self._disk = disk

    def read(self, path):
        return bytes(self._disk.inode(path).data)

    def status(self, path):
        return status_of(self._disk, self._disk.inode(path))


def fits(content, known, mark):
    """Tell whether the mark of a known file is one in this content."""
    start = mark.offset - mark.tail.length
    return (
        len(content) >= mark.offset
        and known.head.fits(bytes(content[: known.head.length]))
        and mark.tail.fits(bytes(content[start : mark.offset]))
    )
