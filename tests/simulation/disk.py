"""A disk in memory: hard links, inodes that are reused at once, contents and names that a power cut can lose."""

import errno
from dataclasses import dataclass, field
from pathlib import Path

from wazuh_dfn.tailing.disk import Status


@dataclass(eq=False)
class Inode:
    number: int
    modified: float
    data: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    """What would be there after a power cut."""
    opened: int = 0


class SimulatedDisk:
    """What all processes share. `clock` gives seconds since the epoch; `interleave` lets others work between two system calls."""

    def __init__(self, random, clock):
        self.random = random
        self.clock = clock
        self.interleave = lambda: None
        self.names = {}
        self.durable_names = {}
        self.folders = set()
        self.inodes = []
        self._pending = []
        """Changes of names since they were last made durable, in order: (path, inode or None)."""

    def inode(self, path):
        try:
            return self.names[path]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path)) from None

    def create(self, path):
        used = {inode.number for inode in self.inodes}
        number = next(number for number in range(1, len(used) + 2) if number not in used)
        inode = Inode(number, self.clock())
        self.inodes.append(inode)
        self.link(path, inode)
        return inode

    def link(self, path, inode):
        self.names[path] = inode
        self._pending.append((path, inode))
        self.collect()

    def unlink(self, path):
        if self.names.pop(path, None) is not None:
            self._pending.append((path, None))
            self.collect()

    def rename(self, path, to):
        inode = self.inode(path)
        self.names[to] = inode
        del self.names[path]
        self._pending.append(("rename", path, to, inode))
        self.collect()

    def append(self, inode, data):
        inode.data += data
        inode.modified = self.clock()

    def truncate(self, inode, data=b""):
        inode.data[:] = data
        inode.modified = self.clock()

    def collect(self):
        """Free what has no name and is not open, so that its inode number is used again."""
        named = set(map(id, self.names.values()))
        self.inodes = [inode for inode in self.inodes if id(inode) in named or inode.opened]

    def sync_names(self):
        self._apply(len(self._pending))
        self._pending.clear()

    def sync_folder(self, folder):
        """Make the names durable, and of the contents those in the folder: the alerts may be on another file system."""
        self.sync_names()
        for path, inode in self.names.items():
            if path.parent == folder:
                inode.durable = bytes(inode.data)

    def sync_all(self):
        """What the kernel does every half minute by itself."""
        self.sync_names()
        for inode in self.inodes:
            inode.durable = bytes(inode.data)

    def power_cut(self):
        """Keep some of the latest changes of names, in order, and of each file what was durable and some of what was appended since."""
        self._apply(self.random.randint(0, len(self._pending)))
        self._pending.clear()
        self.names = dict(self.durable_names)
        self.inodes += [inode for inode in dict.fromkeys(self.names.values()) if inode not in self.inodes]  # its last name is back
        for inode in self.inodes:
            inode.opened = 0
            self._lose_cached(inode)
        self.collect()

    def _lose_cached(self, inode):
        cached = bytes(inode.data)
        if not cached.startswith(inode.durable):
            cached = self.random.choice([cached, inode.durable])
        kept = self.random.randint(min(len(inode.durable), len(cached)), len(cached))
        lost_to_zeros = self.random.choice([0, 0, 0, min(len(cached) - kept, 200)])
        inode.data[:] = cached[:kept] + bytes(lost_to_zeros)
        inode.durable = bytes(inode.data)

    def _apply(self, count):
        for change in self._pending[:count]:
            if change[0] == "rename":
                _, path, to, inode = change
                self.durable_names.pop(path, None)
                self.durable_names[to] = inode
            elif change[1] is None:
                self.durable_names.pop(change[0], None)
            else:
                self.durable_names[change[0]] = change[1]


class SimulatedHandle:
    def __init__(self, disk, inode, before_read):
        self._disk = disk
        self._before_read = before_read
        self._inode = inode
        self._is_open = True
        inode.opened += 1

    def read(self, offset, limit):
        self._before_read()
        return bytes(self._inode.data[offset : offset + limit])

    def status(self):
        return status_of(self._disk, self._inode)

    def close(self):
        if self._is_open:
            self._is_open = False
            self._inode.opened -= 1
            self._disk.collect()


def status_of(disk, inode):
    links = sum(named is inode for named in disk.names.values())
    return Status(1, inode.number, len(inode.data), inode.modified, links)


def children(disk, folder: Path):
    """Return the names in a folder."""
    depth = len(folder.parts)
    found = {path.parts[depth]: None for path in disk.names if path.parts[:depth] == folder.parts}
    if not found and folder not in disk.folders:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(folder))
    return list(found)
