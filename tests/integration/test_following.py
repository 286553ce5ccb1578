"""The tailer on real files that are written and rotated as Wazuh does: every line comes once, in order, whatever happens in between."""

import os
import time
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from support.wazuh_writer import WazuhWriter, compress
from wazuh_dfn.actors.reading import ReadingPlace
from wazuh_dfn.actors.tailer import Tailer, TailerOptions
from wazuh_dfn.adapters.alert_file import AlertPath
from wazuh_dfn.adapters.checkpoint_file import CheckpointFile
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.delivery.poison import lines_of
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox

pytestmark = [pytest.mark.integration, pytest.mark.anyio]
PAD = b"." * 1100
"""Makes each line longer than the fingerprint."""


@pytest.fixture
def anyio_backend():
    return "asyncio"


def line(number):
    return b"%06d %s\n" % (number, PAD)


def lines(*numbers):
    return b"".join(line(number) for number in numbers)


class Site:
    """A Wazuh that writes, and a tailer that can be started and stopped; what it hands on counts as settled at once."""

    def __init__(self, folder, writer):
        self.wazuh = writer
        self.path = folder / "alerts.json"
        self.checkpoints = CheckpointFile(folder / "state" / "checkpoint.json")
        self.read = []

    @asynccontextmanager
    async def tailing(self, start_at="beginning"):
        ledger, place, outbox = Ledger(), ReadingPlace(), Mailbox("out", 2)
        options = TailerOptions(poll_interval_seconds=0.01, start_at=start_at)
        tailer = Tailer(AlertPath(self.path), self.checkpoints, ledger, place, outbox=outbox, options=options)
        lifeline = Lifeline(None, lambda: None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.consume, outbox, ledger)
            tasks.start_soon(tailer.run, lifeline)
            yield place
            lifeline.stopping.set()
            await anyio.sleep(0.03)
            tasks.cancel_scope.cancel()
        outbox.dispose()
        if ledger.acked_through is not None:
            await self.checkpoints.save(ledger.acked_through)
        if place.file is not None:
            await place.file.aclose()

    async def consume(self, outbox, ledger):
        while True:
            lease = await outbox.receive()
            chunk = lease.item
            found = [b"oversize"] if chunk.oversize else [text.rstrip(b"\n") for text in lines_of(chunk.data)]
            self.read += [int(text[:6]) if text[:6].isdigit() else text for text in found]
            ledger.route(chunk.ticket, not_relevant=len(found), dead=0, pending={})
            lease.done()

    async def until_read(self, *numbers):
        with anyio.move_on_after(5):
            while len(self.read) < len(numbers):
                await anyio.sleep(0.01)
        await anyio.sleep(0.05)
        assert self.read == list(numbers)


@pytest.fixture
def site(tmp_path):
    writer = WazuhWriter(tmp_path)
    yield Site(tmp_path, writer)
    writer.close()


async def test_day_change_with_a_gap_in_which_alerts_json_does_not_exist(site):
    site.wazuh.write(lines(1, 2))
    async with site.tailing():
        await site.until_read(1, 2)
        site.wazuh.write(lines(3))
        site.wazuh.next_day(gap=lambda: time.sleep(0.05))
        site.wazuh.write(lines(4))
        await site.until_read(1, 2, 3, 4)


async def test_the_gap_may_last_and_the_old_file_is_read_on_meanwhile(site):
    site.wazuh.write(lines(1))
    async with site.tailing():
        await site.until_read(1)
        site.path.unlink()
        await anyio.sleep(0.1)
        site.wazuh.write(lines(2))
        await site.until_read(1, 2)
        site.wazuh.day = site.wazuh.day.replace(day=31)
        site.wazuh.open_dated()
        site.wazuh.write(lines(3))
        await site.until_read(1, 2, 3)


async def test_two_and_more_rotations_between_two_polls(site):
    site.wazuh.write(lines(1))
    async with site.tailing():
        await site.until_read(1)
        site.wazuh.write(lines(2))
        for number in range(3, 9, 2):
            site.wazuh.roll()
            site.wazuh.write(lines(number))
            site.wazuh.next_day()
            site.wazuh.write(lines(number + 1))
        await site.until_read(*range(1, 9))


async def test_rotation_while_a_backlog_is_still_being_read(site):
    for number in range(2_000):
        site.wazuh.write(line(number))
    async with site.tailing() as place:
        while place.file is None:
            await anyio.lowlevel.checkpoint()
        compress(site.wazuh.next_day())
        site.wazuh.write(lines(2_000))
        await site.until_read(*range(2_001))


@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzipped"])
async def test_rotation_while_the_daemon_is_down(site, gzipped):
    site.wazuh.write(lines(1, 2))
    async with site.tailing():
        await site.until_read(1, 2)
    site.wazuh.write(lines(3))
    former = [site.wazuh.roll()]
    site.wazuh.write(lines(4))
    former.append(site.wazuh.next_day(days=2))
    site.wazuh.write(lines(5))
    former.append(site.wazuh.next_day())
    site.wazuh.write(lines(6))
    for path in former if gzipped else ():
        compress(path)
    async with site.tailing():
        await site.until_read(1, 2, 3, 4, 5, 6)


async def test_a_stop_in_the_middle_of_a_gzipped_file_goes_on_there(site):
    site.wazuh.write(lines(*range(1_000)))
    async with site.tailing():
        await anyio.lowlevel.checkpoint()
    former = site.wazuh.next_day()
    compress(former)
    site.wazuh.write(lines(1_000))
    async with site.tailing():
        while not site.read:
            await anyio.lowlevel.checkpoint()
    async with site.tailing():
        await site.until_read(*range(1_001))


async def test_the_file_of_the_checkpoint_is_gone_and_all_files_written_since_are_read(site):
    site.wazuh.write(lines(1))
    async with site.tailing():
        await site.until_read(1)
    former = site.wazuh.next_day()
    former.unlink()
    site.wazuh.write(lines(2))
    site.wazuh.next_day()
    site.wazuh.write(lines(3))
    async with site.tailing():
        await site.until_read(1, 2, 3)


async def test_a_start_in_the_gap_does_not_forget_the_checkpoint(site):
    site.wazuh.write(lines(1))
    async with site.tailing():
        await site.until_read(1)
    site.wazuh.write(lines(2))
    site.path.unlink()
    async with site.tailing():
        await site.until_read(1, 2)
        os.link(site.wazuh.dated, site.path)
        site.wazuh.write(lines(3))
        await site.until_read(1, 2, 3)


async def test_an_empty_day_is_deleted_and_nothing_after_it_is_lost(site):
    site.wazuh.write(lines(1))
    async with site.tailing():
        await site.until_read(1)
        site.wazuh.next_day()
        await anyio.sleep(0.05)
        site.wazuh.next_day()
        site.wazuh.write(lines(2))
        site.wazuh.next_day()
        site.wazuh.write(lines(3))
        await site.until_read(1, 2, 3)


async def test_copytruncate_keeps_the_inode_while_the_size_falls(site):
    site.wazuh.write(lines(1, 2, 3))
    async with site.tailing():
        await site.until_read(1, 2, 3)
        (site.path.parent / "alerts.json.1").write_bytes(site.path.read_bytes())
        os.truncate(site.path, 0)
        await anyio.sleep(0.05)
        site.wazuh.write(lines(4))
        await site.until_read(1, 2, 3, 4)


async def test_truncated_and_grown_past_the_old_position_between_two_polls(site):
    site.wazuh.write(lines(1))
    async with site.tailing():
        await site.until_read(1)
        site.path.write_bytes(lines(2, 3))
        await site.until_read(1, 2, 3)


async def test_truncated_while_the_daemon_was_down(site):
    site.wazuh.write(lines(1, 2))
    async with site.tailing():
        await site.until_read(1, 2)
    site.path.write_bytes(lines(3, 4, 5))
    async with site.tailing():
        await site.until_read(1, 2, 3, 4, 5)


async def test_a_smaller_file_with_the_same_beginning_is_read_from_its_beginning(site):
    site.wazuh.write(lines(1, 2, 3))
    async with site.tailing():
        await site.until_read(1, 2, 3)
    site.path.write_bytes(lines(1, 9))
    async with site.tailing():
        await site.until_read(1, 2, 3, 1, 9)


async def test_a_deleted_and_recreated_path_without_dated_files(tmp_path):
    path = tmp_path / "alerts.json"
    path.write_bytes(lines(1))
    site = Site(tmp_path, None)
    async with site.tailing():
        await site.until_read(1)
        path.unlink()
        await anyio.sleep(0.05)
        path.write_bytes(lines(2))
        await site.until_read(1, 2)


async def test_an_inode_reused_by_another_file_is_another_file(tmp_path):
    path = tmp_path / "alerts.json"
    path.write_bytes(lines(1))
    site = Site(tmp_path, None)
    async with site.tailing():
        await site.until_read(1)
    inode = path.stat().st_ino
    path.write_bytes(lines(2, 3))
    assert path.stat().st_ino == inode
    async with site.tailing():
        await site.until_read(1, 2, 3)


async def test_a_path_that_does_not_exist_yet_is_read_from_its_beginning_when_it_appears(tmp_path):
    site = Site(tmp_path, None)
    async with site.tailing("end") as place:
        await anyio.sleep(0.05)
        assert place.problems == ["alerts.json does not exist (yet)"]
        site.path.write_bytes(lines(1))
        await site.until_read(1)


async def test_a_path_that_is_a_directory_is_waited_out(tmp_path):
    site = Site(tmp_path, None)
    site.path.mkdir()
    async with site.tailing() as place:
        await anyio.sleep(0.05)
        assert place.problems
        site.path.rmdir()
        site.path.write_bytes(lines(1))
        await site.until_read(1)


async def test_a_line_over_the_limit_is_skipped_and_marked_and_the_next_is_whole(site):
    site.wazuh.write(lines(1) + b"x" * 700_000)
    async with site.tailing():
        await site.until_read(1)
        site.wazuh.write(b"x" * 700_000 + b"\n" + lines(2))
        await site.until_read(1, b"oversize", 2)


async def test_a_partial_last_line_of_a_complete_file_is_handed_on(site):
    site.wazuh.write(lines(1) + b"partial")
    async with site.tailing():
        await site.until_read(1)
        site.wazuh.next_day()
        site.wazuh.write(lines(2))
        await site.until_read(1, b"partial", 2)
