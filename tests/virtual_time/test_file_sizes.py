"""Sizes on the virtual clock: a file system that does not answer costs a second, and not many threads."""

import pytest
import trio

from support.virtual_clock import run_on_virtual_clock
from wazuh_dfn.health.file_sizes import PATIENCE_SECONDS, PAUSE_SECONDS, FileSizes

pytestmark = pytest.mark.trio(run=run_on_virtual_clock)


class File:
    """Its file system answers after `seconds`; `questions` are those that were asked."""

    is_packed = False

    def __init__(self, seconds):
        self.seconds = seconds
        self.questions = 0

    async def size(self):
        self.questions += 1
        await trio.sleep(self.seconds)
        return 7

    async def unnamed_bytes(self):
        return 3


async def test_both_figures_are_told():
    sizes = FileSizes()
    assert await sizes.of(File(0.5)) == (7, 3)
    assert sizes.is_answering


async def test_a_file_system_that_does_not_answer_is_asked_once_a_minute_by_whoever_wants_to_know():
    sizes, file = FileSizes(), File(10**9)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(sizes.of, file)
    assert trio.current_time() - began == pytest.approx(PATIENCE_SECONDS)
    assert (file.questions, sizes.is_answering) == (1, False)
    assert await sizes.of(file) == (None, None)
    assert trio.current_time() - began == pytest.approx(PATIENCE_SECONDS)
    await trio.sleep(PAUSE_SECONDS)
    file.seconds = 0
    assert await sizes.of(file) == (7, 3)
    assert (file.questions, sizes.is_answering) == (2, True)


async def test_a_file_that_is_just_being_closed_has_no_size():
    class Closed(File):
        async def size(self):
            raise ValueError("I/O operation on closed file")

    sizes = FileSizes()
    assert await sizes.of(Closed(0)) == (None, None)
    assert sizes.is_answering


async def test_a_gzipped_file_is_not_unpacked_for_its_size():
    sizes, file = FileSizes(), File(10**9)
    file.is_packed = True
    assert await sizes.of(file) == (None, 3)
    assert (file.questions, sizes.is_answering) == (0, True)
