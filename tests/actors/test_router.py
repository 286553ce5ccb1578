"""The router: relevant lines go on in order, and each line is booked exactly once, however broken it is."""

from itertools import pairwise
from random import Random

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from support.alerts import fail2ban_alert, line, ordinary_alert, windows_alert
from support.kinds import select
from support.positions import position
from support.single_actor import DeadLetters, filled, lifeline_of, run_for, taken
from support.virtual_clock import run_on_virtual_clock
from wazuh_dfn.delivery.ledger import Accounting, Ledger
from wazuh_dfn.kinds import router
from wazuh_dfn.kinds.router import PARSED_AT_ONCE, Router
from wazuh_dfn.messages import LINE_LIMIT_BYTES, Chunk, count_lines
from wazuh_dfn.supervision.mailbox import Mailbox

pytestmark = pytest.mark.trio(run=run_on_virtual_clock)

WINDOWS, FAIL2BAN, ORDINARY = line(windows_alert()), line(fail2ban_alert()), line(ordinary_alert())
BOTH = line(fail2ban_alert(win=windows_alert()["data"]["win"]))
HOLED = WINDOWS.replace(b"logged", b"\0" * 6)
LONE_NULS, HALF, LIST = b"\0" * 64, WINDOWS[:50], b"[1]"
DEEP = b"[" * 2_000 + b"]" * 2_000
UNRELATED = line(ordinary_alert())[:-1] + b',"other":{"eventID":"4625"},"deep":' + DEEP + b"}"
INVALID_UTF8 = line(windows_alert({"user": "X"})).replace(b'"X"', b'"\xff\xfe"')

LINES = {
    "windows": (WINDOWS, "w"),
    "fail2ban": (FAIL2BAN, "f"),
    "ordinary": (ORDINARY, ""),
    "both kinds": (BOTH, "wf"),
    "blank": (b"", ""),
    "white space": (b" \t ", ""),
    "carriage return only": (b"\r", ""),
    "CRLF": (WINDOWS + b"\r", "w"),
    "NULs before": (b"\0" * 5 + WINDOWS, "w"),
    "NULs behind": (FAIL2BAN + b"\0" * 5, "f"),
    "NULs only": (LONE_NULS, "d"),
    "invalid UTF-8": (INVALID_UTF8, "w"),
    "half a line": (HALF, "j"),
    "no object": (LIST, "j"),
    "half a line that held an ID": (WINDOWS[:-9], "d"),
    "half a line that held the program": (FAIL2BAN[:-9], "d"),
    "half a line of an alert that is not wanted": (ORDINARY[:-9], "j"),
    "deep, and of no interest": (UNRELATED, "o"),
    "deep, and of interest": (WINDOWS[:-1] + b',"deep":' + DEEP + b"}", "d"),
    "deep, and no JSON": (UNRELATED.replace(b"[]", b"[x]"), "d"),
    "a NUL hole within a text": (ORDINARY.replace(b"data", b"\0\0\0\0"), "d"),
    "a NUL hole within a text, and of interest": (HOLED, "d", (b"", HOLED, "w")),
    "half a line, then the next alert": (HALF + WINDOWS, "d", (HALF, WINDOWS, "w")),
    "an ordinary half, then the next alert": (ORDINARY[:-9] + FAIL2BAN, "d", (ORDINARY[:-9], FAIL2BAN, "f")),
    "half a line, then NULs, then the next alert": (HALF + LONE_NULS + BOTH, "d", (HALF + LONE_NULS, BOTH, "wf")),
    "two halves, then an ordinary alert": (HALF + HALF + ORDINARY, "j", (HALF + HALF, ORDINARY, "")),
    "a key that a nested alert has, then half a line": (ORDINARY[:-1] + b',"inner":' + WINDOWS[:-9], "d"),
    "two alerts without a line feed between": (WINDOWS + FAIL2BAN, None, (b"", WINDOWS, "w"), (WINDOWS, FAIL2BAN, "f")),
    "an alert, half of one, an alert": (WINDOWS + HALF + BOTH, "d", (b"", WINDOWS, "w"), (WINDOWS + HALF, BOTH, "wf")),
}
"""A line without its line feed, and what becomes of all of it: a record of some kind, (d)ead letter, (j)unk, (o)dd, or nothing.

For what is torn, there follow the whole alerts on it: what stands before each, its bytes, and what becomes of it.
"""


class World:
    def __init__(self, *chunks, capacity=100, dead_letters=None, first_offset=1000):
        self.ledger = Ledger()
        self.dead_letters = dead_letters or DeadLetters()
        self.outboxes = {"windows": Mailbox("windows", capacity), "fail2ban": Mailbox("fail2ban", capacity)}
        self.chunks = []
        offset = first_offset
        for data in chunks:
            lines = count_lines(data)
            ticket = self.ledger.open_chunk(position(offset + len(data)), lines)
            self.chunks.append(Chunk(ticket, position(offset), data, lines))
            offset += len(data)
        self.end = offset

    def router(self):
        return Router(select, self.ledger, self.dead_letters, self.outboxes)

    async def route(self):
        inbox = await filled(*self.chunks)
        await self.router().run(lifeline_of(inbox))
        assert inbox.depth == 0
        return self.put()

    def put(self):
        """Return (kind letter, offset, raw) of all alerts that were handed on."""
        batches = [batch for outbox in self.outboxes.values() for batch in taken(outbox)]
        return [(batch.kind[0], alert.offset, alert.raw) for batch in batches for alert in batch.alerts]


def expected(names, first_offset=1000):
    """Return what is to be handed on (Windows first), the dead letters, and the counts, of lines of these names."""
    alerts, dead, offset, lines, relevant, odd = [], [], first_offset, 0, 0, 0
    for name in names:
        raw, fate, *torn = LINES[name]
        whole = torn if fate in {"d", "j", None} else [(b"", raw, fate.replace("o", ""))]
        for before, alert, kinds in whole:
            alerts += [(kind, offset + len(before), alert) for kind in kinds]
            relevant += kinds != ""
        dead += [("malformed" if fate == "d" else "junk", offset, raw)] if fate in {"d", "j"} else []
        odd += fate == "o"
        lines += len(whole) + (fate in {"d", "j"})
        offset += len(raw) + 1
    alerts = [entry for kind in "wf" for entry in alerts if entry[0] == kind]
    return alerts, dead, Accounting(lines, lines - relevant - len(dead), delivered=0, dead_lettered=len(dead), in_flight=relevant, odd=odd)


def joined(names):
    return b"".join(LINES[name][0] + b"\n" for name in names)


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("end", [b"\n", b""], ids=["", "without line feed"])
async def test_each_line_between_others_is_booked_exactly_once(name, end):
    names = ["windows", "ordinary", name]
    world = World(joined(names[:2]) + LINES[name][0] + end)
    if LINES[name][0] + end == b"":
        names.pop()
    put = await world.route()
    assert (put, world.dead_letters.seen(), world.ledger.accounting) == expected(names)


@pytest.mark.parametrize("seed", range(20))
async def test_any_mixture_of_lines_in_any_chunks_keeps_its_order_and_is_booked_once(seed, monkeypatch):
    random = Random(seed)
    monkeypatch.setattr(router, "PARSED_AT_ONCE", random.choice([1, 2, 7, 256]))
    names = random.choices(list(LINES), k=random.randint(1, 60))
    cuts = sorted({0, len(names), *(random.randrange(len(names)) for _ in range(4))})
    world = World(*(joined(names[begin:end]) for begin, end in pairwise(cuts)))
    put = await world.route()
    assert (put, world.dead_letters.seen(), world.ledger.accounting) == expected(names)


async def test_alerts_of_a_chunk_are_one_batch_for_each_kind():
    world = World(joined(["windows", "both kinds", "fail2ban"]))
    await world.route()
    world = World(joined(["windows", "both kinds", "fail2ban"]))
    inbox = await filled(*world.chunks)
    await world.router().run(lifeline_of(inbox))
    [windows], [fail2ban] = taken(world.outboxes["windows"]), taken(world.outboxes["fail2ban"])
    assert (windows.ticket, windows.start, len(windows.alerts)) == (world.chunks[0].ticket, position(1000), 2)
    assert (fail2ban.ticket, fail2ban.start, len(fail2ban.alerts)) == (world.chunks[0].ticket, position(1000), 2)
    assert fail2ban.alerts[1].content == fail2ban_alert()


async def test_a_line_of_both_kinds_is_settled_with_its_second_record():
    world = World(joined(["both kinds"]))
    await world.route()
    ticket = world.chunks[0].ticket
    world.ledger.settle(ticket, "windows", [1000])
    assert world.ledger.acked_through is None
    world.ledger.settle(ticket, "fail2ban", [1000])
    assert world.ledger.acked_through == position(world.end)


async def test_a_chunk_without_relevant_lines_is_settled_at_once():
    world = World(joined(["ordinary", "blank", "half a line"]))
    assert await world.route() == []
    assert world.ledger.acked_through == position(world.end)


def oversize_world(data, cut=0):
    world = World()
    end = position(5 + len(data) + cut)
    world.chunks.append(Chunk(world.ledger.open_chunk(end, lines=1), position(5), data, 1, oversize=True, cut=cut))
    return world


async def test_an_oversize_line_is_one_dead_letter():
    data = b"x" * 100 + WINDOWS[:-1]
    world = oversize_world(data + b"\n")
    assert await world.route() == []
    assert world.dead_letters.seen() == [("oversize", 5, data + b"\n")]
    assert world.dead_letters.letters[0].reason == "longer than 4 MiB; it is kept whole"
    assert world.ledger.accounting == Accounting(1, 0, 0, 1, 0)
    assert world.ledger.acked_through == position(5 + len(data) + 1)


async def test_alerts_to_forward_that_stand_whole_on_an_oversize_line_are_forwarded():
    data = HALF + FAIL2BAN + ORDINARY + WINDOWS
    world = oversize_world(data + b"\n")
    assert await world.route() == [("w", 5 + len(HALF + FAIL2BAN + ORDINARY), WINDOWS), ("f", 5 + len(HALF), FAIL2BAN)]
    assert world.dead_letters.letters[0].reason.endswith("alerts that stand whole on it were forwarded: 2")
    assert world.ledger.accounting == Accounting(3, 0, 0, 1, in_flight=2)


async def test_of_an_oversize_line_with_a_gap_nothing_is_taken_for_an_alert_that_reaches_over_the_gap():
    half = len(HALF + WINDOWS + WINDOWS)
    data = HALF + WINDOWS + WINDOWS[:-20] + b" " * 20 + WINDOWS[-20:] + b" " * (half - 20 - len(FAIL2BAN) - 1) + FAIL2BAN + b"\n"
    assert len(data) == 2 * half
    world = oversize_world(data, cut=1000)
    put = await world.route()
    assert put == [("w", 5 + len(HALF), WINDOWS), ("f", 5 + 1000 + len(data) - 1 - len(FAIL2BAN), FAIL2BAN)]
    assert world.dead_letters.letters[0].reason.startswith("longer than 4 MiB; 1000 bytes in its middle were not kept")


@pytest.mark.parametrize(
    ("length", "fate"), [(LINE_LIMIT_BYTES - 1, "junk"), (LINE_LIMIT_BYTES, "oversize"), (2 * LINE_LIMIT_BYTES, "oversize")]
)
async def test_a_line_over_the_limit_is_oversize_wherever_chunks_begin(length, fate):
    long = b"a" * 100 + b"x" * (length - 200) + b"z" * 100
    world = World(WINDOWS + b"\n" + long + b"\n" + FAIL2BAN + b"\n")
    put = await world.route()
    assert [(kind, raw) for kind, _, raw in put] == [("w", WINDOWS), ("f", FAIL2BAN)]
    assert world.dead_letters.seen() == [(fate, 1000 + len(WINDOWS) + 1, long)]
    assert world.ledger.accounting == Accounting(3, 0, 0, 1, in_flight=2)


async def test_the_largest_line_is_forwarded():
    largest = WINDOWS[:-1] + b',"full_log":"' + b"x" * (LINE_LIMIT_BYTES - 1 - len(WINDOWS) - 14) + b'"}'
    assert len(largest) == LINE_LIMIT_BYTES - 1
    world = World(largest + b"\n")
    assert [raw for _, _, raw in await world.route()] == [largest]


async def test_a_flood_of_malformed_lines_is_stored_in_one_call_for_each_chunk():
    world = World(*[joined(["half a line", "a NUL hole within a text"] * 500)] * 2)
    await world.route()
    assert (world.dead_letters.calls, len(world.dead_letters.letters)) == (2, 2000)


async def test_the_reason_names_nul_bytes():
    world = World(joined(["a NUL hole within a text"]))
    await world.route()
    assert "4 NUL bytes" in world.dead_letters.letters[0].reason


async def test_a_dead_letter_tells_why():
    world = World(joined(["no object"]))
    await world.route()
    [letter] = world.dead_letters.letters
    assert letter.reason == "the line is valid JSON, but no object"


async def test_nothing_of_a_chunk_is_booked_before_its_dead_letters_are_stored():
    world = World(joined(["windows", "half a line"]), dead_letters=DeadLetters(seconds=10))
    inbox = await filled(*world.chunks)
    await run_for(9, world.router(), inbox)
    assert world.ledger.accounting == Accounting(2, 0, 0, 0, in_flight=2)
    assert 1000 not in world.ledger.pending(world.chunks[0].ticket, "windows")
    assert (world.put(), inbox.depth) == ([], 1)


async def test_a_chunk_with_many_relevant_lines_is_handed_on_in_parts():
    names = ["ordinary", "windows", "half a line"] * (PARSED_AT_ONCE + 1)
    world = World(joined(names))
    inbox = await filled(*world.chunks)
    await world.router().run(lifeline_of(inbox))
    sizes = [len(batch.alerts) for batch in taken(world.outboxes["windows"])]
    assert sizes == [PARSED_AT_ONCE, 1]
    assert world.dead_letters.seen() == expected(names)[1]
    assert world.ledger.accounting == expected(names)[2]


async def test_after_a_crash_between_two_parts_only_the_rest_is_routed_again():
    names = ["windows"] * (2 * PARSED_AT_ONCE + 1)
    world = World(joined(names), capacity=1)
    inbox = await filled(*world.chunks)
    await run_for(5, world.router(), inbox)
    put = world.put()
    assert len(put) == PARSED_AT_ONCE
    for _ in range(2):
        inbox.reclaim(None)
        await run_for(5, world.router(), inbox)
        put += world.put()
    assert (put, world.ledger.accounting, inbox.depth) == (expected(names)[0], expected(names)[2], 0)


async def test_a_wait_for_room_that_is_cancelled_puts_and_books_nothing_and_the_successor_all_of_it_once():
    names = ["both kinds", "half a line"]
    world = World(joined(names), capacity=1)
    blocker = world.outboxes["fail2ban"]
    async with blocker.reserve():
        inbox = await filled(*world.chunks)
        _, lived = await run_for(5, world.router(), inbox)
        assert lived == 5
        assert (world.put(), world.ledger.accounting) == ([], Accounting(2, 0, 0, 0, in_flight=2))
        inbox.reclaim(None)
    with trio.fail_after(1):  # the slots that it held are free again
        await world.router().run(lifeline_of(inbox))
    alerts, _, counts = expected(names)
    assert (world.put(), world.ledger.accounting, inbox.depth) == (alerts, counts, 0)


async def test_a_chunk_stays_in_the_mailbox_until_all_its_alerts_are_handed_on():
    world = World(joined(["both kinds"]), capacity=1)
    inbox = await filled(*world.chunks)
    async with trio.open_nursery() as nursery, world.outboxes["fail2ban"].reserve():
        nursery.start_soon(world.router().run, lifeline_of(inbox))
        await wait_all_tasks_blocked()
        assert (inbox.depth, world.outboxes["windows"].depth) == (1, 0)
    assert (inbox.depth, world.outboxes["windows"].depth) == (0, 1)


async def test_waiting_for_room_is_never_taken_for_hanging():
    world = World(joined(["fail2ban"]), capacity=1)
    lifeline = lifeline_of(await filled(*world.chunks))
    async with trio.open_nursery() as nursery, world.outboxes["fail2ban"].reserve():
        nursery.start_soon(world.router().run, lifeline)
        await trio.sleep(1000)
        assert (lifeline.waiting_for, lifeline.silent_seconds()) == ("room in fail2ban", 0)
