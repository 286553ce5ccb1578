"""What happens to disks under the alert files: moved and restored trees, handles that fail for good, power cuts."""

import errno
import gzip
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest

from support.site import DOWN_OR_UP, Site, lines, pause, restart_and_expect, settle
from support.wazuh_writer import WazuhWriter, compress
from wazuh_dfn.storage.local_disk import LocalHandle

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


# The tree is moved or restored.


@contextmanager
def other_folder(where, tmp_path):
    """A folder in the same file system, or in another one."""
    if where == "the same disk":
        yield tmp_path / "elsewhere"
        return
    if not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system at /dev/shm")
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder) / "elsewhere"


@pytest.fixture
def alerts_site(tmp_path):
    """A site whose alerts are in a folder of their own, three days of them; the last one is read to its middle."""
    folder = tmp_path / "alerts"
    folder.mkdir()
    with WazuhSite(tmp_path, folder) as site:
        yield site


class WazuhSite(Site):
    """Has its state outside the folder of the alerts."""

    def __init__(self, folder, alerts):
        super().__init__(folder, WazuhWriter(alerts))
        self.path = alerts / "alerts.json"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wazuh.close()


def move_tree(folder, to, command=("cp", "-a")):
    """Copy it and remove the old one: other inodes, and perhaps another device."""
    subprocess.run([*command, folder, to], check=True)
    shutil.rmtree(folder)


async def three_days(site):
    await settle(site, 1, 2)
    site.wazuh.next_day()
    await settle(site, 3, 4)
    compress(site.wazuh.next_day())
    await settle(site, 5, 6)
    site.wazuh.write(lines(7))


COPIES = {"cp -a": ["cp", "-a"], "cp -r": ["cp", "-r"], "hard links become files": ["cp", "-r", "--preserve=timestamps"]}


@pytest.mark.parametrize("command", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("where", ["the same disk", "another disk"])
@pytest.mark.parametrize("path", ["same path", "other path"])
async def test_a_tree_that_was_copied_elsewhere_is_read_on_and_not_from_its_beginning(alerts_site, tmp_path, command, where, path):
    site = alerts_site
    await three_days(site)
    site.wazuh.close()
    with other_folder(where, tmp_path) as folder:
        move_tree(site.path.parent, folder, command)
        if path == "same path":
            site.path.parent.symlink_to(folder)
        else:
            site.path = folder / "alerts.json"
        async with site.tailing():
            await site.until_all_read(*range(1, 8))
            site.wazuh.move_to(folder)
            site.wazuh.write(lines(8))
            await site.until_all_read(*range(1, 9))
        site.wazuh.write(lines(9))
        site.wazuh.next_day()
        site.wazuh.write(lines(10))
        await restart_and_expect(site, *range(1, 11))


@pytest.mark.parametrize("where", ["the same disk", "another disk"])
async def test_days_change_behind_a_tree_that_was_moved_while_the_daemon_was_down(alerts_site, tmp_path, where):
    site = alerts_site
    await three_days(site)
    site.wazuh.close()
    with other_folder(where, tmp_path) as folder:
        move_tree(site.path.parent, folder)
        site.path = folder / "alerts.json"
        site.wazuh.move_to(folder)
        site.wazuh.write(lines(8))
        compress(site.wazuh.next_day())
        site.wazuh.write(lines(9))
        site.wazuh.next_day()
        site.wazuh.write(lines(10))
        await restart_and_expect(site, *range(1, 11))


@DOWN_OR_UP
@pytest.mark.parametrize("kept", [1, 2])
async def test_a_smaller_file_that_was_restored_is_read_on(site, up, kept):
    """From a backup: what it has was read before, and may be repeated; what is appended is new."""
    await settle(site, 1, 2, 3)
    async with site.maybe_tailing(up=up):
        site.wazuh.close()
        site.wazuh.dated.unlink()
        site.path.unlink()
        site.wazuh.dated.write_bytes(lines(*range(1, kept + 1)))
        site.wazuh.open_dated()
        await pause()
        site.wazuh.write(lines(*range(4, 8)))
    await restart_and_expect(site, *range(1, 8), repeats=kept)


# Errors that last on a descriptor, while the path opens again.


@pytest.fixture
def break_open_files(monkeypatch):
    """Return a function that lets all handles that are open fail from now on with that error, as after a failover of an NFS server."""
    era, eras = [0, None], {}
    opened, read, status = LocalHandle.__init__, LocalHandle.read, LocalHandle.status

    def note_era(handle, *arguments):
        opened(handle, *arguments)
        eras[id(handle)] = era[0]

    def fail_if_old(handle):
        if eras[id(handle)] < era[0]:
            raise OSError(era[1], os.strerror(era[1]))

    def checked_read(handle, offset, limit):
        fail_if_old(handle)
        return read(handle, offset, limit)

    def checked_status(handle):
        fail_if_old(handle)
        return status(handle)

    def break_them(number):
        era[:] = [era[0] + 1, number]

    monkeypatch.setattr(LocalHandle, "__init__", note_era)
    monkeypatch.setattr(LocalHandle, "read", checked_read)
    monkeypatch.setattr(LocalHandle, "status", checked_status)
    return break_them


STALE_OR_BROKEN = pytest.mark.parametrize("error", [errno.ESTALE, errno.EIO], ids=errno.errorcode.get)


@STALE_OR_BROKEN
@pytest.mark.parametrize("times", [1, 3])
async def test_after_a_lasting_error_the_path_is_opened_again_and_reading_goes_on(site, break_open_files, error, times):
    await settle(site, 1)
    async with site.tailing():
        await pause()
        for number in range(2, 2 + 2 * times, 2):
            site.wazuh.write(lines(number))
            await site.until_all_read(*range(1, number + 1))
            break_open_files(error)
            await pause()
            site.wazuh.write(lines(number + 1))
            await site.until_all_read(*range(1, number + 2), repeats=1)
    await restart_and_expect(site, *range(1, 2 + 2 * times), repeats=1)


@STALE_OR_BROKEN
@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzipped"])
async def test_an_error_that_lasts_over_a_day_change_costs_no_line(site, break_open_files, error, gzipped):
    await settle(site, 1)
    async with site.tailing():
        site.wazuh.write(lines(2))
        await site.until_all_read(1, 2)
        break_open_files(error)
        site.wazuh.write(lines(3))
        former = site.wazuh.next_day()
        if gzipped:
            compress(former)
        site.wazuh.write(lines(4))
        await site.until_all_read(1, 2, 3, 4, repeats=1)
    await restart_and_expect(site, 1, 2, 3, 4, repeats=1)


@STALE_OR_BROKEN
async def test_an_error_in_the_middle_of_a_backlog_costs_no_line(site, break_open_files, error):
    await settle(site, 0)
    async with site.tailing():
        await pause()
        site.hold()
        for number in range(1, 10):
            site.wazuh.write(lines(number))
            await pause()
        break_open_files(error)
        for number in range(10, 20):
            site.wazuh.write(lines(number))
        site.release()
        await site.until_all_read(*range(20), repeats=9)
    await restart_and_expect(site, *range(20), repeats=9)


async def test_what_is_left_of_a_stale_file_comes_before_what_is_newer(site, break_open_files):
    await settle(site, 0)
    async with site.tailing():
        await pause()
        site.hold()
        for number in range(1, 8):
            site.wazuh.write(lines(number))
            await pause()
        site.wazuh.write(lines(8, 9))
        site.wazuh.next_day()
        site.wazuh.write(lines(10, 11))
        break_open_files(errno.ESTALE)
        site.release()
        await site.until_all_read(*range(12), repeats=9)
    assert list(dict.fromkeys(site.read)) == list(range(12))


async def test_a_file_that_is_stale_again_and_again_keeps_nothing_newer_from_being_read(site, monkeypatch):
    await settle(site, 0)
    former, read = site.wazuh.dated.stat().st_ino, LocalHandle.read

    def stale_in_chunks(handle, offset, limit):
        if limit > 100_000 and handle.status().inode == former:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return read(handle, offset, limit)

    async with site.tailing():
        await pause()
        monkeypatch.setattr(LocalHandle, "read", stale_in_chunks)
        site.wazuh.write(lines(1, 2))
        site.wazuh.next_day()
        site.wazuh.write(lines(3, 4))
        await site.until_all_read(0, 3, 4)
    monkeypatch.undo()
    await restart_and_expect(site, 0, 3, 4, 1, 2)


# Power cuts: the last pages of the alert file are gone, those of the checkpoint are not.

SEGMENT = 50
SAVE_SECONDS = 0.1
"""Between two saved checkpoints; the daemon syncs one each second."""


async def save_in_segments(site, count):
    """Read `count` segments of lines, with a saved checkpoint after each."""
    async with site.tailing():
        for first in range(0, count * SEGMENT, SEGMENT):
            site.wazuh.write(lines(*range(first, first + SEGMENT)))
            await site.until_all_read(*range(first + SEGMENT))
            await site.save()
            await pause(SAVE_SECONDS)
        site.kill()


def cut(site, kept, how):
    """Take away all but `kept` lines and some of the next; with NULs the length stays."""
    size, length = site.wazuh.dated.stat().st_size, len(lines(*range(kept))) + 500
    os.truncate(site.wazuh.dated, length)
    if how == "NULs":
        os.truncate(site.wazuh.dated, size)


@pytest.mark.parametrize("grows", ["within", "past the position"])
@pytest.mark.parametrize("kept", [395, 360, 310], ids="to line {}".format)
@pytest.mark.parametrize("how", ["cut", "NULs"])
async def test_after_a_power_cut_what_is_new_is_read_and_only_what_is_near_the_cut_again(site, how, kept, grows):
    await save_in_segments(site, 8)
    cut(site, kept, how)
    new = range(1_000, 1_003 if grows == "within" else 1_150)
    site.wazuh.restart()
    site.wazuh.write(lines(*new))
    await restart_and_expect(site, *range(400), *new, repeats=2 * SEGMENT, scraps=2)


@pytest.mark.parametrize("how", ["cut", "NULs"])
async def test_after_a_power_cut_the_file_grows_while_the_daemon_reads(site, how):
    await save_in_segments(site, 8)
    cut(site, 380, how)
    async with site.tailing():
        await pause()
        for number in range(1_000, 1_100):
            site.wazuh.write(lines(number))
            await anyio.sleep(0.002)
        await site.until_all_read(*range(400), *range(1_000, 1_100), repeats=2 * SEGMENT, scraps=2)
    await restart_and_expect(site, *range(400), *range(1_000, 1_100), repeats=2 * SEGMENT, scraps=2)


async def test_after_a_power_cut_the_day_changes_before_the_daemon_starts(site):
    await save_in_segments(site, 8)
    cut(site, 380, "cut")
    site.wazuh.restart()
    site.wazuh.write(lines(1_000))
    site.wazuh.next_day()
    site.wazuh.write(lines(1_001))
    await restart_and_expect(site, *range(400), 1_000, 1_001, repeats=2 * SEGMENT, scraps=2)


@pytest.mark.parametrize("torn", [1, 300, 900], ids="after {} bytes".format)
async def test_a_line_that_a_power_cut_has_torn_is_read_whole_from_the_gzipped_file_that_still_has_it(site, torn):
    """monitord had gzipped the file and not removed it yet; its last page is gone. The beginning of the line counted as all of it."""
    await settle(site, 1)
    site.wazuh.write(lines(2, 3, 4, 5))
    former = site.wazuh.dated
    packed = gzip.compress(former.read_bytes())
    os.truncate(former, len(lines(1, 2, 3)) + torn)
    site.wazuh.next_day()
    site.wazuh.write(lines(6))
    async with site.tailing():
        await site.until_all_read(1, 2, 3, 6, scraps=1)
        former.with_name(f"{former.name}.gz").write_bytes(packed)
        await site.until_all_read(*range(1, 7), scraps=1)
    await restart_and_expect(site, *range(1, 7), scraps=1)


@pytest.mark.parametrize("ending", [b"", b"\n"], ids=["glued", "ended"])
async def test_a_whole_alert_without_its_line_feed_does_not_come_twice_when_its_file_grows(site, ending):
    await settle(site, 1)
    alert = b'{"rule":{"id":"1"}}'
    site.wazuh.write(alert)
    former = site.wazuh.next_day()
    site.wazuh.write(lines(2))
    async with site.tailing():
        await site.until_all_read(1, 2, scraps=1)
        with former.open("ab") as file:
            file.write(ending + lines(3))
        await site.until_all_read(1, 2, 3, scraps=2)
    assert site.read.count(alert) == 1
