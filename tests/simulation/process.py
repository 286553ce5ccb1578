"""The daemon's process: its view of the disk, on which calls take time, fail, and may be the last ones it makes."""

import errno

import trio
from wazuh_dfn.adapters.alert_file import AlertFile

from simulation.disk import SimulatedHandle, children, status_of


class KilledError(Exception):
    """The process died inside a system call."""


class Process:
    """One life of the daemon. Once it is dead, nothing that it still tries has any effect."""

    def __init__(self, world):
        self.world = world
        self.alive = True
        self.scope = trio.CancelScope()
        self.power_cut = False
        self.handles = []

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
            await trio.sleep(600)
        return function(*args, **kwargs)

    async def run_to_its_end(self, function, *args, **kwargs):
        with trio.CancelScope(shield=True):
            await self._process.breathe(0.004)
            return function(*args, **kwargs)

    def open(self, path):
        self._call("open", path)
        inode = self._disk.inode(path)
        handle = SimulatedHandle(self._disk, inode, lambda: self._call("read", path))
        self._process.handles.append(handle)
        return handle

    def status(self, path):
        self._call("status", path)
        return status_of(self._disk, self._disk.inode(path))

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
        inode.durable = bytes(data)
        self._call_that_writes("fsync", path)

    def write_cached(self, path, data):
        inode = self._disk.names.get(path) or self._disk.create(path)
        self._disk.truncate(inode, data[: self._world.random.randint(0, len(data))])
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
            is_beside = path.name.startswith("alerts.json.")  # of these, one that may not be read is not for us
            number = self._world.random.choice(passing if is_beside else [*passing, errno.EACCES])
            self._world.note(f"{name} {path.name}: {errno.errorcode[number]}")
            raise OSError(number, "simulated", str(path))

    def _call_that_writes(self, name, path):
        if self._world.happens("kill_in_write"):
            self._process.kill(f"killed at {name} {path.name}")
            raise KilledError
        if self._world.disk_is_full or self._world.happens("write_error"):
            self._world.note(f"{name} {path.name}: ENOSPC")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
