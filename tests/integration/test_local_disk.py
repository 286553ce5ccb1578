"""The real disk: its threads, and the memory that it gives back."""

import ctypes
import os
import threading
from pathlib import Path

import anyio
import psutil
import pytest

from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.tailing.alert_file import AlertFolder

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


async def test_calls_that_hang_take_no_thread_from_looking_up_host_names():
    disk, answer = LocalDisk(), threading.Event()
    try:
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(disk.run, answer.wait)
            await anyio.sleep(0.05)
            with anyio.fail_after(60):
                assert await anyio.getaddrinfo("localhost", 9092)
            tasks.cancel_scope.cancel()
    finally:
        answer.set()


async def test_a_full_disk_says_where():
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        LocalDisk().write(Path("/dev/full"), b"x")


async def test_with_a_file_that_is_closed_what_is_free_between_blocks_in_use_is_given_back(tmp_path):
    (tmp_path / "alerts.json").write_bytes(b"{}\n")
    file = await AlertFolder(tmp_path / "alerts.json", LocalDisk()).open(tmp_path / "alerts.json")
    blocks = [bytearray(b"x" * 100_000) for _ in range(1_000)]
    del blocks[::2]
    before = psutil.Process().memory_info().rss
    await file.aclose()
    assert psutil.Process().memory_info().rss < before - 30 * 2**20


def test_all_of_a_file_system_is_synced_and_an_error_is_raised(tmp_path, monkeypatch):
    disk = LocalDisk()
    disk.write_cached(tmp_path / "a", b"content")
    disk.sync_file_system(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"content"
    with pytest.raises(FileNotFoundError):
        disk.sync_file_system(tmp_path / "missing")
    monkeypatch.setattr(os, "open", lambda *_: 1_000_000)
    monkeypatch.setattr(os, "close", lambda _: None)
    with pytest.raises(OSError, match="Bad file descriptor"):
        disk.sync_file_system(tmp_path)


def test_without_syncfs_everything_is_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    monkeypatch.setattr(os, "sync", lambda: synced.append(True))
    LocalDisk().sync_file_system(tmp_path)
    assert synced


@pytest.mark.parametrize("is_there", [True, False])
async def test_symbolic_links_are_followed_to_what_may_be_missing(tmp_path, is_there):
    target, link = tmp_path / "alerts" / "alerts.json", tmp_path / "links" / "current.json"
    target.parent.mkdir()
    link.parent.mkdir()
    link.symlink_to(Path("../alerts/alerts.json"))
    if is_there:
        target.touch()
    assert LocalDisk().resolve(link) == LocalDisk().resolve(target) == target.resolve()


async def test_a_loop_of_symbolic_links_is_an_error(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        LocalDisk().resolve(tmp_path / "a")
