"""WindowsActor and Fail2BanActor: alerts in, records out in the same order, one bad alert costs only itself."""

from datetime import UTC, datetime

import pytest
import trio
from structlog.testing import capture_logs

from support.alerts import EVENTDATA_LEFT_OUT, fail2ban_alert, line, windows_alert
from support.kinds import build
from support.positions import position
from support.single_actor import DeadLetters, filled, lifeline_of, run_for, taken
from support.virtual_clock import run_on_virtual_clock
from wazuh_dfn.delivery.ledger import Accounting, Ledger
from wazuh_dfn.kinds import record, windows
from wazuh_dfn.kinds.catalogue import kind_named
from wazuh_dfn.kinds.fail2ban import Fail2BanActor
from wazuh_dfn.kinds.windows import WindowsActor
from wazuh_dfn.messages import Alert, AlertBatch
from wazuh_dfn.supervision.mailbox import Mailbox
from wazuh_dfn.wazuh.feedback_queue import FeedbackQueue
from wazuh_dfn.wazuh.feedback_status import FeedbackStatus

pytestmark = pytest.mark.trio(run=run_on_virtual_clock)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ACTORS = {"windows": WindowsActor, "fail2ban": Fail2BanActor}
MAKERS = {"windows": lambda number: windows_alert(eventRecordID=str(number)), "fail2ban": lambda number: fail2ban_alert(pid=str(number))}
BAD = 2
both_kinds = pytest.mark.parametrize("kind", ACTORS)


class World:
    """One chunk for each number of alerts; alert `i` is at offset `10 * i`."""

    def __init__(self, kind, *sizes, capacity=100, dead_letters=None):
        self.kind = kind
        self.ledger = Ledger()
        self.dead_letters = dead_letters or DeadLetters()
        self.outbox = Mailbox("kafka", capacity)
        self.feedback = FeedbackQueue(FeedbackStatus("not connected"))
        self.batches = []
        first = 0
        for size in sizes:
            self.add([MAKERS[kind](number) for number in range(first, first + size)], first)
            first += size

    def add(self, contents, first=0):
        alerts = tuple(Alert(10 * (first + i), line(content), content) for i, content in enumerate(contents))
        ticket = self.ledger.open_chunk(position(10 * (first + len(alerts))), len(alerts))
        self.ledger.route(ticket, not_relevant=0, dead=0, pending={self.kind: [alert.offset for alert in alerts]})
        self.batches.append(AlertBatch(ticket, position(10 * first), self.kind, alerts))

    def actor(self):
        return ACTORS[self.kind](kind_named(self.kind), self.ledger, self.dead_letters, self.outbox, self.feedback.error, now=lambda: NOW)

    async def transform(self):
        inbox = await filled(*self.batches)
        await self.actor().run(lifeline_of(inbox))
        assert inbox.depth == 0
        return taken(self.outbox)


def offsets_of(batches):
    return [[entry.offset for entry in batch.records] for batch in batches]


@pytest.fixture
def bad_alert(monkeypatch):
    """Let the transformation of alert number `BAD` raise."""
    unforeseen_free = record.build

    def build_or_raise(kind, alert, now):
        if str(BAD) in {alert["data"].get("pid"), alert["data"].get("win", {}).get("system", {}).get("eventRecordID")}:
            raise ZeroDivisionError("unforeseen")
        return unforeseen_free(kind, alert, now)

    monkeypatch.setattr(record, "build", build_or_raise)


@both_kinds
async def test_each_alert_becomes_a_record_in_its_place(kind):
    world = World(kind, 3, 1)
    batches = await world.transform()
    assert offsets_of(batches) == [[0, 10, 20], [30]]
    for source, batch in zip(world.batches, batches, strict=True):
        assert (batch.ticket, batch.start, batch.kind) == (source.ticket, source.start, kind)
        for alert, entry in zip(source.alerts, batch.records, strict=True):
            assert (entry.raw, entry.value) == (alert.raw, build(kind, alert.content, NOW))
    assert world.ledger.accounting == Accounting(4, 0, 0, 0, in_flight=4)


@both_kinds
async def test_an_alert_without_a_timestamp_gets_the_time_of_now(kind):
    world = World(kind)
    world.add([MAKERS[kind](0) | {"timestamp": None}])
    [batch] = await world.transform()
    assert record.wazuh_time(NOW).encode() in batch.records[0].value


@both_kinds
async def test_one_bad_alert_is_dead_lettered_and_costs_no_other(kind, bad_alert):
    world = World(kind, 4)
    assert offsets_of(await world.transform()) == [[0, 10, 30]]
    [letter] = world.dead_letters.letters
    assert (letter.stage, letter.position, letter.raw) == (kind, position(20), world.batches[0].alerts[BAD].raw)
    assert letter.reason.startswith("ZeroDivisionError (")
    assert "unforeseen" not in letter.reason, "the reason goes to the log"
    assert "build_or_raise" in letter.traceback
    told = await world.feedback.take()
    assert told.text == f"an alert could not be transformed ({kind}), its line is in the dead letters: {letter.reason}"
    assert world.ledger.accounting == Accounting(4, 0, 0, 1, in_flight=3)
    assert 20 not in world.ledger.pending(1, kind)


async def test_an_alert_that_can_not_be_inspected_is_dead_lettered(monkeypatch):
    monkeypatch.setattr(windows, "has_payload", lambda content: content["data"]["win"]["system"]["eventRecordID"] != str(BAD) or 1 / 0)
    world = World("windows", 4)
    assert offsets_of(await world.transform()) == [[0, 10, 30]]
    assert world.dead_letters.seen() == [("windows", 20, world.batches[0].alerts[BAD].raw)]


@both_kinds
async def test_a_batch_of_bad_alerts_only_hands_on_nothing(kind, bad_alert):
    world = World(kind)
    world.add([MAKERS[kind](BAD)])
    assert await world.transform() == []
    assert world.ledger.acked_through == position(10)


@both_kinds
async def test_what_is_settled_is_skipped(kind):
    world = World(kind, 4, 2)
    for ticket, offset, dead in [(1, 10, True), (1, 20, False), (2, 40, False), (2, 50, True)]:
        world.ledger.settle(ticket, kind, [offset], dead=dead)
    assert offsets_of(await world.transform()) == [[0, 30]]
    assert world.dead_letters.letters == []


async def test_an_alert_settled_for_the_other_kind_is_not_skipped():
    world = World("windows")
    ticket = world.ledger.open_chunk(position(10), 1)
    world.ledger.route(ticket, not_relevant=0, dead=0, pending={"windows": [0], "fail2ban": [0]})
    world.ledger.settle(ticket, "fail2ban", [0])
    world.batches.append(AlertBatch(ticket, position(0), "windows", (Alert(0, b"", windows_alert()),)))
    assert offsets_of(await world.transform()) == [[0]]


async def test_a_bad_alert_is_not_settled_before_it_is_stored(bad_alert):
    world = World("windows", 4, dead_letters=DeadLetters(seconds=10))
    inbox = await filled(*world.batches)
    _, lived = await run_for(9, world.actor(), inbox)
    assert lived == 9
    assert 20 in world.ledger.pending(1, "windows")
    assert (taken(world.outbox), inbox.depth) == ([], 1)


async def test_a_wait_for_room_that_is_cancelled_hands_on_nothing_and_the_successor_all_once(bad_alert):
    world = World("windows", 4, capacity=1)
    inbox = await filled(*world.batches)
    async with world.outbox.reserve():
        lifeline, lived = await run_for(50, world.actor(), inbox)
        assert (lived, lifeline.waiting_for) == (50, None)
        assert (taken(world.outbox), inbox.depth) == ([], 1)
        inbox.reclaim(None)
    with trio.fail_after(1):
        await world.actor().run(lifeline_of(inbox))
    assert offsets_of(taken(world.outbox)) == [[0, 10, 30]]
    assert len(world.dead_letters.letters) == 1, "the bad alert was settled by the predecessor"
    assert inbox.depth == 0


async def test_a_batch_stays_in_the_mailbox_until_its_records_are_handed_on():
    world = World("fail2ban", 1, capacity=1)
    inbox = await filled(*world.batches)
    lifeline = lifeline_of(inbox)
    async with trio.open_nursery() as nursery, world.outbox.reserve():
        nursery.start_soon(world.actor().run, lifeline)
        await trio.sleep(1000)
        assert (inbox.depth, lifeline.waiting_for, lifeline.silent_seconds()) == (1, "room in kafka", 0)
    assert (inbox.depth, world.outbox.depth) == (0, 1)


@pytest.mark.parametrize(("eventdata", "warnings"), [(None, 0), (EVENTDATA_LEFT_OUT, 1)])
async def test_a_windows_event_without_payload_is_sent_with_a_warning(eventdata, warnings):
    world = World("windows")
    world.add([windows_alert(eventdata)])
    with capture_logs() as logs:
        assert offsets_of(await world.transform()) == [[0]]
    assert [(entry["log_level"], entry["alert_id"], entry["offset"]) for entry in logs] == [("warning", "1704067260.1", 0)] * warnings
