"""Two kinds of alerts share one file and one topic: how far one is ahead of the other, and when it has to wait for it."""

from dataclasses import replace
from itertools import batched
from random import Random

import pytest
import trio

from support.corpus import Corpus, flood, furthest_overtaken, lines_of_kinds, number_of
from support.memory_world import MemoryBroker, MemoryFile, run_pipeline_on
from support.virtual_clock import run_on_virtual_clock

pytestmark = pytest.mark.trio(run=run_on_virtual_clock)
LINES_A_CHUNK = 4


class ChunkedFile(MemoryFile):
    """Gives so many lines at each read, after `seconds`, however many there are."""

    def __init__(self, kinds, seconds=0.001):
        self.corpus = Corpus()
        chunks = [b"".join(lines) for lines in batched(lines_of_kinds(kinds, self.corpus), LINES_A_CHUNK)]
        super().__init__(b"".join(chunks))
        self._seconds = seconds
        self._ends, end = [], 0
        for chunk in chunks:
            end += len(chunk)
            self._ends.append(end)

    async def read(self, position, limit, *, skip=0):
        await trio.sleep(self._seconds)
        return self.data[position.offset + skip : min((end for end in self._ends if end > position.offset), default=0)]


def arrivals(broker):
    """Return (kind, number) of what has arrived, in order."""
    return [number_of(value) for value in broker.values]


def assert_all_arrived_in_order(file, broker):
    for kind in ("windows", "fail2ban"):
        assert [number for found, number in arrivals(broker) if found == kind] == getattr(file.corpus, kind)


@pytest.mark.parametrize("kind", ["windows", "fail2ban"])
@pytest.mark.parametrize("capacity", [1, 2, 4])
@pytest.mark.parametrize("seed", range(5))
async def test_a_flood_of_one_kind_overtakes_the_other_by_a_few_batches_at_most(kind, capacity, seed):
    """No batch arrives behind more than 2 * `mailbox_capacity` of the other kind that stand behind it in the file.

    It waits in its actor's mailbox behind `mailbox_capacity` - 1 others at most. For each of these, and for itself, the actor takes a slot
    in the mailbox of the broker, where who asks first comes first. Until it has one, the other actor can get two: one that it had asked
    for before, and one that it asks for while the batch is received and transformed. Behind that there is one queue for both kinds.
    The flood's kind is in each chunk, so that chunks count its batches.
    """
    random = Random(seed)
    file = ChunkedFile(flood(random, kind, 800, once_in=200), seconds=random.choice([0, 0.001]))
    broker = MemoryBroker()
    await run_pipeline_on(file, broker, mailbox_capacity=capacity)
    assert_all_arrived_in_order(file, broker)
    assert furthest_overtaken((kind, number // LINES_A_CHUNK) for kind, number in arrivals(broker)) <= 2 * capacity


async def stand_still_until(end, lifeline):
    with lifeline.waiting("the end"):
        await trio.sleep_until(end)


async def crash_until(end, lifeline):
    if trio.current_time() < end:
        raise ZeroDivisionError


def in_trouble(spec, trouble):
    """Return the spec with 20 s of trouble before its body gets anywhere."""
    end = trio.current_time() + 20

    async def body(lifeline):
        lifeline.started()
        await trouble(end, lifeline)
        await spec.body(lifeline)

    return replace(spec, body=body)


@pytest.mark.parametrize("capacity", [1, 2, 4])
@pytest.mark.parametrize("trouble", [stand_still_until, crash_until])
async def test_an_actor_that_makes_no_headway_holds_up_the_other_kind_only_when_its_own_mailbox_is_full(trouble, capacity):
    """Bans are delivered up to the first chunk whose Windows alerts find no room: chunk `mailbox_capacity` + 1 of those that have any.

    The router takes no chunk out of turn, so all behind that one waits, unread but for `mailbox_capacity` chunks, until Windows goes on.
    """
    chunks_with_windows = range(10, 150, 10)
    kinds = [kind for chunk in range(200) for kind in ["windows" if chunk in chunks_with_windows else "fail2ban", *["fail2ban"] * 3]]
    file, broker = ChunkedFile(kinds), MemoryBroker()
    full_at = chunks_with_windows[capacity]
    seen = []

    def faults(specs):
        return [in_trouble(spec, trouble) if spec.name == "windows" else spec for spec in specs]

    async def watch(observed, lifeline):
        lifeline.started()
        await trio.sleep(15)
        seen.append((arrivals(broker), (await observed.report()).counts.lines_read))
        await lifeline.stopping.wait()

    _, _, notes = await run_pipeline_on(
        file, broker, faults=faults, serve_health=watch, seconds=60, mailbox_capacity=capacity, max_restarts=1_000
    )
    bans = [("fail2ban", number) for number in file.corpus.fail2ban if number < full_at * LINES_A_CHUNK]
    assert seen == [(bans, (full_at + capacity) * LINES_A_CHUNK)]
    assert_all_arrived_in_order(file, broker)
    assert (notes.letters, notes.saved.offset) == ([], file.corpus.size)
