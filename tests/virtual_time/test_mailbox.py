"""Mailboxes: bounded, peek-locked, suspects alone, poison taken out. Each rule on the virtual clock."""

import anyio
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from support.virtual_clock import run_on_virtual_clock
from wazuh_dfn.supervision.failures import EndOfMailboxError, MailboxClosedError
from wazuh_dfn.supervision.mailbox import Mailbox

pytestmark = pytest.mark.trio(run=run_on_virtual_clock)
CRASH = RuntimeError("crash")


async def fill(mailbox, *items):
    for item in items:
        async with mailbox.reserve() as permit:
            permit.put(item)


def take_all(mailbox):
    leases = []
    while (lease := mailbox.receive_nowait()) is not None:
        leases.append(lease)
    return leases


async def test_messages_come_in_the_order_they_were_put():
    mailbox = Mailbox("m", 3)
    await fill(mailbox, 1, 2, 3)
    assert [lease.item for lease in take_all(mailbox)] == [1, 2, 3]


async def test_a_message_in_work_still_holds_its_slot_until_done():
    mailbox = Mailbox("m", 1)
    await fill(mailbox, 1)
    lease = await mailbox.receive()
    with trio.move_on_after(5) as scope:
        await fill(mailbox, 2)
    assert scope.cancelled_caught
    lease.done()
    await fill(mailbox, 2)
    assert mailbox.depth == 1


async def test_a_divided_message_gives_its_slot_back_with_its_last_part_and_only_what_is_not_done_comes_again():
    mailbox = Mailbox("m", 1)
    await fill(mailbox, "abc")
    parts = (await mailbox.receive()).divide("abc")
    parts[0].done()
    mailbox.reclaim(None)
    with pytest.raises(ValueError, match="not in list"):
        parts[1].done()
    rest = []
    while mailbox.depth:
        lease = await mailbox.receive()
        rest.append(lease.item)
        assert mailbox._slots.value == 0
        lease.done()
    assert rest == ["b", "c"]
    await fill(mailbox, "d")


async def test_an_unused_permit_gives_its_slot_back():
    mailbox = Mailbox("m", 1)
    async with mailbox.reserve():
        pass
    with pytest.raises(KeyError):
        async with mailbox.reserve():
            raise KeyError
    await fill(mailbox, 1)


async def test_a_permit_is_good_for_one_message():
    mailbox = Mailbox("m", 2)
    async with mailbox.reserve() as permit:
        permit.put(1)
        with pytest.raises(MailboxClosedError):
            permit.put(2)


async def test_a_cancelled_receiver_loses_no_message():
    mailbox = Mailbox("m", 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.receive)
        await wait_all_tasks_blocked()
        async with mailbox.reserve() as permit:
            permit.put(1)
            nursery.cancel_scope.cancel()
    mailbox.reclaim(None)
    assert [lease.item for lease in take_all(mailbox)] == [1]


async def test_what_was_in_work_is_given_to_the_successor_first_and_in_order():
    mailbox = Mailbox("m", 4)
    await fill(mailbox, 1, 2, 3)
    first, _second = await mailbox.receive(), await mailbox.receive()
    first.done()
    await fill(mailbox, 4)
    assert mailbox.reclaim(CRASH) == [1]
    order = []
    for _ in range(3):
        lease = await mailbox.receive()
        order.append((lease.item, lease.failures))
        lease.done()
    assert order == [(2, 1), (3, 0), (4, 0)]


async def test_a_stale_lease_can_not_settle_what_the_successor_works_on():
    mailbox = Mailbox("m", 1)
    await fill(mailbox, 1)
    stale = await mailbox.receive()
    mailbox.reclaim(CRASH)
    with pytest.raises(ValueError, match="not in list"):
        stale.done()
    assert mailbox.depth == 1


async def test_suspects_are_worked_on_alone():
    mailbox = Mailbox("m", 3)
    await fill(mailbox, 1, 2, 3)
    assert len(take_all(mailbox)) == 3
    mailbox.reclaim(CRASH)
    lease = await mailbox.receive()
    assert lease.item == 1
    assert mailbox.receive_nowait() is None
    with trio.move_on_after(5) as scope:
        await mailbox.receive()
    assert scope.cancelled_caught
    lease.done()
    second = await mailbox.receive()
    second.done()
    third = await mailbox.receive()
    await fill(mailbox, 4)
    assert mailbox.receive_nowait() is None, "a fresh message must not share the blame with a suspect"
    third.done()
    assert (await mailbox.receive()).item == 4


async def test_messages_not_to_blame_keep_their_count_of_failures():
    mailbox = Mailbox("m", 1)
    await fill(mailbox, 1)
    await mailbox.receive()
    assert mailbox.reclaim(None) == [0]


async def test_a_message_is_poison_after_as_many_failures_as_the_limit():
    buried = []

    async def bury(item, error):
        buried.append((item, error))

    mailbox = Mailbox("m", 2, poison_limit=3, on_poison=bury)
    await fill(mailbox, "bad", "good")
    for _ in range(3):
        assert (await mailbox.receive()).item == "bad"
        mailbox.reclaim(CRASH)
    assert mailbox.depth == 2, "poison counts until it is settled"
    assert await mailbox.bury_poison() == [(3, CRASH)]
    assert buried == [("bad", CRASH)]
    assert (await mailbox.receive()).item == "good"
    assert mailbox.depth == 1


async def test_poison_stays_until_its_handler_succeeded():
    attempts = []

    async def bury(item, error):
        attempts.append(item)
        if len(attempts) == 1:
            raise OSError("disk full")

    mailbox = Mailbox("m", 1, poison_limit=1, on_poison=bury)
    await fill(mailbox, 1)
    await mailbox.receive()
    mailbox.reclaim(CRASH)
    with pytest.raises(OSError, match="disk full"):
        await mailbox.bury_poison()
    assert mailbox.depth == 1
    await mailbox.bury_poison()
    assert attempts == [1, 1]
    await fill(mailbox, 2)


async def test_a_failed_batch_is_split_so_that_only_the_poisonous_part_is_lost():
    buried = []

    async def bury(item, error):
        buried.append(item)

    mailbox = Mailbox("m", 1, poison_limit=2, on_poison=bury, split=lambda batch: [(part,) for part in batch])
    await fill(mailbox, (1, 2, 3))
    await mailbox.receive()
    mailbox.reclaim(CRASH)
    assert mailbox.depth == 1, "its parts share its slot"
    done = []
    while mailbox.depth:
        lease = await mailbox.receive()
        if lease.item == (2,):
            mailbox.reclaim(CRASH)
            await mailbox.bury_poison()
        else:
            done.append(lease.item)
            with trio.move_on_after(1) as scope:
                await fill(mailbox, "too early")
            assert scope.cancelled_caught, "the batch keeps its slot until its last part is done"
            lease.done()
    assert (done, buried) == ([(1,), (3,)], [(2,)])
    await fill(mailbox, "next")


async def test_a_closed_mailbox_runs_empty_and_then_ends():
    mailbox = Mailbox("m", 3)
    await fill(mailbox, 1, 2)
    await mailbox.receive()
    mailbox.close()
    mailbox.reclaim(CRASH)
    for expected in (1, 2):
        lease = await mailbox.receive()
        assert lease.item == expected
        lease.done()
    with pytest.raises(EndOfMailboxError):
        await mailbox.receive()
    with pytest.raises(MailboxClosedError):
        await fill(mailbox, 3)


async def test_closing_wakes_a_waiting_consumer():
    mailbox = Mailbox("m", 1)

    async def consume():
        with pytest.raises(EndOfMailboxError):
            await mailbox.receive()

    with anyio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(consume)
            await wait_all_tasks_blocked()
            mailbox.close()
