"""The simulated disk forgets, lies and moves as real ones do."""

import errno
from pathlib import Path

import pytest
import trio

from simulation.process import Process, ProcessDisk
from simulation.test_world import begin, in_world

PATH = Path("/state/checkpoint.json")
ALERTS = Path("/alerts/alerts.json")


def outcomes(prepare, seeds=60):
    """Return all contents that a file can have after a power cut."""

    async def cut(world):
        disk = ProcessDisk(Process(world))
        prepare(world, disk)
        world.disk.power_cut()
        return bytes(world.disk.names[PATH].data)

    return {in_world(cut, seed) for seed in range(1, seeds)}


def test_what_is_written_without_a_sync_can_be_old_new_or_torn_after_a_power_cut():
    def prepare(world, disk):
        disk.write(PATH, b"the old one")
        disk.write_unsynced(PATH, b"the new one!")
        assert disk.read(PATH) == b"the new one!"

    found = outcomes(prepare)
    assert {b"the old one", b"the new one!", b""} <= found
    assert len(found) > 5


@pytest.mark.parametrize("sync", ["all", "again"])
def test_a_sync_makes_it_last(sync):
    def prepare(world, disk):
        disk.write(PATH, b"the old one")
        disk.write_unsynced(PATH, b"the new one!")
        if sync == "all":
            disk.sync_file_system(PATH.parent)
        else:
            disk.write(PATH, b"the new one!")

    assert outcomes(prepare) == {b"the new one!"}


def test_a_kill_leaves_what_was_written_without_a_sync():
    async def kill(world):
        process = Process(world)
        ProcessDisk(process).write_unsynced(PATH, b"new")
        process.kill("kill -9")
        assert world.disk.names[PATH].data == b"new"

    in_world(kill)


def test_an_old_handle_is_stale_for_ever_and_a_new_one_is_not():
    async def fail_over(world):
        await begin(world)
        disk = ProcessDisk(Process(world))
        old = disk.open(ALERTS)
        world.rates["stale"] = 1.0
        for _ in range(3):
            with pytest.raises(OSError, match="Stale") as caught:
                old.read(0, 10)
            assert caught.value.errno == errno.ESTALE
        world.rates["stale"] = 0.0
        with pytest.raises(OSError, match="Stale"):
            old.status()
        new = disk.open(ALERTS)
        assert new.read(0, 12) == world.disk.names[ALERTS].data[:12]
        old.close()
        new.close()
        assert (world.disk.names[ALERTS].opened, world.disk.names[ALERTS].fresh) == (0, 0)

    in_world(fail_over)


@pytest.mark.parametrize("target", [ALERTS, Path("../../alerts/alerts.json")])
def test_a_symbolic_link(target):
    async def follow(world):
        await begin(world)
        link = Path("/etc/alerts/current.json")
        world.disk.links_to[link] = target
        disk = ProcessDisk(Process(world))
        assert disk.resolve(link) == ALERTS == disk.resolve(ALERTS)
        assert disk.status(link) == disk.status(ALERTS)
        assert disk.names(link.parent) == ["current.json"]
        disk.open(link).close()
        world.disk.unlink(ALERTS)
        assert disk.resolve(link) == ALERTS
        with pytest.raises(FileNotFoundError):
            disk.open(link)

    in_world(follow)


def test_a_link_to_itself():
    async def follow(world):
        world.disk.links_to[PATH] = PATH
        with pytest.raises(OSError, match="Too many levels"):
            ProcessDisk(Process(world)).resolve(PATH)

    in_world(follow)


def test_times_can_be_kept_to_the_second():
    async def touch(world):
        world.disk.has_coarse_times = True
        await trio.sleep(0.7)
        assert world.disk.create(PATH).modified % 1 == 0

    in_world(touch)


def test_another_device_has_the_same_files():
    async def move(world):
        await begin(world)
        disk = ProcessDisk(Process(world))
        before = disk.status(ALERTS)
        for _ in range(20):
            world.wazuh.move()
        after = disk.status(ALERTS)
        assert (after.size, after.modified, after.links) == (before.size, before.modified, before.links)
        assert after.device != before.device
        assert after.inode != before.inode
        inodes = [inode.number for inode in world.disk.inodes]
        assert len(set(inodes)) == len(inodes)

    in_world(move)


def test_a_power_cut_can_leave_zeros_inside_of_a_line():
    async def cut(world):
        world.disk.has_holes = True
        await begin(world)
        await begin(world)
        world.disk.sync_names()
        world.disk.power_cut()
        world.wazuh.crash()
        return any(line.holed for line in world.lines)

    assert any(in_world(cut, seed) for seed in range(1, 40))
