"""Dead letters on a real disk: kept whole, once each, and waited for while the disk is full."""

import json
import os
from dataclasses import replace

import anyio
import pytest
import structlog.testing

from support.positions import position
from wazuh_dfn.adapters import dead_letter_folder
from wazuh_dfn.adapters.dead_letter_folder import DeadLetterFolder
from wazuh_dfn.adapters.local_disk import LocalDisk
from wazuh_dfn.delivery.ports import DeadLetter

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "dead" / "letters"


def store_in(folder, max_letters=100):
    return DeadLetterFolder(folder, LocalDisk(), max_letters)


def letter(offset=0, raw=b'{"torn": \xff\x00'):
    return DeadLetter(position(offset), "malformed", "it is torn", raw, traceback="Traceback ...")


async def until(condition):
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.01)


def raws(folder):
    return sorted(path.read_bytes() for path in folder.glob("*.raw"))


async def test_a_letter_keeps_the_bytes_and_tells_the_place_and_the_reason(folder):
    await store_in(folder).store(letter(7))
    [raw], [note] = folder.glob("*.raw"), folder.glob("*.json")
    assert raw.read_bytes() == letter().raw
    told = json.loads(note.read_text())
    assert (told["file"], told["offset"], told["bytes"]) == ("alerts.json", 7, len(letter().raw))
    assert (told["stage"], told["reason"], told["traceback"]) == ("malformed", "it is torn", "Traceback ...")


async def test_the_same_line_stored_again_after_a_crash_is_kept_once(folder):
    for store in (store_in(folder), store_in(folder)):
        await store.store(letter())
    assert len(raws(folder)) == 1


async def test_another_line_at_the_same_place_of_a_reused_inode_is_kept_too(folder):
    store = store_in(folder)
    await store.store(letter())
    await store.store(letter(raw=b"another"))
    assert raws(folder) == sorted([letter().raw, b"another"])


async def test_of_more_than_may_be_kept_the_oldest_goes_and_the_log_says_so(folder):
    for number in range(3):
        await store_in(folder).store(letter(number, b"%d" % number))
        for path in folder.iterdir():
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 10))
    with structlog.testing.capture_logs() as logs:
        await store_in(folder, max_letters=3).store(letter(3, b"3"))
    assert raws(folder) == [b"1", b"2", b"3"]
    assert [entry["event"] for entry in logs][-1] == "dead-letter folder is full, the oldest was removed"


async def test_a_full_disk_is_waited_for_and_told_once(folder, monkeypatch):
    monkeypatch.setattr(dead_letter_folder, "RETRY_SECONDS", 0.01)
    store = store_in(folder)
    await store.store(replace(letter(), stage="oversize"))
    [former] = folder.glob("*.raw")
    full = folder / f".{former.name.replace('oversize', 'malformed')}.tmp"
    full.symlink_to("/dev/full")
    with structlog.testing.capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.store, letter())
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
    await store.store(letter())
    [raw] = folder.glob("*.raw")
    nobody_reads = folder / f".{raw.name}.tmp"
    os.mkfifo(nobody_reads)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.store, letter())
        await until(lambda: store.problem)
        assert store.problem.startswith(f"the file system of {folder} has not answered for ")
        reader = os.open(nobody_reads, os.O_RDONLY | os.O_NONBLOCK)
        nobody_reads.unlink()
    os.close(reader)
    assert store.problem is None
