"""A simulated world, made of one seed: how often what happens in it, and the lives of the daemon there."""

from collections import deque
from datetime import datetime, time
from random import Random
from zlib import crc32

import trio

from simulation.broker import SimulatedBroker
from simulation.disk import SimulatedDisk
from simulation.oracle import Oracle
from simulation.wazuh import FIRST_DAY, Wazuh

RATES = {
    # a step of the writer
    "next_day": 0.05,
    "roll": 0.05,
    "copytruncate": 0.03,
    "restore": 0.02,
    "hide": 0.02,
    "writer_crash": 0.05,
    # a call of the daemon
    "read_error": 0.002,
    "read_hangs": 0.0005,
    "write_error": 0.01,
    "kill_in_write": 0.01,
    "interleave": 0.05,
    "connect_fails": 0.1,
    "connect_hangs": 0.01,
    "deliver_fails": 0.05,
    "deliver_hangs": 0.005,
    "cut_off": 0.03,
    "answer_lost": 0.03,
    "answer_hangs": 0.005,
    "close_hangs": 0.05,
    "needs_operator": 0.2,
    "refused": 1.0,
    # the weather
    "clock_jump": 0.2,
    "outage": 0.3,
    "slow": 0.1,
    # a step of an actor
    "crash_actor": 0.004,
    "kill": 0.0005,
    "power_cut": 0.0003,
    # a call of the feedback
    "feedback_absent": 0.3,
    "feedback_fails": 0.1,
    "feedback_hangs": 0.02,
    "feedback_crashes": 0.02,
}


class ViolationError(AssertionError):
    """A promise was broken."""


class SimulatedWorld:
    """Everything outside of the daemon. Each world has some of the troubles, each with a rate of its own."""

    def __init__(self, seed, lines):
        self.seed = seed
        self.random = Random(seed)
        self.rates = {what: rate * self.random.choice([0, 0, 1, 1, 1, 4]) for what, rate in RATES.items()}
        if seed % 10 == 0:
            self.rates = dict.fromkeys(RATES, 0) | {what: RATES[what] for what in ("next_day", "roll", "interleave")}
        # Copies, and what follows a file that is gone, are told by times and contents: power cuts, and one thing more that spoils those.
        spoilers = ["clock_jump", "copytruncate", "restore"]
        spoilers.remove(self.random.choice(spoilers))
        self.rates |= dict.fromkeys(spoilers, 0)
        if self.rates["restore"]:  # nobody can tell when a file, rotated away meanwhile, was restored to what it had been before
            self.rates |= {"next_day": 0, "roll": 0}
        self.events = deque(maxlen=60)
        self.kinds = set()
        self.fingerprint = 0
        """Changes with every event: two runs of one seed must agree in it."""
        self.clock_offset = 0.0
        self.begin_day(FIRST_DAY)
        self.lines = []
        self.scope = trio.CancelScope()
        self.violation = None
        self.is_calm = False
        self.disk_is_full = False
        self.disk = SimulatedDisk(self.random, self.now)
        self.disk.interleave = self._interleave
        self.oracle = Oracle(self)
        self.broker = SimulatedBroker(self)
        self.wazuh = Wazuh(self, lines)

    @property
    def rewrites_files(self):
        """Whether what stands in files changes otherwise than by appending: the order of their lines means little then."""
        return any(self.rates[what] for what in ("copytruncate", "restore", "power_cut"))

    def now(self):
        return self.clock_offset + trio.current_time()

    def begin_day(self, day):
        """It is midnight."""
        self.clock_offset = datetime.combine(day, time()).timestamp() - trio.current_time()

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
