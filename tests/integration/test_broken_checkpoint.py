"""What once went wrong with the checkpoint's files: each test is one defect that was found by trying to break them."""

import contextlib
import json
import threading

import anyio
import pytest

from wazuh_dfn.messages import Fingerprint
from wazuh_dfn.storage.local_disk import READING_THREADS, LocalDisk
from wazuh_dfn.tailing.checkpoint_file import Checkpoint, CheckpointFile, _checksum, latest, previous
from wazuh_dfn.tailing.registry import KnownFile, Mark

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoint.json"


@pytest.fixture
def store(path):
    return CheckpointFile(path, LocalDisk())


def known(number, offset, path="/a.json"):
    mark = Mark(offset, Fingerprint.of(b"%d" % offset))
    return KnownFile(number, path, Fingerprint.of(b"first bytes of %d" % number), mark, mark)


async def offsets(store):
    return {each.number: each.settled.offset for each in (await store.load()).files}


async def test_what_is_noted_while_a_save_goes_on_still_counts_after_it(store):
    """A save can take long, and what is acknowledged meanwhile is noted as after the one before it."""
    await store.save(Checkpoint((known(1, 100),), 1))
    await store.note([known(1, 300)], 1)
    await store.save(Checkpoint((known(1, 200),), 2))
    assert await offsets(store) == {1: 300}


async def test_a_note_never_takes_a_position_back(store):
    await store.save(Checkpoint((known(1, 100),), 1))
    await store.note([known(1, 150)], 1)
    await store.save(Checkpoint((known(1, 200),), 2))
    assert await offsets(store) == {1: 200}


@pytest.mark.parametrize("what", ["deleted", "damaged"])
async def test_notes_of_a_checkpoint_that_is_gone_do_not_count_for_its_successor(store, path, what):
    await store.save(Checkpoint((known(1, 100),), 1_000))
    await store.note([known(1, 900)], 1_000)
    for each in (path, previous(path)):
        each.unlink(missing_ok=True) if what == "deleted" else each.write_bytes(b"\0")
    await store.save(Checkpoint((known(1, 5, "/new.json"),), 1))
    assert await offsets(store) == {1: 5}


async def test_notes_do_not_count_for_a_checkpoint_of_a_former_version(store, path):
    """The daemon was taken back to a former version for a while: its one position was mixed with the notes, and the tailer crashed for ever."""
    await store.save(Checkpoint((known(1, 100), known(2, 50)), 7))
    await store.note([known(2, 90)], 7)
    content = {
        "position": {
            "path": "/a.json",
            "offset": 9,
            "tail": {"digest": "0" * 32, "length": 9},
            "file": {"head": {"digest": "0" * 32, "length": 9}},
        },
        "saved_at": 5.0,
    }
    path.write_text(json.dumps({"version": 2, **content, "checksum": _checksum(content)}))
    assert await offsets(store) == {1: 9}


async def test_notes_that_can_not_be_read_hold_up_no_start(store, path):
    await store.save(Checkpoint((known(1, 100),), 1))
    latest(path).mkdir()
    assert await offsets(store) == {1: 100}


async def test_notes_on_a_disk_that_hangs_take_one_thread_and_not_all_in_which_alerts_are_read(path):
    """Each minute another one was tried; after eight minutes no alert was read any more, wherever that was."""
    hangs, disk = threading.Event(), LocalDisk()
    disk.write_unsynced = lambda *_: hangs.wait(20)
    store = CheckpointFile(path, disk)
    try:
        for _ in range(READING_THREADS + 1):
            with anyio.move_on_after(0.05):
                with contextlib.suppress(OSError):
                    await store.note([known(1, 100)], 1)
        with anyio.fail_after(2):
            assert await disk.run(lambda: "read") == "read"
    finally:
        hangs.set()
