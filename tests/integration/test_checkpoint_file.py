"""The checkpoint on a real disk: whatever a crash, a power cut or somebody else made of it, the last readable one counts."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest
import structlog.testing

from support.positions import position
from wazuh_dfn.adapters.local_disk import LocalDisk
from wazuh_dfn.delivery.ports import SavedPosition
from wazuh_dfn.errors import CheckpointUnreadableError
from wazuh_dfn.messages import Fingerprint
from wazuh_dfn.tailing.checkpoint_file import CheckpointFile, encode

pytestmark = pytest.mark.anyio

GOOD = encode(position(7), saved_at=5.0)
DAMAGED = {
    "torn": GOOD[:-40],
    "empty": b"",
    "NULs, as after a power cut": b"\0" * len(GOOD),
    "a changed digit": GOOD.replace(b'"offset": 7', b'"offset": 8'),
    "foreign": b'{"offsets": [1, 2, 3]}',
    "another type": b"[1, 2, 3]",
    "no UTF-8": b"\xff\xfe" + GOOD,
    "of a version to come": GOOD.replace(b'"version": 2', b'"version": 99'),
}


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "checkpoint.json"


@pytest.fixture
def store(path):
    return CheckpointFile(path, LocalDisk(), now=lambda: 5.0)


async def test_there_is_none_before_the_first_was_saved(store):
    assert await store.load() is None


async def test_a_saved_position_comes_back_whole(store):
    saved = replace(position(7), tail=Fingerprint.of(b"before"))
    await store.save(saved)
    assert await store.load() == SavedPosition(saved, 5.0)


async def test_a_position_up_to_which_nothing_more_was_settled_keeps_the_time_of_the_one_before(path):
    times = iter([5.0, 6.0, 7.0])
    store = CheckpointFile(path, LocalDisk(), now=lambda: next(times))
    await store.save(position(7))
    await store.save(replace(position(7), path="renamed"))
    assert await store.load() == SavedPosition(replace(position(7), path="renamed"), 5.0)
    await store.save(position(8))
    assert (await store.load()).saved_at == 6.0
    await store.save(replace(position(0), path="where a search ended"))
    assert await store.load() == SavedPosition(replace(position(0), path="where a search ended"), 6.0)


@pytest.mark.parametrize("damage", DAMAGED)
async def test_in_place_of_a_damaged_one_the_previous_one_counts_and_the_log_says_so(store, path, damage):
    await store.save(position(1))
    await store.save(position(2))
    path.write_bytes(DAMAGED[damage])
    with structlog.testing.capture_logs() as logs:
        assert (await store.load()).position == position(1)
    [warning] = logs
    assert (warning["log_level"], warning["path"]) == ("warning", str(path))


@pytest.mark.parametrize("damage", DAMAGED)
async def test_a_damaged_one_never_takes_the_place_of_the_previous_one(store, path, damage):
    await store.save(position(1))
    await store.save(position(2))
    path.write_bytes(DAMAGED[damage])
    await store.save(position(3))
    path.unlink()
    assert (await store.load()).position == position(1)


async def test_a_crash_between_the_two_renames_leaves_the_previous_one(store, path):
    await store.save(position(1))
    path.rename(path.with_name("checkpoint.json.previous"))
    assert (await store.load()).position == position(1)


async def test_if_both_are_damaged_it_is_an_error_and_not_a_first_start(store, path):
    await store.save(position(1))
    await store.save(position(2))
    for each in path.parent.iterdir():
        each.write_bytes(b"")
    with pytest.raises(CheckpointUnreadableError):
        await store.load()


async def test_one_of_version_1_is_understood_and_saved_as_the_present_one(store, path):
    saved = json.loads(GOOD)
    head = saved["position"]["file"].pop("head")
    saved["position"]["file"] |= {"fingerprint": head["digest"], "fingerprint_length": head["length"]}
    del saved["position"]["tail"]
    content = {"position": saved["position"], "saved_at": 5.0}
    path.parent.mkdir()
    path.write_text(json.dumps({"version": 1, **content, "checksum": checksum(content)}))
    assert (await store.load()).position == position(7)
    await store.save(position(8))
    assert json.loads(path.read_bytes())["version"] == 2


def checksum(content):
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@pytest.mark.parametrize("in_the_way", ["a folder", "a full disk"])
async def test_what_can_not_be_written_leaves_the_last_one_as_it_was(store, path, in_the_way):
    await store.save(position(1))
    temporary = path.with_name(".checkpoint.json.tmp")
    temporary.mkdir() if in_the_way == "a folder" else temporary.symlink_to("/dev/full")
    with pytest.raises(OSError, match="Is a directory" if in_the_way == "a folder" else "No space left on device"):
        await store.save(position(2))
    assert (await store.load()).position == position(1)
