"""The whole pipeline on the virtual clock, against a world in memory: crashes, hangs and outages lose nothing."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
import trio

from support.corpus import arrived
from support.faults import crash_some_lives
from support.memory_world import MemoryBroker, run_pipeline
from support.scripted_wazuh import ABSENT, ScriptedWazuh
from support.virtual_clock import run_on_virtual_clock
from wazuh_dfn.kafka.faults import RecordsRejectedError
from wazuh_dfn.supervision.events import ChildFailed, MessageRedelivered

pytestmark = pytest.mark.trio(run=run_on_virtual_clock)
ACTORS_WITH_INBOX = ["router", "windows", "fail2ban", "kafka"]


def moments(broker):
    """When the first batch arrived, and which times passed between one and the next; how many there are varies by one with trio's scheduling."""
    times = sorted(set(broker.times))
    return times[0], {round(later - earlier, 6) for earlier, later in pairwise(times)}


def assert_all_settled(corpus, pipeline, broker, notes):
    counts = pipeline.ledger.accounting
    assert counts.is_balanced
    assert (counts.lines_read, counts.in_flight, counts.dead_lettered) == (corpus.lines, 0, 0)
    assert counts.delivered == corpus.relevant
    records = [(0, 0, value) for value in broker.values]
    assert sorted(set(arrived(records, "windows"))) == corpus.windows
    assert sorted(set(arrived(records, "fail2ban"))) == corpus.fail2ban
    assert notes.saved.offset == corpus.size
    assert all(mailbox.depth == 0 for mailbox in pipeline.mailboxes)


async def test_without_faults_each_record_is_sent_once_and_in_order():
    broker = MemoryBroker()
    corpus, pipeline, events, notes = await run_pipeline(4_000, broker)
    assert_all_settled(corpus, pipeline, broker, notes)
    records = [(0, 0, value) for value in broker.values]
    assert (arrived(records, "windows"), arrived(records, "fail2ban")) == (corpus.windows, corpus.fail2ban)
    assert not [event for event in events if isinstance(event, ChildFailed)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("actor", ["monitor", "checkpointer", "kafka", "windows", "fail2ban", "router", "tailer"])
async def test_a_crashing_actor_loses_nothing(actor, seed, monkeypatch):
    monkeypatch.setattr("wazuh_dfn.pipeline.RECORDS_CAPACITY_FACTOR", 1)  # a full mailbox holds its senders in mid-batch
    random = Random(f"{actor} {seed}")
    broker = MemoryBroker()

    def faults(specs):
        return [crash_some_lives(spec, random, lives=8, longest_seconds=0.02) if spec.name == actor else spec for spec in specs]

    corpus, pipeline, events, notes = await run_pipeline(4_000, broker, faults=faults)
    assert_all_settled(corpus, pipeline, broker, notes)
    assert pipeline.restarts.failures == {actor: 8}
    if actor in ACTORS_WITH_INBOX:
        assert [event for event in events if isinstance(event, MessageRedelivered)], "no crash was in mid-batch"


async def test_all_actors_crashing_together_lose_nothing():
    random = Random(1)
    broker = MemoryBroker()

    def faults(specs):
        return [crash_some_lives(spec, random, lives=4, longest_seconds=0.1) for spec in specs]

    corpus, pipeline, _, notes = await run_pipeline(4_000, broker, faults=faults, max_restarts=100)
    assert_all_settled(corpus, pipeline, broker, notes)


async def test_an_outage_of_days_is_waited_out_with_a_bounded_number_of_messages():
    days = 3 * 24 * 3600
    broker = MemoryBroker(outage=(0.05, days))
    corpus, pipeline, events, notes = await run_pipeline(4_000, broker, seconds=days + 20, checkpoint_interval=60)
    assert_all_settled(corpus, pipeline, broker, notes)
    assert not [event for event in events if isinstance(event, ChildFailed)], "waiting is not failing"


async def test_a_defect_of_the_client_sends_no_good_record_to_the_dead_letters():
    broker = MemoryBroker(outage=(0.05, 3_600), error=TypeError)
    corpus, pipeline, _, notes = await run_pipeline(4_000, broker, seconds=4_000, poison_limit=3)
    assert_all_settled(corpus, pipeline, broker, notes)
    assert (notes.letters, pipeline.restarts.failures) == ([], {})


async def test_a_stop_during_an_outage_ends_in_time_and_checkpoints_only_what_is_settled():
    broker = MemoryBroker(outage=(0.05, 10**9))
    corpus, pipeline, _, notes = await run_pipeline(4_000, broker, seconds=10, shutdown_timeout=30)
    assert trio.current_time() - broker.began < 10 + 30
    assert 0 < notes.saved.offset < corpus.size
    assert notes.saved.offset == pipeline.ledger.acked_through.offset
    numbers = {number for number, offset in corpus.offsets.items() if offset < notes.saved.offset}
    records = [(0, 0, value) for value in broker.values]
    assert numbers <= {*arrived(records, "windows"), *arrived(records, "fail2ban")}


async def test_a_producer_that_hangs_is_given_up_at_the_progress_deadline_and_its_batch_sent_again():
    broker = MemoryBroker(hangs=2)
    corpus, pipeline, _, notes = await run_pipeline(4_000, broker, seconds=600, progress_deadline=100)
    assert_all_settled(corpus, pipeline, broker, notes)
    assert pipeline.restarts.failures == {"kafka": 2}


async def test_no_message_is_poison_because_the_producer_hangs():
    broker = MemoryBroker(hangs=20)
    corpus, pipeline, _, notes = await run_pipeline(4_000, broker, seconds=6_000, progress_deadline=100, poison_limit=2)
    assert_all_settled(corpus, pipeline, broker, notes)
    assert notes.letters == []


# --- what tells how it goes ---


async def answer_until_stopped(observed, lifeline):
    lifeline.started()
    while not lifeline.stopping.is_set():
        report = await observed.report()
        assert report.counts.balanced
        with trio.move_on_after(0.01):
            await lifeline.stopping.wait()


async def ignore_the_stop(observed, lifeline):
    lifeline.started()
    await trio.sleep_forever()


async def crash_at_once(observed, lifeline):
    lifeline.started()
    raise ZeroDivisionError


@pytest.mark.parametrize(
    "serve", [answer_until_stopped, ignore_the_stop, crash_at_once, lambda _, lifeline: block_before_the_start(lifeline)]
)
async def test_whatever_happens_to_the_health_api_batches_arrive_at_the_very_moments_at_which_they_do_without_it(serve):
    plain = MemoryBroker()
    await run_pipeline(4_000, plain)
    broker = MemoryBroker()
    began = trio.current_time()
    corpus, pipeline, _, notes = await run_pipeline(4_000, broker, serve_health=serve, max_restarts=1)
    assert trio.current_time() - began < 60 + 1.1, "a stop waits a second for it at most"
    assert_all_settled(corpus, pipeline, broker, notes)
    assert moments(broker) == moments(plain)
    assert set(pipeline.restarts.failures) <= {"health-api"}


async def test_an_outage_and_its_failures_are_told_while_they_last_and_over_when_they_are():
    broker, told = MemoryBroker(outage=(0, 100)), []

    async def watch(observed, lifeline):
        lifeline.started()
        while True:
            await trio.sleep(10)
            told.append(await observed.report())

    await run_pipeline(4_000, broker, serve_health=watch, seconds=1_000)
    outage, after, end = told[5], told[15], told[-1]
    assert (outage.status, outage.is_ready, outage.is_alive) == ("unhealthy", False, True)
    assert "connection refused" in outage.problems[0]
    assert (after.status, after.problems, after.is_ready) == ("healthy", (), True)
    assert (end.counts.delivered, end.delivery.seconds_since_acknowledgement > 800) == (400, True)
    assert sum(point.lines_read * 10 for point in end.history) == pytest.approx(4_000, rel=0.01)
    assert sum(point.delivered * 10 for point in end.history) == pytest.approx(400, rel=0.01)


async def test_an_actor_that_hangs_is_told_with_its_name():
    told = []

    async def hang(lifeline):
        lifeline.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(300)

    async def watch(observed, lifeline):
        lifeline.started()
        while True:
            await trio.sleep(10)
            told.append(await observed.report())

    def faults(specs):
        return [replace(spec, body=hang) if spec.name == "tailer" else spec for spec in specs]

    await run_pipeline(10, MemoryBroker(), faults=faults, serve_health=watch, seconds=200, progress_deadline=100, shutdown_timeout=200)
    assert [told[3].status, told[3].is_alive] == ["healthy", True]
    assert [told[8].status, told[8].is_alive] == ["degraded", True]
    assert "tailer has made no progress for 90 s" in told[8].problems[0]
    assert [told[15].status, told[15].is_alive] == ["unhealthy", False]
    assert "tailer has hung for 160 s" in told[15].problems[0]


# --- feedback to Wazuh ---


async def crash_on_every_breath(lifeline):
    lifeline.started()
    raise ZeroDivisionError


async def block_before_the_start(lifeline):
    await trio.sleep_forever()


def feedback_body(body):
    return lambda specs: [replace(spec, body=body) if spec.name == "feedback" else spec for spec in specs]


TROUBLES = {
    "works": ({}, None),
    "absent": ({"connects": [ABSENT] * 10_000}, None),
    "hangs when connecting": ({"connects": [10**9] * 1_000}, None),
    "hangs when sending": ({"sends": [0] + [10**9] * 1_000}, None),
    "crashes for ever": ({}, crash_on_every_breath),
    "never starts": ({}, block_before_the_start),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_whatever_happens_to_the_feedback_batches_arrive_at_the_very_moments_at_which_they_do_without_it(trouble):
    plain = MemoryBroker()
    await run_pipeline(4_000, plain)
    script, body = TROUBLES[trouble]
    broker, wazuh = MemoryBroker(), ScriptedWazuh(**script)
    faults = feedback_body(body) if body else lambda specs: specs
    began = trio.current_time()
    corpus, pipeline, _, notes = await run_pipeline(4_000, broker, wazuh=wazuh, faults=faults, max_restarts=1)
    assert trio.current_time() - began < 60 + 2.1, "a stop waits two seconds for it at most"
    assert_all_settled(corpus, pipeline, broker, notes)
    assert moments(broker) == moments(plain)
    for kind in ("windows", "fail2ban"):
        assert arrived([(0, 0, value) for value in broker.values], kind) == getattr(corpus, kind)
    told = [message for message in wazuh.messages() if b'"dfn":{' in message]
    if trouble == "works":
        assert len(told) == corpus.relevant
    assert len(told) + pipeline.feedback_status.dropped + pipeline.feedback.depth == corpus.relevant
    assert set(pipeline.restarts.failures) <= {"feedback"}


async def test_a_broker_outage_is_told_to_wazuh():
    broker, wazuh = MemoryBroker(outage=(0.05, 100)), ScriptedWazuh()
    await run_pipeline(4_000, broker, wazuh=wazuh, seconds=200)
    errors = [message for message in wazuh.messages() if b'"error":503' in message]
    assert errors == [
        b'1:dfn:{"error":503,"description":"broker unavailable, alerts wait in the file: no acknowledgement","integration":"dfn"}',
        b'1:dfn:{"error":503,"description":"broker unavailable, alerts wait in the file: connection refused","integration":"dfn"}',
    ]


class RejectingBroker(MemoryBroker):
    """Refuses deliveries with this value, after it has written what stands before it, as if each value were a batch of its own."""

    bad = None

    async def deliver(self, values):
        if self.bad is None:
            self.bad = values[-1]
        if self.bad in values:
            written = values.index(self.bad)
            await super().deliver(values[:written])
            raise RecordsRejectedError("too large", written=written)
        await super().deliver(values)


async def test_what_was_written_before_a_refused_record_is_not_sent_again():
    broker = RejectingBroker()
    corpus, pipeline, _, notes = await run_pipeline(2_000, broker)
    assert len(broker.values) == len(set(broker.values)) == corpus.relevant - 1
    assert [letter.stage for letter in notes.letters] == ["rejected"]
    assert pipeline.ledger.accounting.in_flight == 0
