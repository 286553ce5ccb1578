"""The checkpoint on a real disk: whatever a crash, a power cut or somebody else made of it, the last readable one counts."""

import errno
import json
from dataclasses import replace
from hashlib import sha256

import pytest
import structlog.testing

from wazuh_dfn.adapters.local_disk import LocalDisk
from wazuh_dfn.errors import CheckpointUnreadableError
from wazuh_dfn.messages import NO_BYTES, Fingerprint
from wazuh_dfn.tailing.checkpoint_file import Checkpoint, CheckpointFile, encode
from wazuh_dfn.tailing.registry import Appearance, KnownFile, Mark

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
