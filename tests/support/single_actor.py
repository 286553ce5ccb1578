"""What a test of one actor needs: messages in a mailbox, a life to run it in, and dead letters to look at."""

import anyio
import trio

from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox


class DeadLetters:
    """Keeps them; storing takes `seconds`."""

    def __init__(self, seconds=0):
        self.letters = []
        self.calls = 0
        self.seconds = seconds

    async def store(self, letters):
        await anyio.sleep(self.seconds)
        self.letters += letters
        self.calls += 1

    def seen(self):
        return [(letter.stage, letter.position.offset, letter.raw) for letter in self.letters]


async def filled(*items, capacity=100):
    """Return a closed mailbox: its consumer is done when it has run empty."""
    mailbox = Mailbox("inbox", capacity)
    for item in items:
        async with mailbox.reserve() as permit:
            permit.put(item)
    mailbox.close()
    return mailbox


def taken(mailbox):
    """Take all that waits in a mailbox."""
    items = []
    while (lease := mailbox.receive_nowait()) is not None:
        items.append(lease.item)
        lease.done()
    return items


def lifeline_of(inbox=None):
    return Lifeline(inbox, lambda: None)


async def run_for(seconds, actor, inbox=None):
    """Run an actor and cancel it after so long; returns the lifeline and how long the actor lived."""
    lifeline = lifeline_of(inbox)
    began = trio.current_time()
    with trio.move_on_after(seconds):
        await actor.run(lifeline)
    return lifeline, trio.current_time() - began


async def run_until_stopped(seconds, actor):
    """Run an actor without a mailbox and ask it to stop after so long; returns how long the actor lived."""
    lifeline = lifeline_of()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor.run, lifeline)
        await trio.sleep(seconds)
        lifeline.stopping.set()
    return trio.current_time() - began
