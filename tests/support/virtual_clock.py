"""Runs a whole test module on trio's virtual clock: `pytestmark = pytest.mark.trio(run=run_on_virtual_clock)`."""

import trio
from trio.testing import MockClock


def run_on_virtual_clock(main, *, clock=None, instruments=()):
    """Like `trio.run`, but the time jumps to the next deadline as soon as every task waits."""
    return trio.run(main, clock=clock or MockClock(autojump_threshold=0), instruments=instruments)
