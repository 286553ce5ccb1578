"""The simulated Wazuh and its site: they write, rotate, compress and truncate, a system call at a time."""

import trio

from simulation.generation import Generation, History
from simulation.logrotate import Logrotate
from simulation.monitord import Monitord
from simulation.places import ALERTS, FIRST_DAY, FOLDER, MONTHS
from simulation.site import Site
from simulation.writer import Writer

__all__ = ["ALERTS", "FIRST_DAY", "FOLDER", "MONTHS", "Generation", "Wazuh"]
TROUBLES = (
    *("next_day", "roll", "copytruncate", "restore", "hide", "writer_crash"),
    *("clock_back", "writer_restart", "writer_disk_full", "quiet_midnight", "logrotate_create"),
    *("gzip_numbered", "delete_numbered", "foreign_files"),
)
"""In the order in which they are drawn after each burst."""


class Wazuh(Writer, Monitord, Logrotate, Site):
    """A state machine that makes one system call a step, so that it can be driven by time, and between two calls of the daemon."""

    def __init__(self, world, lines):
        self.world = world
        self.disk = world.disk
        self.random = world.random
        self.left = lines
        self.day = FIRST_DAY
        self.number = 0
        self.history = History(world)
        self.is_done = False
        self.midnight_was_quiet = False
        """Whether it is a new day, of which the writer does not know yet."""
        self.gzipped_early = []
        """The inodes whose dated names monitord took while alerts.json was linked to them."""
        self._is_stepping = False
        self._next_number = 0
        self._torn = 0
        self._rotated_at = None
        self._uncompressed = None
        self._life = self._live()

    async def run(self):
        while (seconds := self.step()) is not None:
            await trio.sleep(seconds)
        self.is_done = True

    def step(self):
        """Do one system call; returns how long to wait before the next, None when all is written."""
        if self._is_stepping:
            return 0.0
        self._is_stepping = True
        try:
            return next(self._life, None)
        finally:
            self._is_stepping = False

    def crash(self):
        """The writer dies with the host; what is in its buffer is gone, and it begins again."""
        self._life.close()
        self._follow_clock()
        self.number = self._highest()
        self.history.look_again(self.disk.inodes)
        self._life = self._live()
        if self.is_done:  # nobody drives it any more; what it was just about to do to alerts.json must not stay undone
            list(self._open())

    def _live(self):
        yield from self._open()
        while self.left > 0:
            yield from self._write_burst()
            yield self.random.choice([0.05, 0.5, 0.5, 3.0])
            for what in TROUBLES:
                if self.world.happens(what) and self.world.oracle.has_begun:
                    self.world.note(what)
                    yield from getattr(self, f"_{what}")()
        yield from self._write_burst()
