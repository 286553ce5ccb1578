"""What has to be true, during a run and at its end."""

import re
from collections import defaultdict
from pathlib import Path

from simulation.compression import unpacked
from simulation.lines import LINE_LIMIT_BYTES
from simulation.places import ALERTS, FOLDER
from simulation.site import FOREIGN
from wazuh_dfn.tailing.checkpoint_file import decode
from wazuh_dfn.messages import FINGERPRINT_BYTES

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
        if value != line.record():
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
        left = b"".join(self._contents())
        return [line for line in lines if (line.key if line.holed else line.data) not in left]

    def life_begins(self):
        """What was delivered and is not behind the checkpoint may come again."""
        saved = self._saved()
        is_there = saved is not None and any(fits(content, saved) for content in self._contents())
        covered = {line.number for line in self._covered(saved)} if is_there else set()
        for line in self.world.lines:
            if line.number not in covered:
                line.may_repeat += line.delivered > 0

    def checkpoint_saved(self, position):
        """A checkpoint must never be ahead of what is settled."""
        dead = self.dead()
        for line in self._covered(position):
            if not line.excused and not self._is_settled(line, dead):
                self.world.violate(f"checkpoint at {position.offset} is ahead of {self._describe(line)}, which is not settled")

    def check_bounds(self, pipeline):
        """At every step: no mailbox ever holds more than it may."""
        for mailbox in pipeline.mailboxes:
            leases = [*mailbox._waiting._state.buffer, *mailbox._suspects, *mailbox._leases, *(lease for lease, _ in mailbox._poisoned)]
            if len({lease.slot for lease in leases}) > mailbox.capacity:
                self.world.violate(f"{mailbox.name} holds {len(leases)} messages")
        held = sum(len(lease.item.data) for lease in pipeline.chunks._waiting._state.buffer)
        if held > pipeline.chunks.capacity * pipeline.settings.supervisor.read_chunk_bytes:
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
        for path in (CHECKPOINT, CHECKPOINT.with_name("checkpoint.json.previous")):
            inode = self.world.disk.names.get(path)
            if inode is not None:
                try:
                    return decode(bytes(inode.data)).position
                except ValueError:
                    continue
        return None

    def _covered(self, position):
        """Return the lines before a position: those of all former generations too."""
        if position is None:
            return []
        generations = self.world.wazuh.generations
        for index, generation in enumerate(generations):
            if fits(generation.content, position) and is_of(generation, position):
                covered = {line.number: line for former in generations[:index] for line, _ in former.lines}
                if position.path.startswith(f"{ALERTS}."):
                    covered = {}  # copies are read before what was written at the same time or later, and may be read before other files
                for line, end in generation.lines:
                    if end <= position.offset:
                        covered[line.number] = line
                    else:
                        covered.pop(line.number, None)
                return list(covered.values())
        return []  # in what a power cut left of a file that was not written to any more

    def _contents(self):
        for path, inode in self.world.disk.names.items():
            if path.parts[: len(FOLDER.parts)] == FOLDER.parts:
                yield unpacked(path.name, inode.data)


def is_of(generation, position):
    """Tell whether the file of the position can be this one; few bytes fit many, and then its name tells (a gzipped file has another inode)."""
    if position.tail.length or position.file.head.length == FINGERPRINT_BYTES:
        return True
    plain = Path(position.path.removesuffix(".gz"))
    return generation.path == plain if plain.name.startswith("ossec-alerts") else generation.inode.number == position.file.inode


def fits(content, position):
    """Tell whether the position is one in this content."""
    start = position.offset - position.tail.length
    return (
        len(content) >= position.offset
        and position.file.head.fits(bytes(content[:1024]))
        and position.tail.fits(bytes(content[start : position.offset]))
    )
