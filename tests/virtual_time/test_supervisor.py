"""The supervisor's semantics, after OTP's, on trio's virtual clock: each rule by a test that fails without it."""

from contextlib import asynccontextmanager
from random import Random

import pytest
import trio

from support.virtual_clock import run_on_virtual_clock
from wazuh_dfn.supervision.child import ChildSpec
from wazuh_dfn.supervision.events import (
    ChildFailed,
    ChildFinished,
    ChildStarted,
    DrainCutShort,
    Escalated,
    MessagePoisoned,
    MessageRedelivered,
)
from wazuh_dfn.supervision.failures import (
    ChildHungError,
    ChildStartError,
    EndOfMailboxError,
    RestartIntensityExceededError,
    UnexpectedExitError,
)
from wazuh_dfn.supervision.mailbox import Mailbox
from wazuh_dfn.supervision.restart_policy import Backoff, Intensity
from wazuh_dfn.supervision.supervisor import Supervisor

pytestmark = pytest.mark.trio(run=run_on_virtual_clock)
STEADY = Backoff(initial_seconds=1.0, max_seconds=1.0, jitter=0.0)


class Journal:
    """What happened, at which virtual time."""

    def __init__(self):
        self.events = []
        self.notes = []

    def __call__(self, event):
        self.events.append((trio.current_time(), event))

    def note(self, *what):
        self.notes.append(what)

    def of(self, kind):
        return [event for _, event in self.events if isinstance(event, kind)]

    def times(self, kind):
        return [round(time, 3) for time, event in self.events if isinstance(event, kind)]


@pytest.fixture
def journal():
    return Journal()


async def forever(lifeline):
    lifeline.started()
    await lifeline.stopping.wait()


def failing(times, *, after=0.0, error=RuntimeError):
    left = iter(range(times))

    async def body(lifeline):
        lifeline.started()
        await trio.sleep(after)
        if next(left, None) is not None:
            raise error("crash")
        await lifeline.stopping.wait()

    return body


@asynccontextmanager
async def running(journal, *specs, drain=True, **options):
    supervisor = Supervisor(specs, subscribers=[journal], random=Random(0), **options)
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: supervisor.run(task_status=task_status))
        yield supervisor
        if drain:
            supervisor.drain()


def consumer(journal, *, poison=(), seconds=0.0, name="consumer"):
    async def body(lifeline):
        lifeline.started()
        while True:
            try:
                lease = await lifeline.receive()
            except EndOfMailboxError:
                journal.note(name, "end")
                return
            await trio.sleep(seconds)
            if lease.item in poison:
                raise ValueError(lease.item)
            journal.note(name, lease.item)
            lease.done()

    return body


async def put(mailbox, *items):
    for item in items:
        async with mailbox.reserve() as permit:
            permit.put(item)


# --- start ---


async def test_children_start_in_order_each_when_the_one_before_is_ready(journal):
    def slow(name):
        async def body(lifeline):
            journal.note(name, "begins", trio.current_time())
            await trio.sleep(2)
            lifeline.started()
            await lifeline.stopping.wait()

        return body

    began = trio.current_time()
    async with running(journal, ChildSpec("sink", slow("sink")), ChildSpec("source", slow("source"))):
        assert [(name, time - began) for name, _, time in journal.notes] == [("sink", 0), ("source", 2)]


async def test_a_failed_first_start_stops_everything_and_tells_the_cause(journal):
    async def broken(lifeline):
        raise OSError("no such folder")

    with pytest.raises(ChildStartError) as caught:
        await Supervisor([ChildSpec("good", forever), ChildSpec("bad", broken), ChildSpec("never", forever)], subscribers=[journal]).run()
    assert caught.value.child == "bad"
    assert isinstance(caught.value.__cause__, OSError)
    assert {event.child for event in journal.of(ChildFinished)} == {"good", "bad"}


async def test_a_start_that_hangs_is_a_failed_start(journal):
    async def stuck(lifeline):
        await trio.sleep_forever()

    with pytest.raises(ChildStartError) as caught:
        await Supervisor([ChildSpec("stuck", stuck, progress_deadline_seconds=7)]).run()
    assert isinstance(caught.value.__cause__, ChildHungError)


# --- restart ---


async def test_only_the_failed_child_is_restarted(journal):
    async with running(journal, ChildSpec("a", forever), ChildSpec("b", failing(1, after=1), backoff=STEADY)):
        await trio.sleep(10)
        assert [(event.child, event.restarts) for event in journal.of(ChildStarted)] == [("a", 0), ("b", 0), ("b", 1)]


@pytest.mark.parametrize(
    ("restart", "ends", "starts"),
    [
        ("permanent", "failure", 2),
        ("permanent", "return", 2),
        ("transient", "failure", 2),
        ("transient", "return", 1),
        ("temporary", "failure", 1),
        ("temporary", "return", 1),
    ],
)
async def test_the_restart_type_decides_who_comes_back(journal, restart, ends, starts):
    lives = []

    async def body(lifeline):
        lives.append(1)
        lifeline.started()
        if len(lives) > 1:
            await lifeline.stopping.wait()
        elif ends == "failure":
            raise RuntimeError

    async with running(journal, ChildSpec("other", forever), ChildSpec("child", body, restart=restart, backoff=STEADY)):
        await trio.sleep(100)
        assert len(lives) == starts


async def test_a_permanent_child_that_returns_has_failed(journal):
    async def body(lifeline):
        lifeline.started()
        await trio.sleep(50)

    async with running(journal, ChildSpec("child", body, backoff=STEADY)):
        await trio.sleep(60)
        assert isinstance(journal.of(ChildFailed)[0].error, UnexpectedExitError)


async def test_an_exception_group_counts_as_one_failure_and_a_single_error_is_unwrapped(journal):
    async def one(lifeline):
        lifeline.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(failing(1), lifeline)

    async def two(lifeline):
        lifeline.started()
        raise ExceptionGroup("both", [KeyError(), ValueError()])

    specs = [ChildSpec("one", one, backoff=STEADY, restart="temporary"), ChildSpec("two", two, restart="temporary")]
    async with running(journal, *specs, ChildSpec("other", forever)):
        await trio.sleep(1)
    errors = {event.child: event.error for event in journal.of(ChildFailed)}
    assert isinstance(errors["one"], RuntimeError)
    assert isinstance(errors["two"], ExceptionGroup)


async def test_delays_double_up_to_the_maximum_and_start_anew_after_a_stable_time(journal):
    lives = iter([0, 0, 0, 0, 31, 0])

    async def body(lifeline):
        lifeline.started()
        await trio.sleep(next(lives, 1000))
        raise RuntimeError

    backoff = Backoff(initial_seconds=1, max_seconds=5, factor=2, jitter=0, stable_after_seconds=30)
    async with running(journal, ChildSpec("child", body, backoff=backoff), drain_timeout_seconds=1):
        await trio.sleep(100)
        assert [event.delay_seconds for event in journal.of(ChildFailed)] == [1, 2, 4, 5, 1, 2]


async def test_jitter_only_shortens_the_delay_and_no_delay_overflows():
    backoff = Backoff(initial_seconds=0.1, max_seconds=5, jitter=0.5)
    delays = [backoff.delay_seconds(100_000, Random(seed)) for seed in range(50)]
    assert all(2.5 <= delay <= 5 for delay in delays)
    assert len(set(delays)) > 40


# --- intensity ---


async def test_more_than_n_restarts_within_t_escalate_last_started_first(journal):
    stopped = []

    def noting(name):
        async def body(lifeline):
            lifeline.started()
            try:
                await trio.sleep_forever()
            finally:
                stopped.append(name)

        return body

    specs = [ChildSpec("a", noting("a")), ChildSpec("b", noting("b")), ChildSpec("bad", failing(99, after=1), backoff=STEADY)]
    with pytest.raises(RestartIntensityExceededError) as caught:
        await Supervisor(specs, intensity=Intensity(3, 60), subscribers=[journal]).run()
    assert len(journal.of(ChildFailed)) == 4
    assert stopped == ["b", "a"]
    assert len(journal.of(Escalated)) == 1
    assert isinstance(caught.value.__cause__, RuntimeError)


async def test_exactly_n_restarts_within_t_are_borne(journal):
    async with running(journal, ChildSpec("child", failing(3, after=1), backoff=STEADY), intensity=Intensity(3, 60)):
        await trio.sleep(100)
        assert len(journal.of(ChildStarted)) == 4


async def test_failures_older_than_the_window_are_forgotten(journal):
    async with running(journal, ChildSpec("child", failing(20, after=10), backoff=STEADY), intensity=Intensity(3, 30)):
        await trio.sleep(1000)
        assert len(journal.of(ChildFailed)) == 20


async def test_restarts_of_all_children_count_together(journal):
    specs = [ChildSpec(name, failing(2, after=1), backoff=STEADY) for name in "ab"]
    with pytest.raises(RestartIntensityExceededError):
        await Supervisor(specs, intensity=Intensity(3, 60)).run()


async def test_a_restart_that_fails_before_it_started_counts_too(journal):
    lives = []

    async def body(lifeline):
        lives.append(1)
        if len(lives) == 1:
            lifeline.started()
        raise RuntimeError

    with pytest.raises(RestartIntensityExceededError):
        await Supervisor([ChildSpec("child", body, backoff=STEADY)], intensity=Intensity(3, 60)).run()
    assert len(lives) == 4


async def test_the_default_backoff_is_quick_enough_to_reach_the_default_intensity(journal):
    with pytest.raises(RestartIntensityExceededError):
        await Supervisor([ChildSpec("child", failing(99))]).run()


# --- what the others can do without ---


def insignificant(name, body, **options):
    return ChildSpec(name, body, significant=False, backoff=STEADY, **options)


async def test_an_insignificant_child_is_restarted_for_ever_and_never_counts(journal):
    specs = [insignificant("extra", failing(10**6)), ChildSpec("other", failing(1, after=50), backoff=STEADY)]
    async with running(journal, *specs, intensity=Intensity(1, 1000)):
        await trio.sleep(500)
        assert len([event for event in journal.of(ChildFailed) if event.child == "extra"]) > 400
        assert len([event for event in journal.of(ChildStarted) if event.child == "other"]) == 2
        assert not journal.of(Escalated)


@pytest.mark.parametrize("first_start", ["fails", "hangs"])
async def test_nobody_waits_for_the_first_start_of_an_insignificant_child(journal, first_start):
    lives = []

    async def body(lifeline):
        lives.append(trio.current_time())
        if len(lives) < 4:
            if first_start == "hangs":
                await trio.sleep_forever()
            raise OSError
        await forever(lifeline)

    async with running(journal, insignificant("extra", body, progress_deadline_seconds=5), ChildSpec("other", forever)):
        assert ChildStarted("other", 0) in journal.of(ChildStarted)
        assert ChildStarted("extra", 0) not in journal.of(ChildStarted)
        await trio.sleep(100)
        assert ChildStarted("extra", 3) in journal.of(ChildStarted)


@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_an_insignificant_child_that_fails_is_not_started_again_once_it_was_asked_to_stop(journal, restart):
    async def fails_in_the_end(lifeline):
        lifeline.started()
        await lifeline.stopping.wait()
        raise RuntimeError

    began = trio.current_time()
    async with running(journal, insignificant("extra", fails_in_the_end, restart=restart), ChildSpec("other", forever)):
        await trio.sleep(10)
    assert trio.current_time() - began == 10
    assert [event.delay_seconds for event in journal.of(ChildFailed)] == [None]


async def test_a_stop_does_not_wait_for_the_restart_of_an_insignificant_child(journal):
    patient = Backoff(initial_seconds=1000, max_seconds=1000, jitter=0)
    spec = ChildSpec("extra", failing(9), significant=False, backoff=patient)
    began = trio.current_time()
    async with running(journal, spec, ChildSpec("other", forever)):
        await trio.sleep(10)
    assert trio.current_time() - began == 10
    assert len(journal.of(ChildStarted)) == 2


async def test_a_stop_waits_for_an_insignificant_child_as_long_as_its_shutdown_may_take_and_no_longer(journal):
    async def deaf(lifeline):
        lifeline.started()
        await trio.sleep_forever()

    began = trio.current_time()
    spec = insignificant("extra", deaf, shutdown_timeout_seconds=3)
    async with running(journal, spec, ChildSpec("other", forever), drain_timeout_seconds=100):
        await trio.sleep(10)
    assert trio.current_time() - began == 13


async def test_an_insignificant_child_that_is_temporary_stays_down(journal):
    async with running(journal, insignificant("extra", failing(9), restart="temporary"), ChildSpec("other", forever)):
        await trio.sleep(100)
        assert len(journal.of(ChildFailed)) == 1


async def test_poison_of_an_insignificant_child_forgives_nobody_else(journal):
    async def bury(item, error):
        pass

    inbox = Mailbox("inbox", 1, poison_limit=2, on_poison=bury)
    specs = [
        insignificant("extra", consumer(journal, poison=["bad"]), inbox=inbox),
        ChildSpec("bad", failing(99, after=30), backoff=STEADY),
    ]
    with pytest.RaisesGroup(RestartIntensityExceededError):
        async with running(journal, *specs, intensity=Intensity(1, 100)):
            await trio.sleep(35)
            await put(inbox, "bad")
            await trio.sleep(30)
    assert len(journal.of(MessagePoisoned)) == 1


# --- hanging ---


async def test_a_child_without_progress_although_it_has_work_is_restarted_at_its_deadline(journal):
    inbox = Mailbox("inbox", 2)
    hangs = iter([True])

    async def body(lifeline):
        lifeline.started()
        lease = await lifeline.receive()
        if next(hangs, False):
            await trio.sleep_forever()
        journal.note("done", lease.item)
        lease.done()
        await trio.sleep_forever()

    began = trio.current_time()
    spec = ChildSpec("child", body, inbox=inbox, backoff=STEADY, progress_deadline_seconds=20)
    async with running(journal, spec, drain_timeout_seconds=1):
        await trio.sleep(5)
        await put(inbox, "message")
        await trio.sleep(30)
        assert isinstance(journal.of(ChildFailed)[0].error, ChildHungError)
        assert journal.times(ChildFailed)[0] - began == 25
        assert journal.notes == [("done", "message")]


@pytest.mark.parametrize("state", ["idle", "waiting", "progressing", "blocked by backpressure"])
async def test_a_child_that_waits_or_moves_is_not_hung(journal, state):
    inbox, full = Mailbox("inbox", 1), Mailbox("full", 1)
    await put(full, "x")

    async def body(lifeline):
        lifeline.started()
        if state == "idle":
            await trio.sleep(100)
        await lifeline.receive()
        if state == "waiting":
            with lifeline.waiting("the broker"):
                await trio.sleep(100)
        if state == "progressing":
            for _ in range(20):
                await trio.sleep(9)
                lifeline.progress()
        if state == "blocked by backpressure":
            async with lifeline.reserve(full):
                pass

    async with running(journal, ChildSpec("child", body, inbox=inbox, progress_deadline_seconds=10), drain_timeout_seconds=1):
        if state != "idle":
            await put(inbox, "message")
        await trio.sleep(95)
        assert not journal.of(ChildFailed)


async def test_a_source_that_stands_still_is_hung(journal):
    async def body(lifeline):
        lifeline.started()
        await trio.sleep_forever()

    async with running(journal, ChildSpec("source", body, progress_deadline_seconds=10, backoff=STEADY)):
        await trio.sleep(15)
        assert isinstance(journal.of(ChildFailed)[0].error, ChildHungError)


# --- redelivery and poison ---


async def test_the_successor_gets_what_the_crashed_child_was_working_on(journal):
    inbox = Mailbox("inbox", 4)
    crashes = iter([True])

    async def body(lifeline):
        lifeline.started()
        while True:
            lease = await lifeline.receive()
            if next(crashes, False):
                raise RuntimeError
            journal.note(lease.item)
            lease.done()

    async with running(journal, ChildSpec("child", body, inbox=inbox, backoff=STEADY), drain=False) as supervisor:
        await put(inbox, 1, 2, 3)
        await trio.sleep(5)
        assert journal.notes == [(1,), (2,), (3,)]
        assert journal.of(MessageRedelivered) == [MessageRedelivered("inbox", 1)]
        supervisor.children[0].cancel()


async def test_a_poison_message_is_handed_over_with_its_error_and_the_others_go_through(journal):
    buried = []

    async def bury(item, error):
        buried.append((item, type(error)))

    inbox = Mailbox("inbox", 4, poison_limit=3, on_poison=bury)
    async with running(journal, ChildSpec("child", consumer(journal, poison=["bad"]), inbox=inbox, backoff=STEADY)):
        await put(inbox, "a", "bad", "b")
        await trio.sleep(20)
        assert buried == [("bad", ValueError)]
        assert journal.notes == [("consumer", "a"), ("consumer", "b")]
        assert [event.failures for event in journal.of(MessagePoisoned)] == [3]
        assert len(journal.of(ChildFailed)) == 3


async def test_one_poison_message_after_the_other_is_a_broken_child_and_ends_the_supervisor(journal):
    buried = []

    async def bury(item, error):
        buried.append(item)

    inbox = Mailbox("inbox", 100, poison_limit=3, on_poison=bury)
    numbers = list(range(100))

    async def live():
        async with running(journal, ChildSpec("child", consumer(journal, poison=numbers), inbox=inbox, backoff=STEADY)):
            await put(inbox, *numbers)
            await trio.sleep(1_000)

    with pytest.raises(ExceptionGroup) as caught:
        await live()
    assert caught.group_contains(RestartIntensityExceededError)
    assert buried == [0, 1, 2, 3], "the failures of the first are forgiven, the others count"


async def test_a_poison_handler_that_fails_counts_as_a_failure_and_is_tried_again(journal):
    tries = []

    async def bury(item, error):
        tries.append(item)
        if len(tries) < 3:
            raise OSError("disk full")

    inbox = Mailbox("inbox", 4, poison_limit=1, on_poison=bury)
    async with running(journal, ChildSpec("child", consumer(journal, poison=["bad"]), inbox=inbox, backoff=STEADY)):
        await put(inbox, "bad", "good")
        await trio.sleep(20)
        assert tries == ["bad"] * 3
        assert [type(event.error) for event in journal.of(ChildFailed)] == [ValueError, OSError, OSError]
        assert journal.notes == [("consumer", "good")]


# --- drain ---


async def test_a_drain_stops_the_source_first_and_lets_every_mailbox_run_empty(journal):
    first, second = Mailbox("first", 8), Mailbox("second", 8)

    async def source(lifeline):
        lifeline.started()
        await put(first, *range(5))
        await lifeline.stopping.wait()
        journal.note("source", "end")

    async def forward(lifeline):
        lifeline.started()
        while True:
            try:
                lease = await lifeline.receive()
            except EndOfMailboxError:
                journal.note("forward", "end")
                return
            await trio.sleep(1)
            async with lifeline.reserve(second) as permit:
                permit.put(lease.item)
                lease.done()

    specs = [
        ChildSpec("sink", consumer(journal, seconds=1, name="sink"), inbox=second),
        ChildSpec("forward", forward, inbox=first),
        ChildSpec("source", source),
    ]
    async with running(journal, *specs):
        await trio.sleep(0.5)
    assert journal.notes[-1] == ("sink", "end")
    assert journal.notes.index(("source", "end")) < journal.notes.index(("forward", "end"))
    assert [item for name, item in journal.notes if name == "sink" and item != "end"] == list(range(5))
    assert not journal.of(ChildFailed)


async def test_restarts_still_apply_during_a_drain(journal):
    inbox = Mailbox("inbox", 4)
    crashes = iter([True])

    async def body(lifeline):
        lifeline.started()
        while True:
            try:
                lease = await lifeline.receive()
            except EndOfMailboxError:
                return
            await trio.sleep(1)
            if next(crashes, False):
                raise RuntimeError
            journal.note(lease.item)
            lease.done()

    async with running(journal, ChildSpec("child", body, inbox=inbox, backoff=STEADY)):
        await put(inbox, 1, 2)
        await trio.sleep(0.5)
    assert journal.notes == [(1,), (2,)]


async def test_a_drain_that_takes_too_long_is_cut_short_within_its_timeout(journal):
    inbox = Mailbox("inbox", 4)

    async def stuck(lifeline):
        lifeline.started()
        with lifeline.waiting("a dead broker"):
            await trio.sleep_forever()

    async def writes_at_the_end(lifeline):
        lifeline.started()
        await lifeline.stopping.wait()
        await trio.sleep(0.5)
        journal.note("saved")

    specs = [ChildSpec("saver", writes_at_the_end), ChildSpec("sink", stuck, inbox=inbox), ChildSpec("source", forever)]
    async with running(journal, *specs, drain_timeout_seconds=30):
        await put(inbox, 1)
        await trio.sleep(1)
        began = trio.current_time()
    assert trio.current_time() - began <= 30
    assert journal.of(DrainCutShort) == [DrainCutShort("sink")]
    assert journal.notes == [("saved",)], "who only needs a moment gets it, also after the deadline"
    assert inbox.depth == 1


async def test_too_many_failures_escalate_in_a_drain_too(journal):
    async def never_ends_well(lifeline):
        lifeline.started()
        await lifeline.stopping.wait()
        raise RuntimeError

    supervisor = Supervisor([ChildSpec("child", never_ends_well)], intensity=Intensity(3, 60), subscribers=[journal])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_drain_soon, supervisor)
        with pytest.raises(RestartIntensityExceededError):
            await supervisor.run()


async def _drain_soon(supervisor):
    await trio.sleep(1)
    supervisor.drain()


async def test_a_child_stopped_during_its_backoff_finishes(journal):
    spec = ChildSpec("child", failing(1), backoff=Backoff(initial_seconds=500, max_seconds=500, jitter=0))
    began = trio.current_time()
    async with running(journal, spec, drain_timeout_seconds=10):
        await trio.sleep(1)
    assert trio.current_time() - began <= 11


async def test_the_supervisor_ends_when_all_children_are_done(journal):
    async def brief(lifeline):
        lifeline.started()
        await trio.sleep(3)

    with trio.fail_after(10):
        await Supervisor([ChildSpec("a", brief, restart="temporary"), ChildSpec("b", brief, restart="transient")]).run()


async def test_cancelling_the_supervisor_stops_all_at_once(journal):
    with trio.move_on_after(5) as scope:
        await Supervisor([ChildSpec("a", forever), ChildSpec("b", forever)], subscribers=[journal]).run()
    assert scope.cancelled_caught
    assert len(journal.of(ChildFinished)) == 2
