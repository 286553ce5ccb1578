"""The simulated monitord: it gzips the file of the day before, ten seconds after midnight."""

from datetime import timedelta

from simulation.compression import PACK
from simulation.places import dated


class Monitord:
    """The part of `Wazuh` that compresses; the site's own `gzip` uses the same steps."""

    def _compress_former(self):
        """Some time after midnight: all but the newest, or what the real one does, yesterday's file alone."""
        if self.random.random() < 0.4:
            return
        yield self.random.choice([0.0, 0.2, 10.0])
        if self.world.has("real_monitord"):
            yesterday = dated(self.day - timedelta(days=1))
            if yesterday in self.disk.names:
                yield from self._gzip_growing(yesterday)
            return
        for path in sorted(self.disk.names):
            if path.name.startswith("ossec-alerts") and path.suffix == ".json" and path != self.dated:
                yield from self._compress(path)

    def _quiet_midnight(self):
        """No alert comes for ten seconds: monitord takes away the dated name of the file that is still the current one."""
        if self.midnight_was_quiet or self.number:  # a numbered one is never taken
            return
        self.midnight_was_quiet = True
        inode, path = self.generation.inode, self.dated
        self.world.set_clock(self.day + timedelta(days=1))
        yield 10.0
        if self.disk.names.get(path) is inode:
            self.gzipped_early.append(inode)
            yield from self._gzip_growing(path)
            for _ in range(self.random.randint(0, 3)):
                yield from self._write_burst()
                yield self.random.choice([0.0, 0.5, 3.0, 20.0])
        yield from self._next_day()

    def _gzip_growing(self, path):
        """Compress under the final name, in several steps, over a former one; what is written meanwhile is not in it."""
        plain, name = self.disk.inode(path), path.with_name(f"{path.name}.gz")
        packed = PACK[".gz"](bytes(plain.data))
        existing = self.disk.names.get(name)
        former = None
        if existing is not None:
            former = len(existing.data), existing.modified
            self.world.note("monitord overwrites")
            self.disk.truncate(existing)
        target = existing or self.disk.create(name)
        self.world.oracle.excuse_unreadable("overwritten by monitord")
        steps = self.random.randint(2, 4)
        for step in range(steps):
            self.disk.append(target, packed[step * len(packed) // steps : (step + 1) * len(packed) // steps])
            self.world.note("gzip grows")
            yield self.random.choice([0.0, 0.05, 1.0])
            if plain is self.generation.inode and self.random.random() < 0.3:
                yield from self._write_burst()
        if former == (len(target.data), target.modified):  # by a coarse clock that was set back nobody can tell
            for generation in self.history.of(plain):
                for line, _ in generation.lines:
                    line.excused = line.excused or "looks as what was overwritten did"
        self._settle(target)
        self.disk.unlink(path)

    def _compress(self, path, suffix=".gz", *, keeps_time=False):
        """Write the packed file in two pieces, then remove the plain one."""
        plain = self.disk.inode(path)
        if not self.disk.is_forgetful:
            plain.durable = bytes(plain.data)  # it was written long before
        packed = PACK[suffix](bytes(plain.data))
        inode = self.disk.create(path.with_name(f"{path.name}{suffix}"))
        self.world.oracle.excuse_unreadable("overwritten by monitord")
        self.disk.append(inode, packed[: len(packed) // 2])
        yield 0.0
        self.disk.append(inode, packed[len(packed) // 2 :])
        if not self.disk.is_forgetful:
            inode.durable = packed
        yield 0.0
        if keeps_time:
            inode.modified = plain.modified
        self._settle(inode)
        self.disk.unlink(path)

    def _settle(self, inode):
        """Most disks have written the packed file before the plain one is gone."""
        if not self.disk.is_forgetful:
            inode.durable = bytes(inode.data)
            self.disk.sync_names()
