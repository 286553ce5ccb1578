"""How long the dead-letter folder waits for its disk, and how often it asks it: real files, on the virtual clock, which starts at zero."""

from math import inf

import pytest
import structlog.testing
import trio

from support.positions import position
from support.virtual_clock import run_on_virtual_clock
from wazuh_dfn.delivery.dead_letter_store import DeadLetter
from wazuh_dfn.storage.dead_letter_folder import DeadLetterFolder
from wazuh_dfn.storage.local_disk import LocalDisk

pytestmark = pytest.mark.trio(run=run_on_virtual_clock)


class SlowDisk(LocalDisk):
    """A real disk that takes its time; it notes when it was asked to read, and when to write."""

    def __init__(self):
        super().__init__()
        self.seconds = 0.0
        self.failures = 0
        self.reads, self.writes = [], []

    async def run(self, function, *args, **kwargs):
        self.reads.append(trio.current_time())
        await trio.sleep(self.seconds)
        return function(*args, **kwargs)

    async def run_to_its_end(self, function, *args, **kwargs):
        self.writes.append(trio.current_time())
        with trio.CancelScope(shield=True):
            await trio.sleep(self.seconds)
        if len(self.writes) <= self.failures:
            raise OSError(28, "No space left on device")
        return function(*args, **kwargs)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "letters"


@pytest.fixture
def disk():
    return SlowDisk()


@pytest.fixture
def store(folder, disk):
    return DeadLetterFolder(folder, disk, max_letters=3, max_bytes=2**30)


def junk(*numbers):
    return [DeadLetter(position(number), "junk", "it is junk", b"%d" % number) for number in numbers]


def remove(folder, *numbers):
    """Remove letters as an operator does."""
    for number in numbers:
        for path in folder.glob(f"*-{number:015d}-*"):
            path.unlink()


async def test_a_write_is_a_problem_once_the_disk_has_not_answered_for_ten_seconds(store, disk, folder):
    disk.seconds = 25
    await trio.sleep(7)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.store, junk(1))
        await trio.sleep(9.9)
        assert store.problem is None
        await trio.sleep_until(17)
        assert store.problem == f"the file system of {folder} has not answered for 10 s"
    assert trio.current_time() == 32
    assert store.problem is None


async def test_a_full_disk_is_tried_again_every_five_seconds_and_told_once(store, disk):
    disk.failures = 2
    with structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.store, junk(1))
            await trio.sleep(9)
            assert store.problem == "[Errno 28] No space left on device"
    assert disk.writes == [0, 5, 10]
    assert [entry["event"] for entry in logs] == [
        "dead letter can't be written, waiting",
        "dead letters can be written again",
        "line dead-lettered",
    ]


async def test_a_disk_that_does_not_answer_is_asked_for_counts_for_a_second_in_each_minute(store, disk, folder):
    await store.store(junk(1, 2))
    assert (await store.counts()).kept == {"junk": 2}
    disk.seconds = inf
    for asked_at in (0, 61):
        await trio.sleep_until(asked_at)
        for _ in range(3):
            assert (await store.counts()).kept == {"junk": 2}
            assert trio.current_time() == asked_at + 1
        await trio.sleep(59)
        await store.counts()
        assert disk.reads[-1] == asked_at
    disk.seconds = 0
    remove(folder, 1)
    assert (await store.counts()).kept == {"junk": 2}
    await trio.sleep_until(122)
    assert (await store.counts()).kept == {"junk": 1}


async def test_counts_that_take_less_than_a_second_are_asked_for_again_at_once(store, disk):
    disk.seconds = 0.9
    for _ in range(2):
        assert (await store.counts()).kept == {}
    assert disk.reads == [0, 0.9]


async def test_while_a_letter_is_being_written_the_counts_are_the_last_ones_at_once(store, disk):
    await store.store(junk(1))
    before = await store.counts()
    disk.seconds = 5
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.store, junk(2))
        await trio.sleep(1)
        assert await store.counts() == before
        assert trio.current_time() == 1
    assert (await store.counts()) == before, "five seconds are too long for it"
    disk.seconds = 0
    await trio.sleep(60)
    assert (await store.counts()).kept == {"junk": 2}


async def test_the_counts_notice_once_a_minute_what_the_operator_has_removed(store, folder):
    await store.store(junk(1, 2, 3))
    assert (await store.counts()).kept == {"junk": 3}
    for number, noticed_at, left in ((1, 60, {"junk": 2}), (2, 120, {"junk": 1}), (3, 180, {})):
        before = await store.counts()
        remove(folder, number)
        await trio.sleep_until(noticed_at - 0.1)
        assert await store.counts() == before
        await trio.sleep_until(noticed_at)
        assert (await store.counts()).kept == left


async def test_a_letter_whose_note_is_gone_does_not_count(store, folder):
    await store.store(junk(1, 2))
    next(folder.glob("*.json")).unlink()
    await trio.sleep(60)
    assert (await store.counts()).kept == {"junk": 1}


async def test_a_folder_that_is_gone_holds_no_letters(store, folder):
    await store.store(junk(1))
    remove(folder, 1)
    folder.rmdir()
    await trio.sleep(60)
    assert (await store.counts()).kept == {}


async def test_before_letters_are_removed_it_is_looked_once_a_minute_whether_there_is_room(store, folder):
    await store.store(junk(1, 2, 3))
    remove(folder, 1)
    await store.store(junk(4))
    assert len(list(folder.glob("*.raw"))) == 3
    remove(folder, 2)
    await trio.sleep(59.9)
    await store.store(junk(5))
    assert (await store.counts()).removed == {"junk": 1}
    remove(folder, 3)
    await trio.sleep_until(60)
    await store.store(junk(6))
    assert (await store.counts()).removed == {"junk": 1}
    assert (await store.counts()).kept == {"junk": 3}
