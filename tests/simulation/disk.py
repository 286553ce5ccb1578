"""A disk in memory: hard links, inodes that are reused at once, contents and names that a power cut can lose."""

import errno
from dataclasses import dataclass, field
from math import floor, inf
from os.path import normpath
from pathlib import Path

from wazuh_dfn.tailing.disk import Status

PAGE_BYTES = 200
"""As much smaller than a real one as lines are."""


@dataclass(eq=False)
class Inode:
    number: int
    modified: float
    data: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    """What would be there after a power cut."""
    opened: int = 0
    fresh: int = 0
    """How many of the handles on it are not stale."""
    failovers: int = 0
    """A handle that was opened before the last one is stale for ever."""
    read_to: int = 0
    """How far the present life of the daemon has read."""
    current_since: float = inf
    """When alerts.json was last linked to it, on the clock that never jumps."""
    is_volatile: bool = False
    """Whether it was last written without a sync: after a power cut it can be old, new, torn or zeros."""
    is_named: bool = False


class SimulatedDisk:
    """What all processes share. `clock` gives seconds since the epoch; `interleave` lets others work between two system calls."""

    def __init__(self, random, clock):
        self.random = random
        self.clock = clock
        self.interleave = lambda: None
        self.on_nameless = lambda inode: None
        """Called when the last name of an inode goes."""
        self.on_freed = lambda inode: None
        """Called when an inode without a name is not open any more either."""
        self.device = 1
        self.has_coarse_times = False
        """Whether times are kept to the second only."""
        self.is_forgetful = False
        """Whether a power cut takes all that was not synced, more often than not."""
        self.has_holes = False
        """Whether a power cut can lose a page in the middle of what was written since the last sync."""
        self.links_to = {}
        """Symbolic links: each path with its target, as it was given."""
        self.names = {}
        self.durable_names = {}
        self.folders = set()
        self.inodes = []
        self._pending = []
        """Changes of names since they were last made durable, in order: (path, inode or None)."""

    def time(self):
        return float(floor(self.clock())) if self.has_coarse_times else self.clock()

    def resolve(self, path):
        """Follow symbolic links; what they lead to need not be there."""
        for _ in range(40):
            if path not in self.links_to:
                return path
            path = Path(normpath(path.parent / self.links_to[path]))
        raise OSError(errno.ELOOP, "Too many levels of symbolic links", str(path))

    def links(self, inode):
        return sum(named is inode for named in self.names.values())

    def inode(self, path):
        try:
            return self.names[self.resolve(path)]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path)) from None

    def create(self, path):
        used = {inode.number for inode in self.inodes}
        number = next(number for number in range(1, len(used) + 2) if number not in used)
        inode = Inode(number, self.time())
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
        inode.modified = self.time()

    def truncate(self, inode, data=b""):
        inode.data[:] = data
        inode.read_to = min(inode.read_to, len(data))
        inode.modified = self.time()

    def collect(self):
        """Free what has no name and is not open, so that its inode number is used again."""
        named = set(map(id, self.names.values()))
        lost = [inode for inode in self.inodes if inode.is_named and id(inode) not in named]
        freed = [inode for inode in self.inodes if id(inode) not in named and not inode.opened]
        self.inodes = [inode for inode in self.inodes if id(inode) in named or inode.opened]
        for inode in self.inodes:
            inode.is_named = id(inode) in named
        for inode in lost:
            self.on_nameless(inode)
        for inode in freed:
            self.on_freed(inode)

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
        kept = self.random.randint(0, len(self._pending))
        self._apply(0 if self.is_forgetful and self.random.random() < 0.6 else kept)
        self._pending.clear()
        self.names = dict(self.durable_names)
        self.inodes += [inode for inode in dict.fromkeys(self.names.values()) if inode not in self.inodes]  # its last name is back
        for inode in self.inodes:
            inode.opened = inode.fresh = 0
            self._lose_cached(inode)
        self.collect()

    def _lose_cached(self, inode):
        cached = bytes(inode.data)
        if inode.is_volatile and cached != inode.durable:
            torn = cached[: self.random.randint(0, len(cached))]
            cached = self.random.choice([cached, inode.durable, torn, torn + bytes(len(cached) - len(torn)), b""])
            inode.data[:], inode.durable, inode.is_volatile = cached, cached, False
            return
        if not cached.startswith(inode.durable):
            cached = self.random.choice([cached, inode.durable])
        least = min(len(inode.durable), len(cached))
        kept = self.random.randint(least, len(cached))
        if self.is_forgetful and self.random.random() < 0.6:
            kept = least
        lost_to_zeros = self.random.choice([0, 0, 0, min(len(cached) - kept, 200)])
        inode.data[:] = cached[:kept] + bytes(lost_to_zeros)
        if self.has_holes and kept - least > PAGE_BYTES:
            for _ in range(self.random.randint(0, 3)):
                page = self.random.randint(least, kept - PAGE_BYTES)
                inode.data[page : page + PAGE_BYTES] = bytes(PAGE_BYTES)
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
        self._failovers = inode.failovers
        inode.opened += 1
        inode.fresh += 1

    def read(self, offset, limit):
        self._before_read()
        self._check()
        data = bytes(self._inode.data[offset : offset + limit])
        if data:
            self._inode.read_to = max(self._inode.read_to, offset + len(data))
        return data

    def status(self):
        self._check()
        return status_of(self._disk, self._inode)

    def _check(self):
        if self._failovers < self._inode.failovers:
            raise OSError(errno.ESTALE, "Stale file handle")

    def close(self):
        if self._is_open:
            self._is_open = False
            self._inode.opened -= 1
            self._inode.fresh -= self._failovers == self._inode.failovers
            self._disk.collect()


def status_of(disk, inode):
    return Status(disk.device, inode.number, len(inode.data), inode.modified, disk.links(inode))


def children(disk, folder: Path):
    """Return the names in a folder."""
    depth = len(folder.parts)
    found = {path.parts[depth]: None for path in (*disk.names, *disk.links_to) if path.parts[:depth] == folder.parts}
    if not found and folder not in disk.folders:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(folder))
    return list(found)
