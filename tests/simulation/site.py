"""What people and cron jobs do to the alert files of the simulated site, and what else is there."""

import trio

from simulation.lines import make_line
from simulation.places import ALERTS, FOLDER

FOREIGN_NUMBER = 88_888_888
"""Of alerts in files that are none of ours: they must never be delivered."""
FOREIGN = (b"FOREIGN", b"KEY-%08d." % FOREIGN_NUMBER)
"""What is in such files."""


class Site:
    """The part of `Wazuh` that is not Wazuh."""

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
        if self.disk.links(inode) == 1:
            return  # that was all it had: the file would be gone for good
        self.disk.unlink(ALERTS)
        yield self.random.choice([0.1, 2.0, 30.0])
        self.disk.link(ALERTS, inode)
        inode.current_since = trio.current_time()

    def _gzip_numbered(self):
        """The command gzip, which leaves a file alone whose packed name is taken."""
        for path in self._numbered(".json"):
            if path.with_name(f"{path.name}.gz") not in self.disk.names:
                yield from self._compress(path, keeps_time=True)
                return

    def _delete_numbered(self):
        """Delete the oldest numbered file, read or not."""
        for path in self._numbered(".json", ".gz")[:1]:
            self.disk.unlink(path)
            self.world.oracle.excuse_unreadable("deleted by the site")
            yield 0.0

    def _numbered(self, *suffixes):
        def is_meant(path):
            is_numbered = path.name.startswith("ossec-alerts-") and path.name.count("-") == 3
            return is_numbered and path.suffix in suffixes and self.disk.names[path] not in {self.generation.inode, self._current()}

        return [path for path in sorted(self.disk.names) if is_meant(path)]

    def _current(self):
        return self.disk.names.get(ALERTS)

    def _foreign_files(self):
        """What else lies beside the alerts; some of it even holds alerts."""
        for folder, stem in ((FOLDER, "alerts"), (self.dated.parent, self.dated.stem)):
            alert = make_line(FOREIGN_NUMBER, self.random, ["windows"]).data
            for name, data in (
                (f"{stem}.log", b"** Alert 1769731200.1: - syslog\nRule: 5710 (level 5) -> 'FOREIGN'\n\n"),
                (f"{stem}.json.sum", b"FOREIGN " + b"0" * 64 + b"\n"),
                (f".{stem}.json.swp", alert * 3),
                (f".{stem}.json.Xa3dQ1", alert[:100]),
            ):
                path = folder / name
                self.disk.append(self.disk.names.get(path) or self.disk.create(path), data)
                yield 0.0

    def move(self):
        """Between two lives of the daemon: the files are on another device, as after a reboot, or copied there with all but their inodes."""
        self.world.note("device changes")
        self.disk.device += 1
        if self.random.random() < 0.5:
            self.world.note("inodes change")
            numbers = [inode.number + 100 for inode in self.disk.inodes]
            self.random.shuffle(numbers)
            for inode, number in zip(self.disk.inodes, numbers, strict=True):
                inode.number = number
