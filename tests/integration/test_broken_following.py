"""Days on which reading once stopped, repeated or lost something: each test is one defect that was found by trying to break the following."""

import gzip
import json
import os
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest

from support.site import NOBODY, line, lines, pause, restart_and_expect, settle, site_in, without_privileges
from support.wazuh_writer import compress
from wazuh_dfn.messages import Fingerprint
from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.tailing import registry
from wazuh_dfn.tailing.checkpoint_file import CheckpointFile, _checksum
from wazuh_dfn.tailing.contents import PackedContent

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
def open_site():
    """A site in a folder that another user can enter, unlike pytest's own; the daemon runs as that user."""
    with TemporaryDirectory(prefix="site-") as folder:
        Path(folder).chmod(0o755)
        state = Path(folder) / "state"
        state.mkdir()
        os.chown(state, NOBODY, NOBODY)
        with site_in(Path(folder)) as site:
            yield site


# A torn line in an older file.


async def test_a_torn_end_of_an_older_file_holds_up_nothing_while_alerts_json_is_missing(site):
    await settle(site, 1)
    site.wazuh.write(line(2)[:500])
    site.wazuh.next_day()
    site.wazuh.write(lines(3))
    site.path.unlink()
    async with site.tailing():
        with anyio.move_on_after(3):
            while 3 not in site.read:
                await anyio.sleep(0.01)
        assert 3 in site.read


# What can't be looked at.


@contextmanager
def as_root():
    os.seteuid(0)
    yield
    os.seteuid(NOBODY)


def put_there_what_can_not_be_looked_at(folder, what):
    if what == "a folder":
        (folder / "2024").mkdir(mode=0o700)
    elif what == "a link into a folder of others":
        (folder / "private").mkdir(mode=0o700)
        (folder / "notes").symlink_to("private/notes")
    else:
        (folder / "notes").symlink_to("notes")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take rights away from itself")
@pytest.mark.parametrize("what", ["a folder", "a link into a folder of others", "a link to itself"])
async def test_what_can_not_be_looked_at_beside_the_alerts_holds_up_nothing(open_site, what):
    """Every survey failed as a whole, which was blamed on the file at hand: after three of them that was closed, and nothing read any more."""
    site = open_site
    site.wazuh.write(lines(1))
    with without_privileges():
        async with site.tailing():
            await site.until_read(1)
            with as_root():
                put_there_what_can_not_be_looked_at(site.path.parent, what)
            await pause(0.3)
            site.wazuh.write(lines(2))
            await site.until_all_read(1, 2)
            with as_root():
                site.wazuh.next_day()
            site.wazuh.write(lines(3))
            await site.until_all_read(1, 2, 3)
        with as_root():
            site.wazuh.next_day()
        site.wazuh.write(lines(4))
        await restart_and_expect(site, 1, 2, 3, 4)


# More files than are remembered.


async def test_files_of_months_ago_that_were_forgotten_are_not_read_again_at_a_restart(site, monkeypatch):
    monkeypatch.setattr(registry, "KEPT_FILES", 4)
    now = time.time()
    for number in range(8):
        site.wazuh.write(lines(number))
        path = site.wazuh.dated
        async with site.tailing():
            await site.until_all_read(*range(number + 1))
            site.wazuh.next_day(31)
            os.utime(path, (now - 86400 * 31 * (9 - number),) * 2)
            await pause(0.1)
    await restart_and_expect(site, *range(8))


# Packed copies.


async def test_a_packed_copy_of_its_first_part_does_not_make_the_current_file_count_as_read(site):
    site.wazuh.write(lines(1, 2))
    site.path.with_name("alerts.json-20260130.gz").write_bytes(gzip.compress(site.path.read_bytes()))
    site.wazuh.write(lines(3))
    async with site.tailing(start_at="beginning"):
        await site.until_all_read(1, 2, 3)
    site.wazuh.write(lines(4))
    site.wazuh.next_day()
    site.wazuh.write(lines(5))
    await restart_and_expect(site, 1, 2, 3, 4, 5)


async def test_a_packed_file_with_a_time_in_the_future_is_not_unpacked_in_each_survey(site, monkeypatch):
    site.wazuh.write(lines(1, 2))
    async with site.tailing():
        await site.until_read(1, 2)
        former = site.wazuh.next_day()
        site.wazuh.write(lines(3))
        compress(former)
        os.utime(f"{former}.gz", (time.time() + 86400,) * 2)
        await site.until_read(1, 2, 3)
        await pause(0.2)
        reads, read = [], PackedContent.read
        monkeypatch.setattr(PackedContent, "read", lambda self, *args: reads.append(args) or read(self, *args))
        await pause(0.3)
    assert len(reads) <= 3


async def test_files_that_were_forgotten_are_not_opened_in_each_survey(site, monkeypatch):
    monkeypatch.setattr(registry, "KEPT_FILES", 3)
    for number in range(9):
        await settle(site, number)
        site.wazuh.roll()
    opened, open_file = [], LocalDisk.open
    async with site.tailing():
        await pause(0.2)
        monkeypatch.setattr(LocalDisk, "open", lambda self, path: opened.append(path) or open_file(self, path))
        await pause(0.3)
    assert {path for path in opened if path.suffix == ".json"} <= {site.wazuh.dated_path(number) for number in (6, 7, 8, 9)}


# The checkpoint of a former version.


def save_as_version_2(site, path, data, offset):
    """What the former version saved in the middle of a backlog: one position, in a file that need not have its name any more."""
    head, tail = Fingerprint.of(data[:1024]), Fingerprint.of(data[max(0, offset - 1024) : offset])
    position = {"path": str(path), "offset": offset, "tail": asdict(tail), "file": {"device": 1, "inode": 1, "head": asdict(head)}}
    content = {"position": position, "saved_at": time.time()}
    site.checkpoint.parent.mkdir(exist_ok=True)
    site.checkpoint.write_bytes(json.dumps({"version": 2, **content, "checksum": _checksum(content)}).encode())


async def test_after_an_upgrade_within_a_backlog_of_days_all_that_is_newer_is_read_and_nothing_older(site):
    for number in range(4):
        site.wazuh.write(lines(2 * number, 2 * number + 1))
        if number == 1:
            save_as_version_2(site, site.wazuh.dated, lines(2, 3), len(line(2)))
        if number < 3:
            site.wazuh.next_day()
    await restart_and_expect(site, 3, 4, 5, 6, 7)


@pytest.mark.parametrize("packed", [False, True])
async def test_after_an_upgrade_within_a_backlog_of_copies_all_that_is_newer_is_read_and_nothing_older(tmp_path, packed):
    with site_in(tmp_path / "elsewhere") as site:
        site.path = tmp_path / "alerts.json"
        for number, name in enumerate(("alerts.json.3", "alerts.json.2", "alerts.json.1", "alerts.json")):
            path = tmp_path / name
            path.write_bytes(lines(2 * number, 2 * number + 1))
            if packed and number < 3:
                compress(path)
                path = path.with_name(f"{name}.gz")
            os.utime(path, (time.time() - 500 + 100 * number,) * 2)
        site.checkpoint = site.path.parent / "state" / "checkpoint.json"
        site.checkpoints = CheckpointFile(site.checkpoint, LocalDisk())
        save_as_version_2(site, site.path, lines(2, 3), len(line(2)))
        await restart_and_expect(site, 3, 4, 5, 6, 7)


async def test_a_damaged_packed_file_is_not_unpacked_in_each_survey(site, monkeypatch):
    await settle(site, 1, 2)
    site.wazuh.write(lines(3))
    former = site.wazuh.next_day()
    site.wazuh.write(lines(4))
    data = bytes(byte for number in range(100, 140) for byte in line(number)) + os.urandom(50_000)
    packed = gzip.compress(former.read_bytes() + data)
    former.unlink()
    path = former.with_name(f"{former.name}.gz")
    path.write_bytes(packed[: len(packed) // 2])
    os.utime(path, (time.time() - 60,) * 2)
    async with site.tailing():
        await site.until_problem(path)
        await pause(0.3)
        reads, read = [], PackedContent.read
        monkeypatch.setattr(PackedContent, "read", lambda self, *args: reads.append(args) or read(self, *args))
        await pause(0.3)
    assert reads == []
