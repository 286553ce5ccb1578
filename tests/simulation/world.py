"""A simulated world, made of one seed: how often what happens in it, and the lives of the daemon there."""

from collections import deque
from datetime import datetime, time
from pathlib import Path
from random import Random
from zlib import crc32

import trio

from simulation.broker import SimulatedBroker
from simulation.compression import PACK
from simulation.disk import SimulatedDisk
from simulation.logrotate import NAMINGS
from simulation.nameless import Nameless
from simulation.oracle import Oracle
from simulation.places import ALERTS, FIRST_DAY
from simulation.rates import NEW_RATES, ON, QUIET_NIGHTS, QUIET_NIGHTS_EVERY, RATES, TRAITS
from simulation.wazuh import Wazuh

LINK = Path("/etc/alerts/current.json")


class ViolationError(AssertionError):
    """A promise was broken."""


class SimulatedWorld:
    """Everything outside of the daemon. Each world has some of the troubles, each with a rate of its own.

    `new` are the names of those `NEW_RATES` that are on.
    """

    def __init__(self, seed, lines, new=None):
        self.seed = seed
        self.random = Random(seed)
        draw = self._draw_rates(seed, new)
        self.naming = draw.choice(list(NAMINGS)) if self.has("other_names") else "number"
        self.compression = draw.choice(list(PACK)) if self.has("other_compression") else ".gz"
        self.alert_path = LINK if self.has("symlink") else ALERTS
        """The path that is configured."""
        self.process = None
        self.events = deque(maxlen=60)
        self.kinds = set()
        self.fingerprint = 0
        """Changes with every event: two runs of one seed must agree in it."""
        self.clock_offset = 0.0
        self.set_clock(FIRST_DAY)
        self.lines = []
        self.scope = trio.CancelScope()
        self.violation = None
        self.is_calm = False
        self.disk_is_full = False
        self.disk = SimulatedDisk(self.random, self.now)
        self.disk.interleave = self._interleave
        self.disk.has_coarse_times, self.disk.is_forgetful, self.disk.has_holes = map(self.has, ("coarse_times", "forgetful", "holes"))
        if self.has("symlink"):
            self.disk.links_to[LINK] = draw.choice([ALERTS, Path("../..") / ALERTS.relative_to("/")])
        self.oracle = Oracle(self)
        self.broker = SimulatedBroker(self)
        self.wazuh = Wazuh(self, lines)
        self.nameless = Nameless(self)
        for trait in sorted(self.traits):
            self.note(trait)

    def _draw_rates(self, seed, new):
        """Draw how often what happens, and which traits this world has; returns what else is to be drawn from."""
        self.rates = {what: rate * self.random.choice([0, 0, 1, 1, 1, 4]) for what, rate in RATES.items()}
        if seed % 10 == 0:
            self.rates = dict.fromkeys(RATES, 0) | {what: RATES[what] for what in ("next_day", "roll", "interleave")}
        # Copies, and what follows a file that is gone, are told by times and contents: power cuts, and one thing more that spoils those.
        spoilers = ["clock_jump", "copytruncate", "restore"]
        spoilers.remove(self.random.choice(spoilers))
        self.rates |= dict.fromkeys(spoilers, 0)
        if self.rates["restore"]:  # nobody can tell when a file, rotated away meanwhile, was restored to what it had been before
            self.rates |= {"next_day": 0, "roll": 0}
        # what is newer is drawn apart, so that the worlds without it stay as they were
        draw = Random(seed + 1_000_000_007)
        on = (ON if new is None else new) if seed % 10 else ()
        rates = {what: rate * (1 if what in TRAITS else draw.choice([0, 1, 1, 4])) for what, rate in NEW_RATES.items()}
        self.traits = {what for what in sorted(TRAITS) if draw.random() < rates[what] and what in on}
        self.rates |= {what: rate if what in on else 0 for what, rate in rates.items()}
        self.has_dated_files = "undated" not in self.traits
        if self.has_dated_files:  # logrotate renames nothing that the writer finds by its date
            self.rates["logrotate_create"] = 0
        else:
            # these are about dated files, and a name that is taken away would be the only one
            self.rates |= dict.fromkeys(["roll", "hide", "quiet_midnight", "gzip_numbered", "delete_numbered"], 0)
        if self.has("stormy"):
            self.rates["power_cut"] = 5 * RATES["power_cut"]
        if self.has_dated_files and seed % QUIET_NIGHTS_EVERY == 1 and "quiet_midnight" in on:
            self.rates |= QUIET_NIGHTS
        if self.rates["restore"]:  # as above
            self.rates |= dict.fromkeys(["clock_back", "writer_restart", "quiet_midnight", "logrotate_create"], 0)
        return draw

    @property
    def rewrites_files(self):
        """Whether what stands in files changes otherwise than by appending: the order of their lines means little then."""
        return any(self.rates[what] for what in ("copytruncate", "restore", "power_cut", "logrotate_create"))

    @property
    def goes_back(self):
        """Whether the writer goes back to former files: only within each file the order of lines is that of their numbers then."""
        return any(self.rates[what] for what in ("clock_back", "gzip_numbered", "delete_numbered"))

    def has(self, trait):
        """Whether this world is so from its beginning."""
        return trait in self.traits

    def now(self):
        return self.clock_offset + trio.current_time()

    def set_clock(self, day, seconds=0.0):
        """It is so many seconds after midnight."""
        self.clock_offset = datetime.combine(day, time()).timestamp() + seconds - trio.current_time()

    def between_lives(self):
        """Between two lives of the daemon."""
        if self.happens("device_change"):
            self.wazuh.move()

    def happens(self, what):
        """Draw whether something happens now."""
        rate = self.rates[what]
        return bool(rate) and not self.is_calm and self.random.random() < rate

    def note(self, text):
        event = f"{trio.current_time():10.3f}  {text}"
        self.events.append(event)
        self.kinds.add(text)
        self.fingerprint = crc32(event.encode(), self.fingerprint)

    def violate(self, text):
        """End the run: a promise was broken. Raising alone would not do, as supervisors are made to survive that."""
        if self.violation is None:
            self.violation = ViolationError(text)
            self.note(f"VIOLATION: {text}")
        self.scope.cancel()
        raise self.violation

    def calm_down(self):
        """From now on nothing goes wrong any more."""
        self.is_calm = True
        self.disk_is_full = False
        self.broker.is_up, self.broker.is_slow = True, False

    async def change(self):
        """Disks run full, and clocks jump."""
        while not self.is_calm:
            await trio.sleep(self.random.expovariate(1 / 30))
            self.disk.sync_all()
            self.disk_is_full = not self.is_calm and self.random.random() < self.rates["write_error"] * 10
            if self.happens("clock_jump"):
                self.clock_offset += self.random.choice([-7200, -5, 3600])
                self.note("the clock jumps")

    def _interleave(self):
        if self.happens("interleave"):
            self.wazuh.step()
