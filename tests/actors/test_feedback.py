"""FeedbackActor and its queue: Wazuh is told what can be told, senders never wait, and what is not told is counted."""

from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random

import pytest
import trio
from structlog.testing import capture_logs

from support.alerts import fail2ban_alert, line, windows_alert
from support.kinds import FAIL2BAN, WINDOWS
from support.scripted_wazuh import ABSENT, GONE, ScriptedWazuh
from support.single_actor import lifeline_of
from support.virtual_clock import run_on_virtual_clock
from wazuh_dfn.errors import MalformedLineError
from wazuh_dfn.wazuh import feedback_status
from wazuh_dfn.wazuh.feedback_actor import TURN_SECONDS, FeedbackActor, FeedbackActorOptions
from wazuh_dfn.wazuh.feedback_format import FeedbackFormat
from wazuh_dfn.wazuh.feedback_queue import FeedbackQueue
from wazuh_dfn.wazuh.feedback_status import FeedbackStatus

pytestmark = pytest.mark.trio(run=run_on_virtual_clock)
FORM = FeedbackFormat()
HOURS = 3600.0


class NoJitter(Random):
    def random(self):
        return 0.0


def alert(number):
    return windows_alert() | {"id": str(number)}


def told(number):
    return FORM.delivered(WINDOWS, alert(number))


class Setting:
    """A queue and the actor that empties it into `wazuh`."""

    def __init__(self, wazuh=None, *, capacity_bytes=1_000_000, form=FORM):
        self.wazuh = wazuh or ScriptedWazuh()
        self.status = FeedbackStatus("not connected")
        self.queue = FeedbackQueue(self.status, capacity_bytes)
        self.form = form
        self.lifeline = lifeline_of()

    def offer(self, *numbers):
        for number in numbers:
            self.queue.delivered("windows", line(alert(number)))

    async def run(self):
        options = FeedbackActorOptions(first_retry_seconds=5, longest_retry_seconds=30)
        actor = FeedbackActor(self.wazuh, self.queue, form=self.form, status=self.status, options=options, random=NoJitter())
        await actor.run(self.lifeline)

    @asynccontextmanager
    async def running(self):
        """Run the actor; asks it to stop at the end, which may take up to a second."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.run)
            yield
            self.lifeline.stopping.set()
            began = trio.current_time()
        assert trio.current_time() - began <= 1.5

    async def run_for(self, seconds):
        async with self.running():
            await trio.sleep(seconds)

    def told(self):
        """Return what Wazuh was told, without greetings."""
        return [message for message in self.wazuh.messages() if b"tells here" not in message]


# --- telling ---


async def test_wazuh_is_greeted_first_and_then_told_each_delivery_in_order():
    setting = Setting()
    setting.offer(1, 2)
    setting.queue.delivered("fail2ban", line(fail2ban_alert()))
    await setting.run_for(1)
    assert setting.wazuh.messages()[0].startswith(b'1:dfn:{"integration":"dfn","description":"wazuh-dfn ')
    assert setting.wazuh.messages()[1:] == [told(1), told(2), FORM.delivered(FAIL2BAN, fail2ban_alert())]
    assert (setting.status.state, setting.status.sent, setting.status.dropped) == ("connected", 4, 0)
    assert setting.wazuh.opened == setting.wazuh.closed == 1


async def test_what_comes_later_is_told_when_it_comes():
    setting = Setting()
    async with setting.running():
        await trio.sleep(7)
        setting.offer(1)
        await trio.sleep(HOURS)
        setting.offer(2)
        await trio.sleep(1)
    assert setting.wazuh.times() == [0, 7, 7 + HOURS]


async def test_a_delivery_that_is_too_long_to_tell_is_dropped_and_counted():
    setting = Setting(form=FeedbackFormat(max_bytes=600))
    setting.offer(1, "9" * 1000, 2)
    await setting.run_for(1)
    assert setting.told() == [told(1), told(2)]
    assert setting.status.dropped == 1


# --- errors ---


async def test_of_the_errors_of_a_kind_one_is_told_a_minute_the_newest_and_other_kinds_do_not_wait():
    setting = Setting()
    async with setting.running():
        for number in range(100):
            setting.queue.error("payload", f"payload {number}")
            if number == 5:
                setting.queue.error("broker", "away")
            await trio.sleep(0.7)
        await trio.sleep(HOURS)
    expected = [(0, "payload 0"), (3.5, "away"), (60, "payload 85"), (120, "payload 99")]
    assert setting.wazuh.taken[1:] == [(time, FORM.error(text)) for time, text in expected]
    assert setting.status.dropped == 0


async def test_errors_are_told_before_deliveries():
    setting = Setting()
    setting.offer(1)
    setting.queue.error("broker", "away")
    await setting.run_for(1)
    assert setting.told() == [FORM.error("away"), told(1)]


async def test_an_error_that_could_not_be_told_at_once_says_how_old_it_is():
    setting = Setting(ScriptedWazuh(connects=[100]))
    setting.queue.error("broker", "away")
    await setting.run_for(110)
    assert setting.told() == [FORM.error("away (100 s ago)")]


# --- Wazuh absent, gone, hanging ---


async def test_an_absent_wazuh_is_looked_for_from_time_to_time_and_logged_once():
    setting = Setting(ScriptedWazuh(connects=[ABSENT] * 8))
    with capture_logs() as logs:
        setting.offer(1)
        async with setting.running():
            await trio.sleep(20)
            assert setting.status.state == "absent"
            await trio.sleep(280)
    assert setting.wazuh.tries == [0, 5, 15, 35, 65, 95, 125, 155, 185]
    assert setting.told() == [told(1)]
    assert [(log["log_level"], log["event"].split(";")[0]) for log in logs] == [
        ("info", "cannot send feedback to Wazuh, retrying"),
        ("info", "feedback to Wazuh connected"),
    ]


async def test_after_a_restart_of_wazuh_it_is_greeted_again_and_the_message_that_found_out_is_told():
    setting = Setting(ScriptedWazuh(sends=[None, None, GONE]))
    async with setting.running():
        await trio.sleep(1)
        setting.offer(1, 2, 3)
        await trio.sleep(60)
    assert setting.told() == [told(1), told(2), told(3)]
    assert setting.wazuh.times() == [0, 1, 6, 6, 6]
    assert setting.wazuh.opened == setting.wazuh.closed == 2
    assert setting.status.dropped == 0


async def test_an_error_that_could_not_be_told_is_told_after_the_reconnect_and_not_a_minute_later():
    setting = Setting(ScriptedWazuh(sends=[None, GONE]))
    setting.queue.error("broker", "away")
    await setting.run_for(30)
    assert setting.told() == [FORM.error("away")]


async def test_no_message_can_be_in_the_way_of_the_others():
    """Say, because the operating system refuses its size each time."""
    setting = Setting(ScriptedWazuh(sends=[None, GONE, None, GONE]))
    setting.offer(1, 2)
    await setting.run_for(60)
    assert setting.told() == [told(2)]
    assert setting.status.dropped == 1


async def test_waits_double_while_wazuh_does_not_even_take_the_greeting():
    setting = Setting(ScriptedWazuh(sends=[GONE] * 5))
    await setting.run_for(200)
    assert setting.wazuh.tries == [0, 5, 15, 35, 65, 95]


@pytest.mark.parametrize("script", [{"connects": [10 * HOURS]}, {"sends": [10 * HOURS]}, {"connects": [ABSENT] * 100_000}])
async def test_senders_never_wait_memory_is_bounded_and_what_did_not_fit_is_counted(script):
    setting = Setting(ScriptedWazuh(**script), capacity_bytes=50_000)
    async with setting.running():
        began = trio.current_time()
        for number in range(1_000):
            setting.offer(number)
            await trio.lowlevel.checkpoint()
        assert trio.current_time() == began
        waiting = setting.queue.depth
        assert waiting * len(line(alert(1))) < 50_000
        assert setting.status.dropped == 1_000 - waiting
        await trio.sleep(HOURS)
    assert setting.status.dropped == 1_000, "what was left at the end is counted too"


async def test_room_comes_back_as_deliveries_are_told():
    setting = Setting(capacity_bytes=5_000)
    async with setting.running():
        for number in range(100):
            setting.offer(number)
            await trio.sleep(1)
    assert setting.told() == [told(number) for number in range(100)]
    assert setting.status.dropped == 0


async def test_whatever_is_delivered_between_two_turns_is_told_in_one():
    """While a backlog is caught up the others take long turns, and an acknowledgement brings hundreds of deliveries."""
    setting = Setting(capacity_bytes=500 * 1_500)
    async with setting.running():
        await trio.sleep(1)
        for turn in range(10):
            setting.offer(*range(turn * 300, (turn + 1) * 300))
            await trio.lowlevel.checkpoint()
    assert setting.status.dropped == 0
    assert setting.told() == [told(number) for number in range(3_000)]


async def test_telling_keeps_the_others_waiting_for_no_longer_than_its_turn_and_one_message():
    """Twice that, since trio shuffles: it may be the last in one round and the first in the next."""
    setting = Setting(ScriptedWazuh(blocked_seconds=0.0003))
    setting.offer(*range(500))
    turns = []
    async with setting.running():
        while setting.queue.depth:
            turns.append(trio.current_time())
            await trio.lowlevel.checkpoint()
    assert max(after - before for before, after in pairwise(turns)) <= 2 * (TURN_SECONDS + 0.0003)
    assert len(setting.told()) == 500


# --- stopping ---


async def test_what_is_queued_when_it_is_asked_to_stop_is_told_first():
    setting = Setting(ScriptedWazuh(sends=[0, 0.1, 0.1, 0.1]))
    async with setting.running():
        await trio.sleep(1)
        setting.offer(1, 2, 3)
    assert setting.told() == [told(1), told(2), told(3)]


async def test_a_stop_waits_no_longer_than_a_second_and_counts_what_is_left():
    setting = Setting(ScriptedWazuh(sends=[0, 0.4, 0.4, 0.4]))
    async with setting.running():
        await trio.sleep(1)
        setting.offer(1, 2, 3, 4)
    assert setting.told() == [told(1), told(2)]
    assert setting.status.dropped == 2
    assert setting.wazuh.opened == setting.wazuh.closed == 1


async def test_a_stop_without_a_connection_takes_no_time():
    setting = Setting(ScriptedWazuh(connects=[ABSENT] * 10))
    setting.offer(1)
    async with setting.running():
        await trio.sleep(2)
        began = trio.current_time()
    assert trio.current_time() == began
    assert setting.status.dropped == 1


# --- crashing ---


async def test_a_crash_costs_one_message_at_most_and_the_successor_tells_the_rest():
    setting = Setting(ScriptedWazuh(sends=[None, None, ZeroDivisionError()]))
    setting.offer(1, 2, 3)
    with pytest.RaisesGroup(ZeroDivisionError):
        await setting.run()
    assert setting.status.dropped == 1
    await setting.run_for(1)
    assert setting.told() == [told(1), told(3)]
    assert setting.status.dropped == 1


async def test_a_line_that_crashes_the_actor_is_not_met_again():
    setting = Setting()
    setting.queue.delivered("windows", b"no JSON")
    setting.offer(1)
    with pytest.RaisesGroup(MalformedLineError):
        await setting.run()
    await setting.run_for(1)
    assert setting.told() == [told(1)]


async def test_the_minute_between_errors_outlives_a_crash():
    setting = Setting(ScriptedWazuh(sends=[None, None, ZeroDivisionError()]))
    setting.queue.error("payload", "first")
    setting.offer(1)
    with pytest.RaisesGroup(ZeroDivisionError):
        await setting.run()
    setting.queue.error("payload", "second")
    async with setting.running():
        await trio.sleep(59)
        assert setting.told() == [FORM.error("first")]
        await trio.sleep(2)
    assert setting.told() == [FORM.error("first"), FORM.error("second")]


# --- off ---


async def test_while_feedback_is_off_nothing_is_kept_and_nothing_counted():
    status = FeedbackStatus()
    queue = FeedbackQueue(status)
    queue.delivered("windows", b"x")
    queue.error("broker", "away")
    assert (queue.depth, status.dropped, status.state) == (0, 0, "off")


@pytest.fixture(autouse=True)
def fresh_log(monkeypatch):
    monkeypatch.setattr(feedback_status, "log", feedback_status.structlog.get_logger())
