"""The checkpoint on a real disk: whatever a crash, a power cut or somebody else made of it, the last readable one counts."""

import errno
import json
import threading
from dataclasses import replace
from hashlib import sha256

import anyio
import pytest
import structlog.testing

from wazuh_dfn.errors import CheckpointUnreadableError
from wazuh_dfn.messages import NO_BYTES, Fingerprint, Position
from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.tailing import checkpointer
from wazuh_dfn.tailing.checkpoint_file import Checkpoint, CheckpointFile, encode
from wazuh_dfn.tailing.checkpoint_status import CheckpointStatus
from wazuh_dfn.tailing.checkpointer import Checkpointer
from wazuh_dfn.tailing.registry import Appearance, KnownFile, Mark, Registry

pytestmark = pytest.mark.anyio


def known(offset, number=1, **fields):
    mark = Mark(offset, Fingerprint.of(b"before"))
    return KnownFile(number, f"alerts-{number}.json", Fingerprint.of(b"{}"), mark, mark, **fields)


def checkpoint(*offsets, saves=1):
    return Checkpoint(tuple(known(offset, number) for number, offset in enumerate(offsets, start=1)), saves, saved_at=5.0)


GOOD = encode(checkpoint(7))
DAMAGED = {
    "torn": GOOD[:-40],
    "empty": b"",
    "NULs, as after a power cut": b"\0" * len(GOOD),
    "a changed digit": GOOD.replace(b'"settled":[7', b'"settled":[8'),
    "foreign": b'{"offsets": [1, 2, 3]}',
    "another type": b"[1, 2, 3]",
    "no UTF-8": b"\xff\xfe" + GOOD,
    "of a version to come": GOOD.replace(b'"version":3', b'"version":99'),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "checkpoint.json"


@pytest.fixture
def store(path):
    return CheckpointFile(path, LocalDisk(), now=lambda: 5.0)


async def offsets(store):
    return [file.settled.offset for file in (await store.load()).files]


async def test_there_is_none_before_the_first_was_saved(store):
    assert await store.load() is None


async def test_what_is_saved_comes_back_whole(store):
    earlier = {1: Mark(3, Fingerprint.of(b"x")), 2: Mark(5, NO_BYTES)}
    files = (
        known(7),
        known(9, 4, earlier=earlier),
        known(9, 5, read=Appearance("alerts-5.json", 9, 1795811409.6508648)),
        replace(known(0, 6), is_whole=True),
    )
    saved = Checkpoint(files, saves=12, forgotten_before=3.5, forgotten_slot=(2026, 1, 30, 2), saved_at=5.0)
    await store.save(saved)
    assert await store.load() == saved


async def test_what_is_as_it_is_by_default_is_left_out_and_comes_back(store, path):
    await store.save(Checkpoint(()))
    assert set(json.loads(path.read_bytes())) == {"version", "files", "saved_at", "checksum"}
    assert await store.load() == Checkpoint((), saved_at=5.0)


async def test_whatever_else_stands_in_it_does_not_match_the_checksum(store, path):
    await store.save(checkpoint(5))
    saved = path.read_bytes()
    for number in range(10):
        path.write_bytes(saved.replace(b'"saves":1', b'"saves":1%d' % number))
        with pytest.raises(CheckpointUnreadableError):
            await store.load()


@pytest.mark.parametrize(("saves", "offset"), [(1, 5), (2, 9), (3, 9)])
async def test_notes_count_if_they_were_written_after_the_save_before_the_last_one(store, saves, offset):
    await store.save(checkpoint(5, saves=3))
    await store.note(checkpoint(9).files, saves)
    assert await offsets(store) == [offset]


@pytest.mark.parametrize("damage", DAMAGED)
async def test_in_place_of_a_damaged_one_the_previous_one_counts_and_the_log_says_so(store, path, damage):
    await store.save(checkpoint(1))
    await store.save(checkpoint(2, saves=2))
    path.write_bytes(DAMAGED[damage])
    with structlog.testing.capture_logs() as logs:
        assert await offsets(store) == [1]
    [warning] = logs
    assert (warning["log_level"], warning["path"]) == ("warning", str(path))


@pytest.mark.parametrize("damage", DAMAGED)
async def test_a_damaged_one_never_takes_the_place_of_the_previous_one(store, path, damage):
    await store.save(checkpoint(1))
    await store.save(checkpoint(2, saves=2))
    path.write_bytes(DAMAGED[damage])
    await store.save(checkpoint(3, saves=3))
    path.unlink()
    assert await offsets(store) == [1]


async def test_a_crash_between_the_two_renames_leaves_the_previous_one(store, path):
    await store.save(checkpoint(1))
    path.rename(path.with_name("checkpoint.json.previous"))
    assert await offsets(store) == [1]


async def test_if_both_are_damaged_it_is_an_error_and_not_a_first_start(store, path):
    await store.save(checkpoint(1))
    await store.save(checkpoint(2, saves=2))
    for each in path.parent.iterdir():
        each.write_bytes(b"")
    with pytest.raises(CheckpointUnreadableError):
        await store.load()


async def test_what_was_noted_after_a_save_counts_with_it(store):
    await store.save(checkpoint(1, 2))
    await store.note([known(8, 2), known(3, 3)], saves=1)
    assert await offsets(store) == [1, 8, 3]
    await store.note([known(9, 2)], saves=1)
    assert await offsets(store) == [1, 9], "each note has all that moved since the save"


async def test_a_note_is_smaller_than_the_one_before_and_still_whole(store):
    await store.save(checkpoint(1))
    await store.note([known(number, number) for number in range(1, 200)], saves=1)
    await store.note([known(5)], saves=1)
    assert await offsets(store) == [5]


async def test_a_note_from_before_the_save_counts_for_nothing(store):
    await store.save(checkpoint(1, 5))
    await store.note([known(6, 2)], saves=1)
    await store.save(checkpoint(1, 9, saves=2))
    assert await offsets(store) == [1, 9]


@pytest.mark.parametrize("torn", [b"", b"\0" * 300, b'{"version":3,"after":1,"files":[', b'{"version":3}', b"[]", b"7"], ids=range(6))
async def test_a_torn_note_counts_for_nothing(store, path, torn):
    await store.save(checkpoint(1))
    path.with_name("checkpoint.json.latest").write_bytes(torn)
    assert await offsets(store) == [1]


async def test_a_note_that_can_not_be_read_now_is_not_passed_over(store, monkeypatch):
    await store.save(checkpoint(1))
    read = LocalDisk.read

    def out_of_descriptors(disk, path):
        if path.suffix == ".latest":
            raise OSError(errno.EMFILE, "Too many open files")
        return read(disk, path)

    monkeypatch.setattr(LocalDisk, "read", out_of_descriptors)
    with pytest.raises(OSError, match="Too many open files"):
        await store.load()


async def test_a_folder_in_place_of_the_note_counts_for_nothing(store, path):
    await store.save(checkpoint(1))
    path.with_name("checkpoint.json.latest").mkdir()
    assert await offsets(store) == [1]


@pytest.mark.parametrize("version", [1, 2])
async def test_one_of_a_former_version_is_understood_and_saved_as_the_present_one(store, path, version):
    head, tail = (sha256(data).hexdigest() for data in (b"{}", b"before"))
    if version == 1:
        position = {"path": "alerts-1.json", "file": {"device": 1, "inode": 2, "fingerprint": head, "fingerprint_length": 2}, "offset": 7}
    else:
        identity = {"device": 1, "inode": 2, "head": {"digest": head, "length": 2}}
        position = {"path": "alerts-1.json", "file": identity, "offset": 7, "tail": {"digest": tail, "length": 6}}
    content = {"position": position, "saved_at": 5.0}
    path.parent.mkdir()
    path.write_text(json.dumps({"version": version, **content, "checksum": checksum(content)}, indent=1))
    loaded = await store.load()
    expected = replace(known(7), settled=Mark(7, NO_BYTES), read_to=Mark(7, NO_BYTES)) if version == 1 else known(7)
    assert (loaded.files, loaded.saved_at, loaded.is_complete) == ((expected,), 5.0, False)
    await store.save(checkpoint(8))
    assert json.loads(path.read_bytes())["version"] == 3


def checksum(content):
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@pytest.mark.parametrize("in_the_way", ["a folder", "a full disk"])
async def test_what_can_not_be_written_leaves_the_last_one_as_it_was(store, path, in_the_way):
    await store.save(checkpoint(1))
    temporary = path.with_name(".checkpoint.json.tmp")
    temporary.mkdir() if in_the_way == "a folder" else temporary.symlink_to("/dev/full")
    with pytest.raises(OSError, match="Is a directory" if in_the_way == "a folder" else "No space left on device"):
        await store.save(checkpoint(2, saves=2))
    assert await offsets(store) == [1]


# When it is written.


class SlowDisk(LocalDisk):
    """Its calls wait for `answers`; `writes` are the names that were written to, and how many saves went on at most."""

    def __init__(self):
        super().__init__()
        self.answers = threading.Event()
        self.answers.set()
        self.writes, self.saving, self.saved_at_once = [], 0, 0

    def write(self, path, data):
        self.saving += 1
        self.saved_at_once = max(self.saving, self.saved_at_once)
        self.answers.wait(5)
        self.writes.append(path.name)
        super().write(path, data)
        self.saving -= 1

    def write_unsynced(self, path, data):
        self.writes.append(path.name)
        self.answers.wait(5)
        super().write_unsynced(path, data)


class Settling:
    """A registry in which one file is read and settled on and on, and what saves it on a disk."""

    def __init__(self, path, interval_seconds=5.0):
        self.disk, self.registry, self.status = SlowDisk(), Registry(), CheckpointStatus()
        self.registry.is_begun = True
        self.number = self.registry.add("alerts.json", Fingerprint.of(b"{}")).number
        self.store = CheckpointFile(path, self.disk)
        self.checkpointer = Checkpointer(self.registry, self.store, self.status, interval_seconds)

    def settle(self, offset):
        position = Position("alerts.json", 1, offset, Fingerprint.of(b"before"), self.number)
        self.registry.go_on(position)
        self.registry.settle(position)


@pytest.fixture
def settling(path):
    return Settling(path)


async def test_it_is_saved_if_anything_has_changed_and_only_then(settling):
    settling.settle(7)
    await settling.checkpointer.save()
    assert (await offsets(settling.store), settling.status.saved.offset, settling.registry.saves) == ([7], 7, 1)
    assert (await settling.store.load()).saves == 1
    for _ in range(2):
        before = settling.status.up_to_date_at
        await anyio.sleep(0.002)
        await settling.checkpointer.save()
        assert settling.status.up_to_date_at > before
    settling.settle(9)
    await settling.checkpointer.save()
    assert (await offsets(settling.store), len(settling.disk.writes)) == ([9], 2)
    assert (await settling.store.load()).saves == settling.registry.saves == 2


async def test_nothing_is_saved_before_it_is_known_what_was_read_before(settling, path):
    settling.registry.is_begun = False
    settling.settle(7)
    await settling.checkpointer.save()
    assert not path.exists()


async def test_of_a_registry_without_files_a_checkpoint_is_saved_too(path):
    settling = Settling(path)
    settling.checkpointer = Checkpointer(registry := Registry(), settling.store, settling.status, 5.0)
    registry.is_begun = True
    await settling.checkpointer.save()
    assert (await settling.store.load()).files == ()


async def test_what_can_not_be_saved_is_told_and_tried_again_and_noted_until_then(settling, path):
    await settling.checkpointer.save()
    temporary = path.with_name(".checkpoint.json.tmp")
    temporary.mkdir()
    settling.settle(7)
    await settling.checkpointer.save()
    assert "Is a directory" in settling.status.problem
    assert [known.number for known in settling.registry.moved()] == [settling.number]
    assert settling.registry.saves == 1
    temporary.rmdir()
    await settling.checkpointer.save()
    assert (settling.status.problem, await offsets(settling.store), list(settling.registry.moved())) == (None, [7], [])


async def test_two_saves_never_write_at_once(settling):
    settling.settle(7)
    settling.disk.answers.clear()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(settling.checkpointer.save)
        await anyio.sleep(0.05)
        settling.settle(9)
        tasks.start_soon(settling.checkpointer.save)
        await anyio.sleep(0.05)
        settling.disk.answers.set()
    assert (await offsets(settling.store), settling.disk.saved_at_once) == ([9], 1)


async def test_what_is_settled_while_it_is_saved_is_saved_the_next_time(settling):
    settling.settle(7)
    settling.disk.answers.clear()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(settling.checkpointer.save)
        await anyio.sleep(0.05)
        settling.settle(9)
        settling.disk.answers.set()
    assert (await offsets(settling.store), settling.status.saved.offset) == ([7], 7)
    await settling.checkpointer.save()
    assert await offsets(settling.store) == [9]


async def test_it_is_saved_every_so_often_and_once_more_at_the_end(path):
    settling, started = Settling(path, 0.1), anyio.Event()
    lifeline = Lifeline(None, started.set)
    async with anyio.create_task_group() as tasks:
        settling.settle(7)
        tasks.start_soon(settling.checkpointer.run, lifeline)
        await started.wait()
        assert not path.exists()
        for offset in (7, 8):
            settling.settle(offset)
            await anyio.sleep(0.25)
            assert await offsets(settling.store) == [offset]
        assert lifeline.silent_seconds() < 0.45, "less than both pauses together"
        settling.settle(9)
        lifeline.stopping.set()
    assert await offsets(settling.store) == [9]


async def test_a_stop_does_not_wait_for_the_time_of_the_next_save(path):
    settling, lifeline = Settling(path, 60.0), Lifeline(None, lambda: None)
    settling.settle(7)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(settling.checkpointer.run, lifeline)
            await anyio.sleep(0.05)
            assert not path.exists()
            lifeline.stopping.set()
    assert await offsets(settling.store) == [7]


async def test_what_is_noted_has_the_number_of_the_save_before(settling):
    settling.settle(7)
    await settling.checkpointer.save()
    settling.settle(9)
    await settling.checkpointer.note()
    assert await offsets(settling.store) == [9]
    assert settling.disk.writes[1:] == ["checkpoint.json.latest"]


async def test_a_note_that_can_not_be_written_is_no_error_and_the_next_one_is_tried_at_once(settling, path):
    settling.settle(7)
    await settling.checkpointer.save()
    blocker = path.with_name("checkpoint.json.latest")
    blocker.mkdir()
    settling.settle(8)
    await settling.checkpointer.note()
    blocker.rmdir()
    await settling.checkpointer.note()
    assert await offsets(settling.store) == [8]


async def test_a_disk_that_hangs_holds_up_one_note_for_a_moment_and_the_others_not_at_all(settling, monkeypatch):
    monkeypatch.setattr(checkpointer, "NOTE_PAUSE_SECONDS", 1.0)
    settling.settle(7)
    await settling.checkpointer.save()
    settling.disk.answers.clear()
    settling.settle(8)
    began = anyio.current_time()
    await settling.checkpointer.note()
    assert 0.2 < anyio.current_time() - began < 0.9
    settling.disk.answers.set()
    await anyio.sleep(0.05)
    settling.settle(9)
    for _ in range(3):
        await settling.checkpointer.note()
    assert await offsets(settling.store) == [8]
    await anyio.sleep(1.1)
    await settling.checkpointer.note()
    assert await offsets(settling.store) == [9]
