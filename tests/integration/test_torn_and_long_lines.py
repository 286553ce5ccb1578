"""Lines as Wazuh's writer leaves them: of several MiB, written slowly, torn by a full disk or a kill, and glued to the next one."""

import gzip
import os

import anyio
import pytest

from support.site import DOWN_OR_UP, line, lines, pause, restart_and_expect, settle
from support.wazuh_writer import compress
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.errors import FileTruncatedError
from wazuh_dfn.messages import Fingerprint
from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox
from wazuh_dfn.tailing import chunks
from wazuh_dfn.tailing.alert_file import AlertFolder
from wazuh_dfn.tailing.chunks import ChunkReader
from wazuh_dfn.tailing.place import ReadingPlace

pytestmark = [pytest.mark.integration, pytest.mark.anyio]
KIB = 1024
LIMIT = 4 * 1024 * KIB
"""Of a line with its line feed."""


LONG = {
    "256 KiB": 256 * KIB,
    "256 KiB and 1": 256 * KIB + 1,
    "438,091": 438_091,
    "769 KB": 769_000,
    "1,626,091": 1_626_091,
    "3.4 MB": 3_400_000,
    "4 MiB less 1": LIMIT - 1,
    "4 MiB": LIMIT,
}


@DOWN_OR_UP
@pytest.mark.parametrize("length", LONG.values(), ids=LONG)
async def test_a_long_line_is_handed_on_whole_between_its_neighbours(site, length, up):
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(lines(2) + line(3, length) + lines(4))
    await restart_and_expect(site, 1, 2, 3, 4)
    assert site.read == [1, 2, 3, 4]


async def test_many_long_lines_in_a_row_are_handed_on_whole(site):
    await settle(site, 1)
    lengths = [length for length in LONG.values() if length < LIMIT - 1]
    for number, length in enumerate(lengths, 2):
        site.wazuh.write(line(number, length))
    await restart_and_expect(site, *range(1, 2 + len(lengths)))


@pytest.mark.parametrize("length", [438_091, 3_400_000], ids="{:,}".format)
@pytest.mark.parametrize("parts", [2, 9, 40])
async def test_a_long_line_that_is_written_slowly_is_handed_on_whole(site, length, parts):
    data = line(2, length) + lines(3)
    await settle(site, 1)
    async with site.tailing():
        for number in range(parts):
            site.wazuh.write(data[len(data) * number // parts : len(data) * (number + 1) // parts])
            await anyio.sleep(0.02)
        await site.until_all_read(1, 2, 3)
    await restart_and_expect(site, 1, 2, 3)


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_a_restart_within_a_long_line_begins_it_again(site, how):
    data = line(2, 3_400_000)
    await settle(site, 1)
    async with site.tailing():
        site.wazuh.write(data[:2_000_000])
        await pause()
        if how == "killed":
            site.kill()
    site.wazuh.write(data[2_000_000:] + lines(3))
    await restart_and_expect(site, 1, 2, 3)


@DOWN_OR_UP
@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("length", [300 * KIB, 3_400_000], ids=["300 KiB", "3.4 MB"])
async def test_a_long_line_at_the_end_of_a_rotated_file_is_handed_on_whole(site, length, gzipped, up):
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        data = line(2, length)
        site.wazuh.write(data[: length // 2])
        await pause()
        site.wazuh.write(data[length // 2 :])
        former = site.wazuh.next_day()
        if gzipped:
            compress(former)
        site.wazuh.write(lines(3))
    await restart_and_expect(site, 1, 2, 3)


@DOWN_OR_UP
@pytest.mark.parametrize("length", [LIMIT + KIB, 2 * LIMIT, 3 * LIMIT + 5], ids=["just over", "twice", "three times"])
@pytest.mark.parametrize("rotates", [False, True], ids=["", "at the end of a file"])
async def test_a_line_over_4_mib_is_marked_and_its_neighbours_are_whole(site, length, rotates, up):
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(lines(2) + b"x" * (length - 1) + b"\n")
        if rotates:
            await pause()
            site.wazuh.next_day()
        site.wazuh.write(lines(3))
    await restart_and_expect(site, 1, 2, b"oversize", 3)
    assert site.read == [1, 2, b"oversize", 3]


async def test_a_line_over_4_mib_that_is_written_slowly_is_marked_once(site):
    await settle(site, 1)
    async with site.tailing():
        for _ in range(20):
            site.wazuh.write(b"x" * 300_000)
            await anyio.sleep(0.02)
        site.wazuh.write(b"\n" + lines(2))
        await site.until_all_read(1, b"oversize", 2)
    assert site.read == [1, b"oversize", 2]


# Torn lines: a full disk or a `kill -9` takes the end of one away.


TORN = line(900)[:700]
"""The beginning of a line that never gets its end."""


@DOWN_OR_UP
@pytest.mark.parametrize("torn", [1, 500, 1_107], ids="after {} bytes".format)
async def test_the_alert_that_is_glued_to_a_torn_one_is_handed_on_with_it(site, up, torn):
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(line(900)[:torn])
        await pause()
        site.wazuh.write(lines(2, 3))
    await restart_and_expect(site, 1, 2, 3)


@DOWN_OR_UP
@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzipped"])
async def test_torn_lines_before_and_after_each_rotation_cost_no_other_line(site, up, gzipped):
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        for number in range(2, 8, 2):
            site.wazuh.write(TORN + line(number) + TORN)
            await pause()
            former = site.wazuh.next_day()
            if gzipped:
                compress(former)
            site.wazuh.write(TORN + line(number + 1))
            await pause()
        site.wazuh.write(lines(8))
    await restart_and_expect(site, *range(1, 9), scraps=3)


@DOWN_OR_UP
@pytest.mark.parametrize("gap", [False, True], ids=["at once", "after another day's lines"])
async def test_behind_a_partial_last_line_to_which_the_writer_comes_back_all_is_read(site, up, gap):
    """The disk was full, then the clock went back over midnight; what is appended is glued to the torn line."""
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(lines(2) + TORN)
        await pause()
        site.wazuh.next_day()
        if gap:
            site.wazuh.write(lines(3))
            await pause()
        site.wazuh.clock_back()
        site.wazuh.write(lines(4, 5))
        await pause()
        site.wazuh.next_day()
        site.wazuh.write(lines(6))
    await restart_and_expect(site, *([1, 2, 3, 4, 5, 6] if gap else [1, 2, 4, 5, 6]), scraps=1)


@DOWN_OR_UP
@pytest.mark.parametrize("length", [1, 100, 255, 256, 300], ids="{} bytes".format)
async def test_behind_a_partial_line_that_was_all_there_was_in_a_file_all_is_read(site, up, length):
    """Few bytes tell nothing of a file: the daemon begins it anew, and must not take it for a part of itself."""
    await settle(site, 1)
    site.wazuh.next_day()
    site.wazuh.write(b"." * length)
    site.wazuh.clock_back()
    async with site.tailing():
        site.wazuh.write(lines(2))
        await site.until_all_read(1, 2, scraps=1)
    async with site.maybe_tailing(up=up):
        site.wazuh.clock_forward()
        site.wazuh.write(lines(3, 4))
        await pause()
        site.wazuh.next_day()
        site.wazuh.write(lines(5))
    await restart_and_expect(site, 1, 2, 3, 4, 5, scraps=2)


@DOWN_OR_UP
async def test_behind_a_partial_last_line_of_a_numbered_file_that_is_continued_after_a_restart_all_is_read(site, up):
    await settle(site, 1)
    site.wazuh.roll()
    await settle(site, 2)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(TORN)
        await pause()
        site.wazuh.restart()
        assert site.wazuh.number == 1
        site.wazuh.write(lines(3))
        await pause()
        site.wazuh.roll()
        site.wazuh.write(lines(4) + TORN)
        await pause()
        site.wazuh.dated_path(1).unlink()
        site.wazuh.restart()
        site.wazuh.write(lines(5))
        site.wazuh.roll()
        site.wazuh.write(lines(6))
        await pause()
        site.wazuh.roll()
        assert site.wazuh.number == 2
        site.wazuh.write(lines(7))
    if not up:
        site.read.append(3)  # it was deleted before anybody could read it
    await restart_and_expect(site, *range(1, 8), scraps=2)


# In which chunks one file is read, and what they hold.


class Reading:
    """One file that is read `chunk_bytes` at a time; `chunks` are those that were taken, and settled at once unless `settles` is False."""

    def __init__(self, path, chunk_bytes=1000):
        self.path, self.chunks, self.settles = path, [], True
        self.place, self.outbox = ReadingPlace(), Mailbox("out", 100)
        self.ledger = Ledger(self.place.registry.settle)
        self.lifeline = Lifeline(None, lambda: None)
        self.reader = ChunkReader(self.place, self.ledger, self.outbox, chunk_bytes)

    def write(self, data):
        with self.path.open("ab") as file:
            file.write(data)

    async def open(self):
        self.place.file = await AlertFolder(self.path, LocalDisk()).open(self.path)

    async def read(self):
        """Read once; returns the bytes of the chunk that came, and whether there may be more."""
        has_more = await self.reader.read(self.lifeline, self.place.file, self.place.at)
        return self.taken(), has_more

    async def read_all(self):
        with anyio.fail_after(5):
            while (await self.read())[1]:
                pass

    async def read_rest(self, quiet_seconds=0.0):
        is_done = await self.reader.read_rest(self.lifeline, self.place.file, self.place.at, quiet_seconds)
        return self.taken(), is_done

    def taken(self):
        lease = self.outbox.receive_nowait()
        if lease is None:
            return None
        self.chunks.append(lease.item)
        lease.done()
        if self.settles:
            self.settle(lease.item)
        return lease.item.data

    def settle(self, chunk):
        self.ledger.route(chunk.ticket, not_relevant=chunk.lines, dead=0, pending={})


@pytest.fixture
async def reading(tmp_path):
    reading = Reading(tmp_path / "alerts.json")
    reading.write(b"")
    await reading.open()
    yield reading
    await reading.place.file.aclose()
    reading.outbox.dispose()


async def test_whole_lines_are_handed_on_a_chunk_at_a_time_with_where_they_begin(reading):
    data = b"".join(b"%d\n" % number for number in range(400))
    reading.write(data + b"torn")
    first, second = data[:1000], data[:1000].rfind(b"\n") + 1
    assert await reading.read() == (first[:second], True)
    assert await reading.read() == (data[second:], True)
    assert await reading.read() == (None, False)
    assert [(chunk.start.offset, chunk.lines, chunk.oversize, chunk.cut) for chunk in reading.chunks] == [
        (0, first.count(b"\n"), False, 0),
        (second, 400 - first.count(b"\n"), False, 0),
    ]
    known = reading.place.registry.files[reading.place.file.number]
    assert known.settled == known.read_to == (len(data), Fingerprint.of(data[second:]))
    assert reading.place.file.head == known.head == Fingerprint.of(data[:1024])
    assert reading.ledger.accounting.lines_read == 400


async def test_the_first_bytes_are_told_by_as_many_as_were_read_up_to_a_limit(reading):
    data = b""
    for more in (b"\n", *(b"%d" % number * 149 + b"\n" for number in range(10))):
        reading.write(more)
        data += more
        assert await reading.read() == (more, True)
        assert reading.place.file.head == Fingerprint.of(data[:1024])
        assert reading.place.registry.files[1].head == reading.place.file.head
    assert list(reading.place.registry.files) == [1]


async def test_a_file_that_is_another_one_by_now_gets_no_fingerprint_of_both(reading):
    reading.write(b"first\n")
    await reading.read()
    os.truncate(reading.path, 0)
    reading.write(b"other\nsecond\n")
    with pytest.raises(FileTruncatedError):
        await reading.read()
    assert reading.place.file.head == Fingerprint.of(b"first\n")


@pytest.mark.parametrize("length", [999, 1000, 1001, 2000, 2500])
async def test_a_line_that_is_longer_than_a_chunk_is_a_chunk_of_its_own(reading, length):
    long = b"x" * (length - 1) + b"\n"
    reading.write(long + b"next\nlast\n")
    await reading.read_all()
    assert [(chunk.start.offset, chunk.data) for chunk in reading.chunks] == [(0, long), (length, b"next\nlast\n")]


async def test_of_a_long_line_that_is_being_written_nothing_is_read_twice_or_handed_on_before_its_end(reading):
    reading.write(b"x" * 1000)
    assert await reading.read() == (None, True)
    assert reading.place.scanned == 1000
    assert await reading.read() == (None, False)
    reading.write(b"x" * 300)
    assert await reading.read() == (None, True)
    assert reading.place.scanned == 1300
    assert await reading.read() == (None, False)
    reading.write(b"\nnext\n")
    assert await reading.read() == (b"x" * 1300 + b"\n", True)
    assert reading.place.scanned == 0
    assert await reading.read() == (b"next\n", True)


async def test_a_short_line_that_is_being_written_is_not_scanned(reading):
    reading.write(b"x" * 999)
    assert await reading.read() == (None, False)
    assert reading.place.scanned == 0


@pytest.mark.parametrize("kept", [0, 999, 1499])
async def test_a_file_that_is_cut_within_a_long_line_is_read_anew_from_the_beginning_of_that_line(reading, kept):
    reading.write(b"first\n" + b"x" * 1500)
    assert await reading.read() == (b"first\n", True)
    assert [await reading.read() for _ in range(3)] == [(None, True), (None, True), (None, False)]
    os.truncate(reading.path, 6 + kept)
    assert await reading.read() == (None, True)
    assert reading.place.scanned == 0
    reading.write(b"\n")
    found = [await reading.read() for _ in range(4)]
    assert [data for data, _ in found if data] == [b"x" * kept + b"\n"]


@pytest.mark.parametrize("first", [b"y" * 99, b""], ids=["a line", "an empty line"])
async def test_several_lines_that_took_the_place_of_a_long_one_are_handed_on_as_lines(reading, first):
    reading.write(b"x" * 1500)
    assert [await reading.read() for _ in range(3)] == [(None, True), (None, True), (None, False)]
    os.truncate(reading.path, 0)
    reading.write(first + b"\n" + b"z" * 1600 + b"\n")
    assert await reading.read() == (None, True)
    assert await reading.read() == (first + b"\n", True)
    await reading.read_all()
    assert [chunk.data for chunk in reading.chunks] == [first + b"\n", b"z" * 1600 + b"\n"]


async def test_an_empty_line_at_the_end_of_what_took_the_place_of_a_long_one_is_a_line_of_its_own(reading):
    reading.write(b"x" * 1500)
    assert [await reading.read() for _ in range(3)] == [(None, True), (None, True), (None, False)]
    os.truncate(reading.path, 0)
    reading.write(b"y" * 1499 + b"\n\n")
    await reading.read_all()
    assert [chunk.data for chunk in reading.chunks] == [b"y" * 1499 + b"\n", b"\n"]


@pytest.mark.parametrize(
    ("length", "oversize", "cut"), [(2000, False, 0), (2001, True, 0), (3001, True, 0), (3002, True, 2), (9000, True, 6000)]
)
async def test_of_a_line_over_the_limits_both_ends_are_kept_and_reading_goes_on_behind_it(reading, monkeypatch, length, oversize, cut):
    monkeypatch.setattr(chunks, "LINE_LIMIT_BYTES", 2000)
    monkeypatch.setattr(chunks, "KEPT_LINE_BYTES", 3001)
    long = (b"%05d" * 2000 % tuple(range(2000)))[: length - 1] + b"\n"
    reading.write(long + b"next\n")
    await reading.read_all()
    first, second = reading.chunks
    assert (first.data, first.oversize, first.cut, first.lines) == (long if not cut else long[:1500] + long[-1500:], oversize, cut, 1)
    assert (second.start.offset, second.start.tail, second.data) == (length, Fingerprint.of(long[-1024:]), b"next\n")
    assert reading.place.at.offset == length + 5
    assert reading.ledger.accounting.lines_read == 2


@pytest.fixture
async def long_line_behind(reading):
    """Give a function that reads a line of so many bytes, and up to the end of one of 1000 bytes less than 4 MiB behind it."""
    reading.settles = False
    reading.reader = ChunkReader(reading.place, reading.ledger, reading.outbox, 256 * KIB)

    async def long_line_behind(before):
        reading.write(b"y" * (before - 1) + b"\n")
        await reading.read_all()
        long = b"x" * (LIMIT - 1001) + b"\n"
        reading.write(long)
        while reading.place.scanned + 256 * KIB < len(long):
            assert await reading.read() == (None, True)
        return long

    return long_line_behind


@pytest.mark.parametrize(("before", "waits"), [(999, False), (1000, False), (1001, True)])
async def test_a_long_line_waits_for_those_before_it_if_all_are_too_many_bytes(reading, long_line_behind, before, waits):
    long = await long_line_behind(before)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reading.reader.read, reading.lifeline, reading.place.file, reading.place.at)
        await anyio.sleep(0.1)
        assert (reading.lifeline.waiting_for, len(reading.chunks)) == ("lines before a long one to be settled" if waits else None, 1)
        reading.settle(reading.chunks[0])
    assert reading.taken() == long


async def test_a_long_line_that_is_cut_while_it_waits_is_not_handed_on(reading, long_line_behind):
    await long_line_behind(1001)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reading.reader.read, reading.lifeline, reading.place.file, reading.place.at)
        await anyio.sleep(0.05)
        os.truncate(reading.path, 5000)
        reading.settle(reading.chunks[0])
    assert (reading.taken(), reading.place.scanned) == (None, 0)


async def test_a_long_line_that_is_alone_waits_for_nothing_however_long_it_is(reading, monkeypatch):
    monkeypatch.setattr(chunks, "UNSETTLED_BYTES", 10)
    reading.write(b"x" * 1499 + b"\n")
    with anyio.fail_after(5):
        assert [(await reading.read())[0] for _ in range(2)] == [None, b"x" * 1499 + b"\n"]


@pytest.mark.parametrize("length", [1, 1000])
async def test_a_rest_no_longer_than_a_chunk_waits_for_nothing_before_it(reading, monkeypatch, length):
    monkeypatch.setattr(chunks, "UNSETTLED_BYTES", 10)
    reading.settles = False
    reading.write(b"y" * 499 + b"\n" + b"x" * length)
    await reading.read()
    with anyio.fail_after(5):
        assert await reading.read_rest() == (b"x" * length, False)


async def test_what_follows_the_last_line_feed_is_handed_on_once_it_was_quiet_for_so_long(reading, monkeypatch):
    monkeypatch.setattr(chunks, "REST_SECONDS", 0.3)
    reading.write(b"line\n")
    assert await reading.read() == (b"line\n", True)
    assert await reading.read_rest(None) == (None, True)
    reading.write(b"re")
    for _ in range(3):
        assert await reading.read_rest(None) == (None, False)
        await anyio.sleep(0.13)
    reading.write(b"st")
    for _ in range(3):
        assert await reading.read_rest(None) == (None, False)
        await anyio.sleep(0.06)
    await anyio.sleep(0.2)
    assert await reading.read_rest(None) == (b"rest", False)
    assert await reading.read_rest(None) == (None, True)
    assert (reading.chunks[-1].start.offset, reading.chunks[-1].lines, reading.chunks[-1].oversize) == (5, 1, False)


@pytest.mark.parametrize("length", [0, 3, 5])
async def test_there_is_no_rest_in_a_file_that_is_shorter_than_what_was_read_of_it(reading, length):
    reading.write(b"line\n")
    await reading.read_all()
    os.truncate(reading.path, length)
    assert await reading.read_rest() == (None, True)


@pytest.mark.parametrize(("cut", "is_handed_on"), [(0, True), (9, False)], ids=["whole", "damaged"])
async def test_the_rest_of_a_packed_file_is_waited_for_only_if_that_ends_early(tmp_path, cut, is_handed_on):
    reading = Reading(tmp_path / "alerts.json.gz")
    packed = gzip.compress(b"line\nrest")
    reading.write(packed[: len(packed) - cut])
    await reading.open()
    assert (await reading.read())[0] == b"line\n"
    data, is_done = await reading.read_rest(60.0)
    assert (data is not None, is_done) == (is_handed_on, False)
    await reading.place.file.aclose()
    reading.outbox.dispose()
