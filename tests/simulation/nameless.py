"""Judges what becomes of bytes in a file without a name: only who holds it open can read them."""


class Nameless:
    """Excuses lines that nobody could read. What the daemon could have held open, and did not, stays as it is: it has to be delivered."""

    def __init__(self, world):
        self._world = world
        self._read = []
        """Inodes that this life of the daemon had read to their end when they were gone: their lines are in this process alone."""
        world.disk.on_nameless = self._lost_its_name
        world.disk.on_freed = self._freed

    def life_ends(self):
        """What only this process had is lost with it. Call it when its handles are closed."""
        for inode in self._read:
            self._excuse(inode, "was in a process that ended")
        self._read.clear()
        for inode in self._world.disk.inodes:
            inode.read_to = 0

    def _lines(self, inode):
        return [line for generation in self._world.wazuh.history.of(inode) for line, _ in generation.lines]

    def _excuse(self, inode, why):
        self._world.oracle.excuse_unreadable(why, self._lines(inode))

    def _lost_its_name(self, inode):
        if not self._lines(inode):
            return
        if self._world.oracle.unreadable(self._lines(inode)):
            self._world.note("nameless, held open" if inode.fresh else "nameless, not open")
        if not inode.fresh:  # all that was open is stale, so that nobody can tell which part of it a packed copy is
            for line in self._lines(inode):
                line.may_repeat += 1
            if inode.opened:
                self._judge(inode)

    def _freed(self, inode):
        if self._lines(inode):
            self._judge(inode)

    def _judge(self, inode):
        process = self._world.process
        is_read = inode.read_to >= len(inode.data)
        if process is None or not process.alive:
            self._excuse(inode, "nobody could read it")
        elif is_read or process.is_draining:
            self._read.append(inode)
        elif not process.had_time_since(inode.current_since):
            self._excuse(inode, "nobody had the time to open it")
        else:
            self._world.note("nameless bytes were overlooked")
