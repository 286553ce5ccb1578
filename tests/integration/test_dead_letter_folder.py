"""Dead letters on a real disk: kept whole, once each, and waited for while the disk is full."""

import json
import os
from collections import Counter
from dataclasses import replace

import anyio
import pytest
import structlog.testing

from support.positions import position
from wazuh_dfn.adapters import dead_letter_folder
from wazuh_dfn.adapters.dead_letter_folder import DeadLetterFolder, letter_name
from wazuh_dfn.adapters.kept_letters import KeptLetters
from wazuh_dfn.adapters.local_disk import LocalDisk
from wazuh_dfn.delivery.ports import DeadLetter

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "dead" / "letters"


class CountingDisk(LocalDisk):
    """A real disk that counts what costs time."""

    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def names(self, folder):
        self.calls["names"] += 1
        return super().names(folder)

    def write(self, path, data):
        self.calls["write"] += 1
        super().write(path, data)

    def sync_folder(self, path):
        self.calls["sync_folder"] += 1
        super().sync_folder(path)

    def sync_file_system(self, folder):
        self.calls["sync_file_system"] += 1
        super().sync_file_system(folder)


def store_in(folder, max_letters=100, max_bytes=2**30, disk=None):
    return DeadLetterFolder(folder, disk or LocalDisk(), max_letters, max_bytes)


def letters(stage, *numbers, size=10):
    return [replace(letter(number, b"%d" % number + b"x" * size), stage=stage) for number in numbers]


def stages(folder):
    """Return how many letters of each stage stand in the folder, whole."""
    return Counter(path.name.split("-")[2] for path in folder.glob("*.raw") if path.with_suffix(".json").exists())


def letter(offset=0, raw=b'{"torn": \xff\x00'):
    return DeadLetter(position(offset), "malformed", "it is torn", raw, traceback="Traceback ...")


async def until(condition):
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.01)


def raws(folder):
    return sorted(path.read_bytes() for path in folder.glob("*.raw"))


async def test_a_letter_keeps_the_bytes_and_tells_the_place_and_the_reason(folder):
    await store_in(folder).store([letter(7)])
    [raw], [note] = folder.glob("*.raw"), folder.glob("*.json")
    assert raw.read_bytes() == letter().raw
    told = json.loads(note.read_text())
    assert (told["file"], told["offset"], told["bytes"]) == ("alerts.json", 7, len(letter().raw))
    assert (told["stage"], told["reason"], told["traceback"]) == ("malformed", "it is torn", "Traceback ...")


async def test_the_same_line_stored_again_after_a_crash_is_kept_once(folder):
    for store in (store_in(folder), store_in(folder)):
        await store.store([letter()])
    assert len(raws(folder)) == 1


async def test_another_line_at_the_same_place_of_a_reused_inode_is_kept_too(folder):
    store = store_in(folder)
    await store.store([letter()])
    await store.store([letter(raw=b"another")])
    assert raws(folder) == sorted([letter().raw, b"another"])


async def test_of_more_than_may_be_kept_the_oldest_goes_and_the_log_says_so(folder):
    for number in range(3):
        await store_in(folder).store([letter(number, b"%d" % number)])
        for path in folder.iterdir():
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 10))
    with structlog.testing.capture_logs() as logs:
        await store_in(folder, max_letters=3).store([letter(3, b"3")])
    assert raws(folder) == [b"1", b"2", b"3"]
    assert [entry["event"] for entry in logs][-1] == "dead-letter folder is full, the oldest were removed"


async def test_a_full_disk_is_waited_for_and_told_once(folder, monkeypatch):
    monkeypatch.setattr(dead_letter_folder, "RETRY_SECONDS", 0.01)
    store = store_in(folder)
    await store.store([replace(letter(), stage="oversize")])
    [former] = folder.glob("*.raw")
    full = folder / f".{former.name.replace('oversize', 'malformed')}.tmp"
    full.symlink_to("/dev/full")
    with structlog.testing.capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.store, [letter()])
            await until(lambda: store.problem)
            assert len(raws(folder)) == 1, "nothing is settled by a letter that was not written"
            assert "No space left" in store.problem
            full.unlink()
    assert store.problem is None
    assert len(raws(folder)) == 2
    assert [entry["event"] for entry in logs] == ["dead letter can't be written, waiting", "line dead-lettered"]


async def test_a_file_system_that_does_not_answer_is_a_problem_until_it_does(folder, monkeypatch):
    monkeypatch.setattr(dead_letter_folder, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(dead_letter_folder, "RETRY_SECONDS", 0.01)
    store = store_in(folder)
    folder.mkdir(parents=True)
    nobody_reads = folder / f".{letter_name(letter())}.raw.tmp"
    os.mkfifo(nobody_reads)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.store, [letter()])
        await until(lambda: store.problem)
        assert store.problem.startswith(f"the file system of {folder} has not answered for ")
        elsewhere = nobody_reads.rename(folder / "elsewhere")  # before it is read: else the store may be the first to rename it
        reader = os.open(elsewhere, os.O_RDONLY | os.O_NONBLOCK)
    os.close(reader)
    assert store.problem is None
    assert raws(folder) == [letter().raw]


async def test_letters_of_one_call_cost_one_sync_and_no_listing_however_full_the_folder_is(folder):
    await store_in(folder, 1000).store(letters("malformed", *range(1000)))
    disk = CountingDisk()
    store = store_in(folder, 2000, disk=disk)
    for chunk in range(3):
        await store.store(letters("junk", *range(1000 * chunk, 1000 * (chunk + 1))))
    assert disk.calls["names"] == 2  # at the start, and before the first removal
    assert disk.calls["sync_file_system"] == 3
    assert disk.calls["write"] == 1  # of the count of what was removed
    assert disk.calls["sync_folder"] == 0
    assert stages(folder) == {"malformed": 1000, "junk": 2000}


async def test_a_flood_is_one_line_in_the_log(folder):
    with structlog.testing.capture_logs() as logs:
        await store_in(folder).store([replace(each, reason=f"at character {each.position.offset}") for each in letters("junk", *range(50))])
    [entry] = logs
    assert (entry["event"], entry["lines"], entry["offset"], entry["stage"]) == ("line dead-lettered", 50, 0, "junk")


async def test_over_the_number_of_a_stage_only_that_stage_loses_its_oldest(folder):
    store = store_in(folder, max_letters=3)
    await store.store(letters("rejected", 1, 2))
    await store.store(letters("junk", 1, 2, 3, 4, 5) + letters("malformed", 1))
    assert stages(folder) == {"rejected": 2, "junk": 3, "malformed": 1}
    assert (await store.counts()).removed == {"junk": 2}


async def test_over_the_bytes_junk_goes_first_and_never_takes_the_place_of_anything_else(folder):
    store = store_in(folder, max_bytes=10_000)
    await store.store(letters("malformed", *range(3), size=2_000))
    await store.store(letters("junk", *range(100, 110), size=2_000))
    assert stages(folder) == {"malformed": 3, "junk": 1}
    await store.store(letters("windows", *range(200, 203), size=2_000))
    assert stages(folder) == {"malformed": 1, "windows": 3}
    assert (await store.counts()).removed == {"junk": 10, "malformed": 2}
    assert not {path.name.split("-")[1].lstrip("0") for path in folder.glob("*malformed*.raw")} - {"2"}, "the oldest go"


async def test_letters_and_removals_are_known_after_a_restart(folder):
    await store_in(folder, max_letters=2).store(letters("junk", 1, 2, 3) + letters("rejected", 1))
    counts = await store_in(folder, max_letters=2).counts()
    assert (counts.kept, counts.removed, counts.unseen) == ({"junk": 2, "rejected": 1}, {"junk": 1}, {"junk": 1})
    again = store_in(folder, max_letters=2)
    await again.store(letters("junk", 4))
    counts = await again.counts()
    assert (counts.removed, counts.unseen) == ({"junk": 2}, {"junk": 2})


async def test_removals_are_told_until_they_are_looked_at_and_later_ones_again(folder):
    store, kept = store_in(folder, max_letters=1), KeptLetters(folder, LocalDisk())
    await store.store(letters("junk", 1))
    assert kept.removed() is None
    await store.store(letters("junk", 2, 3))
    first = kept.removed()
    assert (first.news, (await store.counts()).unseen) == ({"junk": 2}, {"junk": 2})
    assert first.since == (await store.counts()).unseen_since
    kept.mark_looked_at(first)
    assert kept.removed() is None
    assert (await store.counts()).unseen == {}
    await store.store(letters("junk", 4))
    assert (await store.counts()).unseen == kept.removed().news == {"junk": 1}
    kept.mark_looked_at(first)  # somebody who has looked before
    assert (await store.counts()).unseen == {"junk": 1}
    kept.mark_looked_at(kept.removed())
    assert ((await store_in(folder).counts()).unseen, (await store.counts()).removed) == ({}, {"junk": 3})
    assert len(list(folder.glob(".looked-at-*"))) == 1


async def test_before_letters_are_removed_it_is_looked_whether_the_operator_has_made_room(folder, monkeypatch):
    disk = CountingDisk()
    store, kept = store_in(folder, max_letters=3, disk=disk), KeptLetters(folder, LocalDisk())
    await store.store(letters("junk", 1, 2, 3))
    kept.remove(kept.all()[:2])
    await store.store(letters("junk", 4, 5))
    assert (await store.counts()).removed == {}
    kept.remove(kept.all()[:2])
    await store.store(letters("junk", 6))
    assert (await store.counts()).removed == {"junk": 1}, "it was looked less than a minute ago"
    monkeypatch.setattr(dead_letter_folder, "LIST_AGAIN_SECONDS", 0)
    await store.store(letters("junk", 7))
    assert (await store.counts()).removed == {"junk": 1}
    assert (await store.counts()).kept == stages(folder)


async def test_a_letter_that_a_power_cut_has_torn_is_written_again_and_a_whole_one_is_left_alone(folder):
    await store_in(folder).store([letter()])
    [raw], [note] = folder.glob("*.raw"), folder.glob("*.json")
    before = raw.stat().st_ino, note.stat().st_ino
    await store_in(folder).store([letter()])
    assert (raw.stat().st_ino, note.stat().st_ino) == before
    for path, torn in ((raw, b""), (note, b"\0" * 9)):
        path.write_bytes(torn)
        await store_in(folder).store([letter()])
        assert raw.read_bytes() == letter().raw
        assert json.loads(note.read_text())["offset"] == 0


async def test_after_a_sync_that_failed_the_letters_are_written_again(folder, monkeypatch):
    monkeypatch.setattr(dead_letter_folder, "RETRY_SECONDS", 0.01)
    disk = CountingDisk()
    sync, seen = disk.sync_file_system, []

    def failing_once(path):
        seen.append([file.stat().st_ino for file in folder.glob("*.raw")])
        if len(seen) == 1:
            raise OSError(5, "Input/output error")
        sync(path)

    monkeypatch.setattr(disk, "sync_file_system", failing_once)
    store = store_in(folder, disk=disk)
    await store.store([letter()])
    assert seen[0] != seen[1]
    await store.store([letter()])
    assert seen[1] == seen[2]


async def test_removals_are_counted_once_though_the_disk_fails_in_between(folder, monkeypatch):
    monkeypatch.setattr(dead_letter_folder, "RETRY_SECONDS", 0.01)
    disk = CountingDisk()
    store = store_in(folder, max_letters=1, disk=disk)
    await store.store(letters("junk", 1))
    sync, remove = disk.sync_file_system, disk.remove
    failures = iter([OSError("no sync"), OSError("no removal")])

    def failing(function):
        def call(*arguments):
            for error in failures:
                raise error
            function(*arguments)

        return call

    monkeypatch.setattr(disk, "sync_file_system", failing(sync))
    monkeypatch.setattr(disk, "remove", failing(remove))
    await store.store(letters("junk", 2, 3))
    assert (await store.counts()).removed == {"junk": 2}
    assert stages(folder) == {"junk": 1}
