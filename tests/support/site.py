"""A Wazuh that writes, and the tailing of it, which can be started, stopped and killed. Tests of the tailing need to know nothing else of it.

What belongs to the present tailing is in `Site` alone: who writes another one changes `tailing`, `save`, `problems` and nothing else here.
"""

import os
import re
import time
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from unittest.mock import patch

import anyio
import pytest
from structlog.testing import capture_logs

from support.wazuh_writer import WazuhWriter
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.delivery.poison import lines_of
from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox
from wazuh_dfn.tailing import chunks, open_files
from wazuh_dfn.tailing.alert_file import AlertFolder
from wazuh_dfn.tailing.beginning import Beginning
from wazuh_dfn.tailing.checkpoint_file import CheckpointFile
from wazuh_dfn.tailing.checkpoint_status import CheckpointStatus
from wazuh_dfn.tailing.checkpointer import Checkpointer
from wazuh_dfn.tailing.chunks import ChunkReader
from wazuh_dfn.tailing.open_files import OpenFiles
from wazuh_dfn.tailing.place import ReadingPlace
from wazuh_dfn.tailing.tailer import Tailer

PAD = b"." * 1100
"""Makes each line longer than the fingerprint."""
DOWN_OR_UP = pytest.mark.parametrize("up", [False, True], ids=["down", "up"])
"""Whether the daemon runs meanwhile, see `Site.maybe_tailing`."""
PATIENCE_SECONDS = 5.0
"""For so long nothing happens, and then nothing will."""
QUIET_SECONDS = 0.08
"""Several looks at the files: what is read twice is read again by then."""
_WHOLE = re.compile(rb"(\d{6}) \.+ \1")
"""A line of `line`, also behind a torn one that it is glued to."""


def line(number, length=None):
    """Return a line with that number; `length` counts all of its bytes, with the line feed."""
    pad = PAD if length is None else b"." * (length - 15)
    return b"%06d %s %06d\n" % (number, pad, number)


def lines(*numbers):
    return b"".join(line(number) for number in numbers)


async def until(condition):
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.01)


class Site:
    """A Wazuh that writes, and a tailer that can be started and stopped; what it hands on counts as settled at once.

    `path` is what json_alert_file says, and may be changed between two lives. `read` has what was handed on in all lives: the numbers of
    whole lines, the bytes of others, and `b"oversize"` for a line that is marked so. `events` has the log of all lives.
    """

    def __init__(self, folder, writer):
        self.wazuh = writer
        self.path = folder / "alerts.json"
        self.checkpoint = folder / "state" / "checkpoint.json"
        self.checkpoints = CheckpointFile(self.checkpoint, LocalDisk())
        self.read = []
        self.events = []
        self._problems_shown = set()
        self._checkpointer = self._place = None
        self._is_killed = False
        self._may_take = anyio.Event()
        self._may_take.set()

    @asynccontextmanager
    async def tailing(self, start_at="beginning"):
        """Run one life; it ends by saving what is settled, unless it was killed."""
        place, outbox = ReadingPlace(), Mailbox("out", 2)
        ledger = Ledger(place.registry.settle)
        self._place, self._is_killed, self._problems_shown = place, False, set()
        self._checkpointer = Checkpointer(place.registry, self.checkpoints, CheckpointStatus(), 1.0)
        files = AlertFolder(self.path, LocalDisk())
        beginning = Beginning(files, self.checkpoints, place, start_at, self._checkpointer.save)
        reader = ChunkReader(place, ledger, outbox, 256 * 1024)
        tailer = Tailer(place, beginning, OpenFiles(files, place, time.time), reader, poll_interval_seconds=0.01)
        lifeline = Lifeline(None, lambda: None)
        with (
            capture_logs() as events,
            patch.multiple(open_files, SURVEY_SECONDS=0.02, PATIENCE_SECONDS=0.1),
            patch.object(chunks, "REST_SECONDS", 0.05),
        ):
            self.events.append(events)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.consume, outbox, ledger)
                tasks.start_soon(tailer.run, lifeline)
                tasks.start_soon(self._watch_problems)
                yield place
                if not self._is_killed:
                    lifeline.stopping.set()
                    await anyio.sleep(0.03)
                tasks.cancel_scope.cancel()
        outbox.dispose()
        if not self._is_killed:
            await self.save()
        await place.aclose()

    async def consume(self, outbox, ledger):
        while True:
            lease = await outbox.receive()
            await self._may_take.wait()
            chunk = lease.item
            found = [b"oversize"] if chunk.oversize else [text.rstrip(b"\n") for text in lines_of(chunk.data)]
            for text in found:
                self.read += [int(number) for number in _WHOLE.findall(text)] or [text]
            ledger.route(chunk.ticket, not_relevant=len(found), dead=0, pending={})
            lease.done()

    async def save(self):
        """Save the checkpoint now, as the daemon does every so often; without this a killed life leaves what it began with."""
        await self._checkpointer.save()

    def kill(self):
        """Let the present life end without saving more than it has saved."""
        self._is_killed = True

    def hold(self):
        """Stop taking what is handed on, as if the broker were away: the mailbox fills up and the tailer waits."""
        self._may_take = anyio.Event()

    def release(self):
        self._may_take.set()

    @property
    def place(self):
        """Where the reading stands in the present life."""
        return self._place

    @property
    def problems(self):
        """What the status shows as wrong with the reading now: it is healthy without."""
        return list(self._place.problems)

    @property
    def event_names(self):
        return [event["event"] for life in self.events for event in life]

    async def _watch_problems(self):
        while True:
            self._problems_shown.update(self.problems)
            await anyio.sleep(0.005)

    async def until_read(self, *numbers):
        """Wait until just these have been read, in this order."""
        with anyio.move_on_after(60):
            while len(self.read) < len(numbers):
                await anyio.sleep(0.01)
        await anyio.sleep(0.05)
        assert self.read == list(numbers)

    async def until_all_read(self, *numbers, repeats=0, scraps=0):
        """Wait until all these have been read, in any order; so many may come once more, and so many other lines may come that are not whole."""
        before, missing = len(self.read), set(numbers).difference(self.read)
        with anyio.move_on_after(PATIENCE_SECONDS) as patience:
            while missing:
                await anyio.sleep(0.01)
                if len(self.read) > before:
                    missing.difference_update(self.read[before:])
                    before = len(self.read)
                    patience.deadline = anyio.current_time() + PATIENCE_SECONDS
        await anyio.sleep(QUIET_SECONDS)
        self.assert_read(*numbers, repeats=repeats, scraps=scraps)

    def assert_read(self, *numbers, repeats=0, scraps=0):
        counts = Counter(self.read)
        lost = sorted(set(numbers).difference(self.read), key=str)
        repeated = sorted(number for number in counts.elements() if isinstance(number, int) and counts[number] > 1)
        others = [text[:80] if isinstance(text, bytes) else text for text in self.read if text not in set(numbers)]
        extra = len(repeated) - len(set(repeated))
        tally = f"lost {len(lost)}: {lost[:9]}; repeated {extra}: {sorted(set(repeated))[:9]}; others {len(others)}: {others[:5]}"
        assert (not lost, extra <= repeats, len(others) <= scraps) == (True, True, True), tally
        assert not [text for text in others if isinstance(text, int)], tally

    async def until_problem(self, *words):
        """Wait until one problem has been shown in this life that has all these words."""

        def is_shown():
            return any(all(str(word) in problem for word in words) for problem in self._problems_shown)

        with anyio.move_on_after(PATIENCE_SECONDS):
            while not is_shown():
                await anyio.sleep(0.01)
        assert is_shown(), f"no problem names {', '.join(map(str, words))}; shown were {sorted(self._problems_shown)}"

    @asynccontextmanager
    async def maybe_tailing(self, *, up):
        """If `up`, run a life around what happens, until it reads nothing more; else it happens while none runs."""
        if not up:
            yield
            return
        async with self.tailing():
            await pause()
            yield
            before = -1
            while before != len(self.read):
                before = len(self.read)
                await anyio.sleep(QUIET_SECONDS)


@contextmanager
def without_privileges():
    """Root may read everything, so it becomes nobody for a while."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


NOBODY = 65534


@contextmanager
def site_in(folder, **writer_options):
    """A site whose Wazuh writes to that folder."""
    writer = WazuhWriter(folder, **writer_options)
    try:
        yield Site(folder, writer)
    finally:
        writer.close()


async def settle(site, *numbers):
    """Write these lines, and run a life that reads them beside all that was read before."""
    before = set(site.read)
    site.wazuh.write(lines(*numbers))
    async with site.tailing():
        await site.until_all_read(*before, *numbers)


async def restart_and_expect(site, *numbers, repeats=0, scraps=0):
    """What is there has been read at the end of the next life, and the one after that repeats nothing of it."""
    async with site.tailing():
        await site.until_all_read(*numbers, repeats=repeats, scraps=scraps)
    read = list(site.read)
    async with site.tailing():
        await anyio.sleep(QUIET_SECONDS)
    assert site.read == read, f"the second start read {site.read[len(read) :][:9]} again"


async def pause(seconds=0.025):
    """Let some looks at the files pass."""
    await anyio.sleep(seconds)
