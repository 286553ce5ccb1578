"""The daemon's process: its view of the disk, on which calls take time, fail, and may be the last ones it makes."""

import errno

import trio

from simulation.disk import SimulatedHandle, children, status_of
from wazuh_dfn.tailing.alert_file import AlertFile
from wazuh_dfn.tailing.open_files import LONGEST_SURVEY_PAUSE_SECONDS

SECONDS_TO_NOTICE = 15
"""Which file is the current one has to be noticed within this time, if nothing goes wrong meanwhile."""


class KilledError(Exception):
    """The process died inside a system call."""


class Process:
    """One life of the daemon. Once it is dead, nothing that it still tries has any effect."""

    def __init__(self, world):
        self.world = world
        self.alive = True
        self.scope = trio.CancelScope()
        self.power_cut = False
        self.is_draining = False
        self.handles = []
        self._hindered_to = 0.0
        world.process = self
        self.hinder(0)

    def hinder(self, seconds):
        """Until then, in so many seconds, nobody can expect it to notice anything."""
        self._hindered_to = max(self._hindered_to, trio.current_time() + seconds)

    @property
    def is_hindered(self):
        return trio.current_time() <= self._hindered_to

    def had_time_since(self, moment):
        """Whether it could have noticed what has been so since that moment."""
        can_act = self.alive and not self.is_draining
        return can_act and trio.current_time() - max(moment, self._hindered_to) > SECONDS_TO_NOTICE

    def kill(self, how):
        if self.alive:
            self.world.note(how)
            self.alive = False
            self.scope.cancel()

    async def breathe(self, seconds):
        """Take some time; a dead process gets no further."""
        await trio.sleep(self.world.random.expovariate(1 / seconds))
        if not self.alive:
            raise KilledError


class ProcessDisk:
    """Implements `wazuh_dfn.tailing.disk.Disk`."""

    def __init__(self, process):
        self._process = process
        self._world = process.world
        self._disk = process.world.disk

    async def run(self, function, *args, **kwargs):
        await self._process.breathe(0.002)
        # the last close comes when the supervisor is done, and a hang there is ended by the timer of signals.py, which is not simulated
        is_closing = getattr(function, "__func__", None) is AlertFile.close
        if not is_closing and self._world.happens("read_hangs"):
            self._world.note(f"{function.__name__} hangs")
            self._process.hinder(600 + LONGEST_SURVEY_PAUSE_SECONDS)
            await trio.sleep(600)
        return function(*args, **kwargs)

    async def run_to_its_end(self, function, *args, **kwargs):
        with trio.CancelScope(shield=True):
            await self._process.breathe(0.004)
            return function(*args, **kwargs)

    def open(self, path):
        self._call("open", path)
        inode = self._disk.inode(path)
        handle = SimulatedHandle(self._disk, inode, lambda: self._call_that_reads(path, inode))
        self._process.handles.append(handle)
        return handle

    def status(self, path):
        self._call("status", path)
        return status_of(self._disk, self._disk.inode(path))

    def resolve(self, path):
        self._call("resolve", path)
        return self._disk.resolve(path)

    def is_mount_point(self, path):
        return False

    def names(self, folder):
        self._call("names", folder)
        return children(self._disk, folder)

    def read(self, path):
        self._call("read", path)
        return bytes(self._disk.inode(path).data)

    def write(self, path, data):
        torn = self._world.random.randint(0, len(data))
        inode = self._disk.names.get(path) or self._disk.create(path)
        self._disk.truncate(inode, data[:torn])
        self._call_that_writes("write", path)
        self._disk.truncate(inode, data)
        inode.durable, inode.is_volatile = bytes(data), False
        self._call_that_writes("fsync", path)

    def write_cached(self, path, data):
        inode = self._disk.names.get(path) or self._disk.create(path)
        self._disk.truncate(inode, data[: self._world.random.randint(0, len(data))])
        self._call_that_writes("write", path)
        self._disk.truncate(inode, data)

    def write_unsynced(self, path, data):
        """It survives the end of the process, and a power cut perhaps."""
        torn = self._world.random.randint(0, len(data))
        inode = self._disk.names.get(path) or self._disk.create(path)
        inode.is_volatile = True
        self._disk.truncate(inode, data[:torn])
        self._call_that_writes("write", path)
        self._disk.truncate(inode, data)

    def rename(self, path, to):
        self._call_that_writes("rename", path)
        self._disk.rename(path, to)
        self._call_that_writes("renamed", to)

    def remove(self, path):
        self._call_that_writes("remove", path)
        self._disk.unlink(path)

    def make_folder(self, path):
        self._disk.folders.add(path)

    def sync_folder(self, path):
        self._call_that_writes("sync", path)
        self._disk.sync_names()

    def sync_file_system(self, folder):
        self._call_that_writes("sync all of", folder)
        self._disk.sync_folder(folder)

    def return_memory(self):
        pass

    def _call(self, name, path):
        self._disk.interleave()
        if self._world.happens("read_error"):
            passing = [errno.EIO, errno.EMFILE]
            # of what lies beside alerts.json one that may not be read is not for us, and what the daemon has written it may read
            is_beside = (path.name.startswith("alerts") and path.name != "alerts.json") or path.name.startswith("checkpoint")
            number = self._world.random.choice(passing if is_beside else [*passing, errno.EACCES])
            self._world.note(f"{name} {path.name}: {errno.errorcode[number]}")
            self._process.hinder(30)
            raise OSError(number, "simulated", str(path))

    def _call_that_reads(self, path, inode):
        self._call("read", path)
        if self._disk.links(inode) and self._world.happens("stale"):  # without a name it would be gone for good
            self._world.note(f"{path.name}: stale")
            self._process.hinder(0)
            inode.failovers += 1
            inode.fresh = 0

    def _call_that_writes(self, name, path):
        if self._world.happens("kill_in_write"):
            self._process.kill(f"killed at {name} {path.name}")
            raise KilledError
        if self._world.disk_is_full or self._world.happens("write_error"):
            self._world.note(f"{name} {path.name}: ENOSPC")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
