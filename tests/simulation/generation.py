"""What the writer wrote, by file: where each line is, whatever the file is called later."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(eq=False)
class Generation:
    """One history of content of one inode, since it was last empty. `path` is its dated name, `lines` are with the offsets behind them."""

    inode: object
    path: Path
    content: bytearray = field(default_factory=bytearray)
    lines: list = field(default_factory=list)

    def lines_to(self, offset):
        """Return the lines that end at or before an offset."""
        return [line for line, end in self.lines if end <= offset]


class History:
    """All generations, in the order in which they began, and the `current` one."""

    def __init__(self, world):
        self.generations = []
        self.current = None
        self._note = world.note
        self._disk = world.disk

    def begin(self, inode, path):
        """Write to this file from now on: go on in its generation, if its content is still that."""
        generation = self._latest(inode)
        if generation is None or generation.content != inode.data:
            generation = self._add(inode, path, len(self.generations))
        elif generation is not self.generations[-1]:
            self._note("back to an older file")
        self.current = generation

    def look_again(self, inodes):
        """After a power cut: a file that came back with other content has a new generation, in the place behind its former one."""
        for inode in inodes:
            former = self._latest(inode)
            if former is None or former.content == inode.data:
                continue
            if b"\0" * 8 in inode.data:
                self._note("NULs after a power cut")
            if inode.read_to > len(inode.data):
                self._note("shorter than what was read")
            for line, end in former.lines:
                start = end - len(line.data)
                line.holed |= self._disk.has_holes and start < len(inode.data) and bytes(inode.data[start:end]) not in line.data
            self._add(inode, former.path, self.generations.index(former) + 1)

    def fitting(self, holds):
        """Return the generations for whose content (bytes) `holds` is true, in the order in which they began."""
        return [generation for generation in self.generations if holds(bytes(generation.content))]

    def of(self, inode):
        return [generation for generation in self.generations if generation.inode is inode]

    def _latest(self, inode):
        found = self.of(inode)
        same = [generation for generation in found if generation.content == inode.data]
        return (same or found or [None])[-1]

    def _add(self, inode, path, place):
        lines = [entry for former in self.of(inode) for entry in former.lines]
        kept = {line.number: (line, end) for line, end in lines if inode.data[:end].endswith(line.data)}
        generation = Generation(inode, path, bytearray(inode.data), list(kept.values()))
        self.generations.insert(place, generation)
        self._note(f"generation {len(self.generations) - 1}: inode {inode.number}, {path.name}, {len(inode.data)} bytes")
        return generation
