"""The tailer on real files that are written and rotated as Wazuh does: every line comes once, in order, whatever happens in between."""

import bz2
import errno
import gzip
import lzma
import os
import re
import time
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import anyio.lowlevel
import psutil
import pytest

from support.site import Site, line, lines, until, without_privileges
from support.wazuh_writer import compress
from wazuh_dfn.errors import CannotUnpackError
from wazuh_dfn.storage.local_disk import LocalDisk, LocalHandle
from wazuh_dfn.tailing import registry
from wazuh_dfn.tailing.alert_file import AlertFolder
from wazuh_dfn.tailing.contents import PackedContent, open_content, zstd

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


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
    site.wazuh.write(lines(0))
    async with site.tailing():
        await site.until_read(0)
    site.wazuh.write(lines(*range(1, 4_000)))
    compress(site.wazuh.next_day())
    site.wazuh.write(lines(4_000))
    async with site.tailing():
        while len(site.read) < 2:
            await anyio.lowlevel.checkpoint()
    assert len(site.read) < 4_000
    async with site.tailing():
        await site.until_read(*range(4_001))


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


def cut_off(path, length):
    os.truncate(path, path.stat().st_size - length)


@pytest.mark.parametrize("cut", [8, 300], ids=["without its trailer", "torn"])
async def test_of_a_damaged_gzipped_file_all_is_read_that_can_be_unpacked(site, cut):
    site.wazuh.write(lines(1))
    async with site.tailing():
        await site.until_read(1)
    site.wazuh.write(lines(*range(2, 100)) + os.urandom(2_000).replace(b"\n", b"") + b"\n")
    former = site.wazuh.next_day()
    site.wazuh.write(lines(100))
    compress(former)
    cut_off(former.with_name(f"{former.name}.gz"), cut)
    async with site.tailing():
        await until(lambda: site.read[-1] == 100)
    assert site.read[:99] == list(range(1, 100))


async def test_of_a_gzipped_file_that_is_damaged_in_its_middle_all_before_the_damage_is_read(tmp_path):
    packer, data, path = zlib.compressobj(wbits=31), lines(*range(5_000)), tmp_path / "former.json.gz"
    path.write_bytes(packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH) + b"\xff" * 1_000)
    content, found = open_content(LocalDisk(), path), b""
    while piece := content.read(len(found), 524_288):
        found += piece
    assert data.startswith(found)
    assert len(found) >= len(data) - 1, "the byte before the damage can go with it"
    assert content.size() == len(found)
    content.close()


async def test_a_gzipped_file_read_line_by_line_in_chunks_is_unpacked_once(tmp_path):
    data, path, packed_bytes_read = lines(*range(2_000)), tmp_path / "former.json.gz", []
    path.write_bytes(gzip.compress(data, 0))

    class CountingHandle(LocalHandle):
        def read(self, offset, limit):
            packed_bytes_read.append(len(piece := super().read(offset, limit)))
            return piece

    content, found = PackedContent(CountingHandle(path), gzip.open), b""
    while piece := content.read(len(found), 20_000):
        found += piece[: piece.rfind(b"\n") + 1]
    content.close()
    assert found == data
    assert sum(packed_bytes_read) == path.stat().st_size


async def test_a_gzipped_file_read_again_from_the_same_place_is_not_unpacked_again(tmp_path):
    data, path, packed_bytes_read = lines(*range(500)), tmp_path / "former.json.gz", []
    path.write_bytes(gzip.compress(data, 0))

    class CountingHandle(LocalHandle):
        def read(self, offset, limit):
            packed_bytes_read.append(len(piece := super().read(offset, limit)))
            return piece

    content = PackedContent(CountingHandle(path), gzip.open)
    for limit in (200_000, 300_000, len(data), 100):
        assert content.read(50_000, limit) == data[50_000 : 50_000 + limit]
    content.close()
    assert sum(packed_bytes_read) < 1.5 * path.stat().st_size


async def test_the_tailer_unpacks_a_gzipped_file_once_to_find_its_place_and_once_to_read_on(site, monkeypatch):
    packed_bytes_read = []
    read = LocalHandle.read

    def counted(handle, offset, limit):
        piece = read(handle, offset, limit)
        packed_bytes_read.append(len(piece) if handle._file.name == former else 0)
        return piece

    site.wazuh.write(lines(*range(2_000)))
    async with site.tailing():
        await site.until_read(*range(2_000))
    site.wazuh.write(lines(*range(2_000, 4_000)))
    plain = site.wazuh.next_day()
    former = plain.with_name(f"{plain.name}.gz")
    former.write_bytes(gzip.compress(plain.read_bytes(), 0))
    plain.unlink()
    site.wazuh.write(lines(4_000))
    monkeypatch.setattr(LocalHandle, "read", counted)
    async with site.tailing():
        await site.until_read(*range(4_001))
    assert sum(packed_bytes_read) < 1.7 * former.stat().st_size, "half of it to find the place, and all of it to read the rest"


async def test_an_error_of_the_disk_does_not_end_a_gzipped_file(tmp_path):
    data = lines(*range(500))
    path = tmp_path / "former.json.gz"
    path.write_bytes(gzip.compress(data))

    class FailingHandle(LocalHandle):
        fails_at = -1
        reads = 0

        def read(self, offset, limit):
            self.reads += 1
            if self.reads == self.fails_at:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(offset, limit)

    for fails_at in range(1, 6):
        handle = FailingHandle(path)
        content = PackedContent(handle, gzip.open)
        handle.fails_at, found = fails_at, b""
        while len(found) < len(data):
            try:
                piece = content.read(len(found), 100_000)
            except OSError:
                continue
            assert piece, "that is not the end"
            found += piece
        assert found == data
        content.close()


PACK = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zst": zstd.compress,
}


@pytest.fixture
def opened(tmp_path):
    """Give a function that opens a file with that name and content; what it opened is closed."""
    contents = []

    def opened(name, data):
        (tmp_path / name).write_bytes(data)
        contents.append(open_content(LocalDisk(), tmp_path / name))
        return contents[-1]

    yield opened
    for content in contents:
        content.close()


@pytest.mark.parametrize("packer", PACK)
async def test_a_packed_file_gives_any_of_its_bytes_in_any_order_whatever_it_is_called(opened, packer):
    data = lines(*range(500))
    content = opened("alerts.json.1", PACK[packer](data))
    for offset, limit in [
        (400_000, 9_000),
        (0, 9_000),
        (5_000, 9_000),
        (5_000, 1_000),
        (4_999, 1),
        (13_999, 2),
        (len(data) - 9, 100),
        (0, 70_000),
    ]:
        assert content.read(offset, limit) == data[offset : offset + limit]
    assert content.read(len(data), 10) == content.read(len(data) + 5, 10) == b""
    assert (content.size(), content.is_packed, content.damage) == (len(data), True, None)
    assert content.status().size == len(PACK[packer](data))
    assert content.read(0, len(data) + 1) == data


@pytest.mark.parametrize("data", [b"{}\n", b"\0\0\0{}\n", b""], ids=["a line", "NULs of a power cut", "nothing"])
async def test_what_is_called_packed_and_is_not_is_read_as_it_is(opened, data):
    content = opened("alerts.json.1.gz", data)
    assert (content.is_packed, content.read(0, 10), content.size(), content.damage) == (False, data, len(data), None)
    assert content.read(1, 1) == data[1:2]


async def test_a_plain_name_is_read_as_it_is_whatever_it_holds(opened):
    assert opened("alerts.json.1", b"PK\x03\x04").read(0, 10) == b"PK\x03\x04"


async def test_what_is_packed_by_an_unknown_format_is_refused_and_not_left_open(tmp_path):
    path = tmp_path / "alerts.json.1.gz"
    path.write_bytes(b"PK\x03\x04")
    for _ in range(2):
        with pytest.raises(CannotUnpackError, match=re.escape(f"{path} is packed by a format that is not known here")):
            open_content(LocalDisk(), path)
    assert str(path) not in {file.path for file in psutil.Process().open_files()}


async def test_a_closed_packed_file_is_not_left_open(opened, tmp_path):
    content = opened("a.json.gz", gzip.compress(b"{}\n"))
    content.read(0, 1)
    content.close()
    content.close()
    assert str(tmp_path / "a.json.gz") not in {file.path for file in psutil.Process().open_files()}


@pytest.mark.parametrize("packer", PACK)
async def test_of_a_packed_file_with_wrong_bytes_the_damage_is_told_and_is_no_error_of_the_disk(opened, packer):
    packed = PACK[packer](lines(*range(3_000)))
    content, length = opened("a.json", packed[:-8] + bytes(byte ^ 255 for byte in packed[-8:])), 0
    while piece := content.read(length, 100_000):
        length += len(piece)
    assert content.damage
    assert content.size() == length


@pytest.mark.parametrize("packer", PACK)
async def test_an_error_of_the_disk_that_lasts_is_raised_each_time_and_is_no_damage(tmp_path, packer):
    data, path = os.urandom(1_500_000), tmp_path / "a.json"
    path.write_bytes(PACK[packer](data))

    class FailingHandle(LocalHandle):
        fails = False

        def read(self, offset, limit):
            if FailingHandle.fails:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(offset, limit)

    class FailingDisk(LocalDisk):
        def open(self, path):
            return FailingHandle(path)

    content = open_content(FailingDisk(), path)
    assert content.read(0, 1_000) == data[:1_000]
    FailingHandle.fails = True
    for _ in range(3):
        with pytest.raises(OSError, match="Input/output error"):
            content.read(1_000, 1_499_000)
    FailingHandle.fails = False
    assert (content.read(1_000, 1_600_000), content.damage) == (data[1_000:], None)
    content.close()


@pytest.mark.parametrize("packer", PACK)
async def test_of_a_packed_file_that_is_torn_all_is_read_that_can_be_unpacked_and_why_it_ends(opened, packer):
    data = os.urandom(300_000)
    content = opened("a.json", PACK[packer](data)[:-40])
    found = b""
    while piece := content.read(len(found), 100_000):
        found += piece
    assert data.startswith(found)
    assert (content.size(), bool(content.damage)) == (len(found), True)
    if packer in {"gz", "zst"}:
        assert len(found) > 160_000


async def test_a_packed_file_that_is_packed_anew_has_the_size_and_the_bytes_of_what_is_in_it_by_now(opened, tmp_path):
    data, path = lines(*range(500)), tmp_path / "a.json.gz"
    content = opened("a.json.gz", gzip.compress(data))
    assert (content.size(), content.changes) == (len(data), 0)
    path.write_bytes(gzip.compress(data[:200_000]))
    assert content.size() == 200_000
    assert content.read(150_000, 100_000) == data[150_000:200_000]
    other = lines(*range(1_000, 1_500))
    path.write_bytes(gzip.compress(other))
    assert content.read(150_000, 1_000) == other[150_000:151_000]
    assert (content.size(), content.changes) == (len(other), 2)


async def test_if_no_checkpoint_can_be_read_all_files_are_that_were_written_to_since(site):
    site.wazuh.write(lines(1))
    async with site.tailing():
        await site.until_read(1)
    for path in (site.path.parent / "state").iterdir():
        written = path.stat().st_mtime
        path.write_bytes(b"\0" * 100)
        os.utime(path, (written, written))
    site.wazuh.write(lines(2))
    site.wazuh.next_day()
    site.wazuh.write(lines(3))
    async with site.tailing():
        await site.until_read(1, 1, 2, 3)


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


async def test_the_checkpoint_is_bounded_whatever_the_number_of_files_that_were_read(site, monkeypatch):
    monkeypatch.setattr(registry, "KEPT_FILES", 4)
    checkpoint, sizes = site.path.parent / "state" / "checkpoint.json", []
    for number in range(12):
        site.wazuh.write(lines(number))
        async with site.tailing():
            await site.until_read(*range(number + 1))
        sizes.append(checkpoint.stat().st_size)
        site.wazuh.roll()
    assert max(sizes) < 2.5 * sizes[1], "bytes, for two files or twelve"


async def test_copytruncate_keeps_the_inode_while_the_size_falls(site):
    site.wazuh.write(lines(1, 2, 3))
    async with site.tailing():
        await site.until_read(1, 2, 3)
        os.truncate(site.path, 0)
        await anyio.sleep(0.05)
        site.wazuh.write(lines(4))
        await site.until_read(1, 2, 3, 4)


def copytruncate(site, number=1):
    """What logrotate does: copy, then truncate. Wazuh writes on in the same file."""
    copy = site.path.parent / f"alerts.json.{number}"
    copy.write_bytes(site.path.read_bytes())
    os.truncate(site.path, 0)
    time.sleep(0.01)
    return copy


async def test_what_a_copytruncate_took_away_is_read_from_its_copy_and_the_copy_is_not_taken_for_a_new_file(site):
    site.wazuh.write(lines(1, 2))
    async with site.tailing():
        await site.until_read(1, 2)
        site.wazuh.write(lines(3))
        copytruncate(site)
        site.wazuh.write(lines(4, 5, 6, 7))
        await site.until_read(1, 2, 3, 4, 5, 6, 7)
        site.wazuh.next_day()
        site.wazuh.write(lines(8))
        await site.until_read(1, 2, 3, 4, 5, 6, 7, 8)


@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzipped"])
async def test_copytruncates_while_the_daemon_was_down_are_read_from_their_copies_in_order(site, gzipped):
    site.wazuh.write(lines(1, 2))
    async with site.tailing():
        await site.until_read(1, 2)
    site.wazuh.write(lines(3))
    copies = [copytruncate(site, 2)]
    site.wazuh.write(lines(4))
    copies.append(copytruncate(site, 1))
    site.wazuh.write(lines(5, 6, 7, 8))
    for path in copies if gzipped else ():
        written = path.stat().st_mtime_ns
        compress(path)
        os.utime(f"{path}.gz", ns=(written, written))  # the command gzip keeps the time
    async with site.tailing():
        await site.until_read(1, 2, 3, 4, 5, 6, 7, 8)


@pytest.mark.parametrize("share", [0.5, 1.0], ids=["half written", "whole"])
async def test_a_gzipped_copy_that_a_crash_of_the_machine_left_beside_the_plain_one_is_passed_over(site, share):
    """Neither has been removed, and the time of the gzipped one is that of the gzipping."""
    site.wazuh.write(lines(1, 2))
    async with site.tailing():
        await site.until_read(1, 2)
        site.wazuh.write(lines(3))
        copy = copytruncate(site)
        packed = gzip.compress(copy.read_bytes())
        copy.with_name("alerts.json.1.gz").write_bytes(packed[: int(len(packed) * share)])
        await anyio.sleep(0.01)
        site.wazuh.write(lines(4, 5, 6, 7))
        await site.until_read(1, 2, 3, 4, 5, 6, 7)
        site.wazuh.next_day()
        site.wazuh.write(lines(8))
        await site.until_read(1, 2, 3, 4, 5, 6, 7, 8)


async def test_a_copy_made_while_the_file_before_was_still_read_is_read_though_a_power_failure_cut_that_file(site):
    site.wazuh.write(lines(1, 2))
    first_day, written = site.wazuh.dated, site.wazuh.dated.stat().st_mtime_ns
    async with site.tailing():
        await site.until_read(1, 2)
    site.wazuh.next_day()
    site.wazuh.write(lines(3))
    copytruncate(site)
    site.wazuh.write(lines(4))
    os.truncate(first_day, len(lines(1)))
    os.utime(first_day, ns=(written, written))
    async with site.tailing():
        await site.until_read(1, 2, 1, 3, 4)


@pytest.mark.parametrize("lives", [1, 2])
async def test_a_file_that_was_empty_at_the_checkpoint_and_copied_and_left_since_is_read_from_copy_and_file(site, lives):
    async with site.tailing() as place:
        await until(lambda: place.file)
    site.wazuh.write(lines(1))
    copytruncate(site)
    site.wazuh.write(lines(2))
    site.wazuh.next_day()
    site.wazuh.write(lines(3))
    for _ in range(1, lives):  # they save where they begin, and are killed before they settle anything
        await site.checkpoints.save(await site.checkpoints.load())
    async with site.tailing():
        await site.until_read(1, 2, 3)


async def test_a_path_that_names_nothing_at_every_look_does_not_make_the_file_its_own_successor(site, monkeypatch):
    async def names_nothing(*_):
        return None

    monkeypatch.setattr(AlertFolder, "current_node", names_nothing)
    site.wazuh.write(lines(1, 2))
    async with site.tailing():
        await site.until_read(1, 2)
        site.wazuh.write(lines(3))
        await site.until_read(1, 2, 3)


async def test_a_file_renamed_by_logrotate_while_the_daemon_was_down_is_read_to_its_end(tmp_path):
    site = Site(tmp_path, None)
    site.path.write_bytes(lines(1))
    async with site.tailing():
        await site.until_read(1)
    site.path.write_bytes(lines(1, 2))
    site.path.rename(tmp_path / "alerts.json.1")
    site.path.write_bytes(lines(3))
    async with site.tailing():
        await site.until_read(1, 2, 3)


async def test_a_file_cut_by_a_power_failure_that_grew_past_the_position_again_is_read_from_its_beginning(site):
    site.wazuh.write(lines(1, 2, 3))
    async with site.tailing():
        await site.until_read(1, 2, 3)
    os.truncate(site.path, len(lines(1)))
    site.wazuh.write(lines(4, 5, 6))
    async with site.tailing():
        await site.until_read(1, 2, 3, 1, 4, 5, 6)


async def test_two_former_files_that_share_their_first_lines_are_told_apart(site):
    site.wazuh.write(lines(1, 2))
    async with site.tailing():
        await site.until_read(1, 2)
    site.wazuh.write(lines(3))
    compress(site.wazuh.roll())
    site.wazuh.write(lines(1, 4))
    compress(site.wazuh.roll())
    site.wazuh.write(lines(5))
    async with site.tailing():
        await site.until_read(1, 2, 3, 1, 4, 5)


async def test_files_beside_it_that_may_not_be_read_stop_nothing(site):
    (site.path.parent / "alerts.json.1").mkdir()
    os.mkfifo(site.path.parent / "alerts.json.2")
    site.wazuh.write(lines(1, 2))
    async with site.tailing():
        await site.until_read(1, 2)
        os.truncate(site.path, 0)
        site.wazuh.write(lines(3))
        await site.until_read(1, 2, 3)


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


async def test_a_file_just_begun_is_not_taken_for_another_that_has_its_inode_and_begins_alike(site):
    site.wazuh.write(b"0000")
    async with site.tailing() as place:
        await until(lambda: place.file)
    first_day = site.wazuh.dated
    with gzip.open(f"{first_day}.gz", "wb") as file:
        file.write(lines(1, 2))
    first_day.rename(first_day.with_name("ossec-alerts-31.json"))
    site.path.write_bytes(lines(3))
    async with site.tailing():
        await site.until_read(1, 2, 3)


async def test_truncated_behind_a_line_over_the_limit_and_grown_past_it_again(site):
    site.wazuh.write(lines(1) + b"x" * 4_300_000 + b"\n")
    async with site.tailing():
        await site.until_read(1, b"oversize")
    os.truncate(site.path, len(lines(1)))
    site.wazuh.write(lines(*range(2, 400)))
    async with site.tailing():
        await site.until_read(1, b"oversize", 1, *range(2, 400))


@pytest.mark.parametrize("count", [10, 20_000], ids=["still smaller", "grown past it"])
@pytest.mark.parametrize("rotates", [False, True])
async def test_truncated_within_a_line_over_the_limit_and_written_anew(site, count, rotates):
    site.wazuh.write(lines(1) + b"x" * 700_000)
    async with site.tailing() as place:
        await until(lambda: place.scanned >= 700_000)
        os.truncate(site.path, len(lines(1)))
        site.wazuh.write(lines(*range(2, count)))
        if rotates:
            site.wazuh.next_day()
            site.wazuh.write(lines(0))
        await site.until_read(1, *range(2, count), *([0] if rotates else []))


async def test_a_path_that_does_not_exist_yet_is_read_from_its_beginning_when_it_appears(tmp_path):
    site = Site(tmp_path, None)
    async with site.tailing("end") as place:
        await until(lambda: place.problems)
        assert place.problems[0].startswith(f"{site.path} does not exist; check that Wazuh is running")
        site.path.write_bytes(lines(1))
        await site.until_read(1)


async def test_a_path_that_is_a_directory_is_waited_out(tmp_path):
    site = Site(tmp_path, None)
    site.path.mkdir()
    async with site.tailing() as place:
        await until(lambda: place.problems)
        site.path.rmdir()
        site.path.write_bytes(lines(1))
        await site.until_read(1)


@pytest.fixture
def open_folder():
    """Give a folder that another user can enter, unlike pytest's own."""
    with TemporaryDirectory(prefix="site-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def test_a_file_that_may_not_be_read_for_a_while_is_read_from_where_it_stood(open_folder):
    site = Site(open_folder, None)
    site.path.write_bytes(lines(1))
    async with site.tailing():
        await site.until_read(1)
    site.path.write_bytes(lines(1, 2))
    site.path.chmod(0)
    for path in (open_folder / "state").iterdir():
        path.chmod(0o644)
    with without_privileges():
        async with site.tailing() as place:
            await until(lambda: place.problems)
    assert f"{site.path}: Permission denied" in place.problems[0]
    site.path.chmod(0o640)
    async with site.tailing():
        await site.until_read(1, 2)


async def test_the_bytes_of_a_file_without_a_name_are_told_until_it_is_let_go(site):
    site.wazuh.write(lines(1, 2))
    async with site.tailing() as place:
        await site.until_read(1, 2)
        assert await place.file.unnamed_bytes() == 0
        site.path.unlink()
        site.wazuh.dated.unlink()
        assert await place.file.unnamed_bytes() == len(lines(1, 2))
        site.wazuh.number += 1
        site.wazuh.open_dated()
        site.wazuh.write(lines(3))
        await site.until_read(1, 2, 3)
        assert await place.file.unnamed_bytes() == 0


async def test_a_line_split_anywhere_also_inside_a_utf8_sequence_is_handed_on_whole(site):
    text = "x é € 😀 y".encode()
    async with site.tailing() as place:
        await until(lambda: place.file)
        for cut in range(len(text) + 1):
            site.wazuh.write(text[:cut])
            await anyio.sleep(0.02)
            assert len(site.read) == cut, "nothing of a line before its end"
            site.wazuh.write(text[cut:] + b"\n")
            await site.until_read(*[text] * (cut + 1))


async def test_a_line_over_the_limit_is_skipped_and_marked_and_the_next_is_whole(site):
    site.wazuh.write(lines(1) + b"x" * 2_500_000)
    async with site.tailing():
        await site.until_read(1)
        site.wazuh.write(b"x" * 2_500_000 + b"\n" + lines(2))
        await site.until_read(1, b"oversize", 2)


async def test_a_partial_last_line_of_a_complete_file_is_handed_on(site):
    site.wazuh.write(lines(1) + b"partial")
    async with site.tailing():
        await site.until_read(1)
        site.wazuh.next_day()
        site.wazuh.write(lines(2))
        await site.until_read(1, b"partial", 2)
