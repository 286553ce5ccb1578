"""The simulated world does what the real one does; no daemon runs in it here."""

from datetime import UTC, datetime, timedelta

import pytest
import trio

from simulation.compression import unpacked
from simulation.lines import LINE_LIMIT_BYTES, make_line
from simulation.oracle import CHECKPOINT
from simulation.places import ALERTS, FIRST_DAY, FOLDER, dated
from simulation.process import Process, ProcessDisk
from simulation.rates import NEW_RATES
from simulation.seeded import run_seeded
from simulation.world import SimulatedWorld

JANUARY_30, JANUARY_31 = dated(FIRST_DAY), dated(FIRST_DAY + timedelta(days=1))
NEXT_DAY = FIRST_DAY + timedelta(days=1)


def in_world(function, seed=1, *, new=(), is_quiet=True):
    """Call `function` with a world; a quiet one has no troubles of its own."""

    async def main():
        world = SimulatedWorld(seed, 200, new)
        if is_quiet:
            world.rates = dict.fromkeys(world.rates, 0)
            world.random.seed(seed)
        world.disk.create(CHECKPOINT)  # the daemon has begun
        world.disk.sync_names()
        return await function(world)

    return run_seeded(main, seed)


async def play(steps):
    for seconds in steps:
        await trio.sleep(seconds)


async def begin(world):
    await play(world.wazuh._open())
    await play(world.wazuh._write_burst())


async def write_all(world):
    """Let the writer do all, with power cuts between."""
    while (seconds := world.wazuh.step()) is not None:
        await trio.sleep(seconds)
        if world.random.random() < 0.003:
            world.disk.power_cut()
            world.wazuh.crash()
            world.oracle.something_was_destroyed()
        elif world.random.random() < 0.01:
            world.disk.sync_all()
    return world


def test_each_line_is_where_it_was_written():
    kinds = set()
    for seed in range(1, 201):
        world = in_world(write_all, seed, new=NEW_RATES, is_quiet=False)
        kinds |= world.kinds
        placed = set()
        for generation in world.wazuh.generations:
            ends = [0, *(end for _, end in generation.lines)]
            assert ends == sorted(set(ends))
            for line, end in generation.lines:
                assert generation.content[:end].endswith(line.data)
                placed.add(line.number)
        assert placed == {line.number for line in world.lines}
        assert [line.number for line in world.oracle.unreadable(world.lines) if not line.excused] == []
        for inode in set(world.disk.names.values()):
            if generations := world.wazuh.history.of(inode):
                assert inode.data in [generation.content for generation in generations]
    assert {"gzip grows", "nameless, not open", "monitord overwrites", "back to an older file"} <= kinds


def test_most_lines_have_to_be_delivered():
    worlds = [in_world(write_all, seed, new=NEW_RATES, is_quiet=False) for seed in range(1, 61)]
    lines = [line for world in worlds for line in world.lines]
    assert sum(not line.excused for line in lines) > 0.6 * len(lines)


def test_the_writer_appends_before_the_first_missing_number_and_goes_on_into_higher_ones():
    async def numbers(world):
        wazuh, opened = world.wazuh, []
        await begin(world)
        for _ in range(3):
            await play(wazuh._roll())
            await play(wazuh._write_burst())
        first, third = world.disk.names[dated(FIRST_DAY, 1)], world.disk.names[dated(FIRST_DAY, 2)]
        await play(wazuh._gzip_numbered())
        generations = len(wazuh.generations)
        for change in (wazuh._writer_restart, wazuh._roll, wazuh._roll):
            await play(change())
            await play(wazuh._write_burst())
            opened.append(wazuh.dated)
        assert opened == [JANUARY_30, dated(FIRST_DAY, 1), dated(FIRST_DAY, 2)]
        assert world.disk.names[dated(FIRST_DAY, 1)] is not first
        assert world.disk.names[dated(FIRST_DAY, 2)] is third is world.disk.names[ALERTS]
        assert len(wazuh.generations) == generations + 1  # for the new -001 alone
        assert wazuh.generation.lines_to(len(wazuh.generation.content)) == [line for line, _ in wazuh.generation.lines]

    in_world(numbers)


def test_the_command_gzip_keeps_the_time():
    async def times(world):
        await begin(world)
        await play(world.wazuh._roll())
        await play(world.wazuh._write_burst())
        await play(world.wazuh._roll())
        modified = world.disk.names[dated(FIRST_DAY, 1)].modified
        await trio.sleep(100)
        await play(world.wazuh._gzip_numbered())
        assert world.disk.names[FOLDER / "2026/Jan/ossec-alerts-30-001.json.gz"].modified == modified

    in_world(times)


def test_the_clock_goes_back_over_midnight_and_forward_again_into_the_same_files():
    async def back_and_forth(world):
        wazuh, names = world.wazuh, world.disk.names
        await begin(world)
        await play(wazuh._finish())
        wazuh.day = NEXT_DAY
        world.set_clock(NEXT_DAY)
        await play(wazuh._open_highest())
        await play(wazuh._write_burst())
        former, newer, before = names[JANUARY_30], names[JANUARY_31], len(names[JANUARY_30].data)
        await play(wazuh._clock_back())
        await play(wazuh._write_burst())
        assert names[ALERTS] is former
        assert len(former.data) > before
        assert datetime.fromtimestamp(former.modified, UTC).astimezone().date() == FIRST_DAY
        assert former.modified < newer.modified
        wazuh.random.choice = lambda choices: choices[0]
        await play(wazuh._next_day())
        await play(wazuh._write_burst())
        assert names[ALERTS] is newer
        assert [len(wazuh.history.of(inode)) for inode in (former, newer)] == [1, 1]

    in_world(back_and_forth)


async def quiet_midnight(world):
    """Yields what is there: the gzipped name grows under its final name, and then the plain one is gone."""
    wazuh, seen = world.wazuh, []
    wazuh.random.random = lambda: 0.0  # the writer goes on while monitord packs
    for seconds in wazuh._quiet_midnight():
        packed = world.disk.names.get(JANUARY_30.with_name("ossec-alerts-30.json.gz"))
        if packed is not None:
            seen.append((bool(unpacked("x.gz", packed.data)), JANUARY_30 in world.disk.names))
        await trio.sleep(seconds)
    return seen


def test_monitords_file_grows_under_its_final_name_beside_the_plain_one():
    async def packing(world):
        await begin(world)
        seen = await quiet_midnight(world)
        assert (False, True) in seen
        assert (True, True) in seen
        assert (True, False) in seen
        assert world.wazuh.dated == JANUARY_31

    in_world(packing)


@pytest.mark.parametrize(
    ("daemon", "is_excused"), [("is down", True), ("could not notice", True), ("overlooks it", False), ("holds it open", False)]
)
def test_bytes_without_a_name_are_excused_only_if_nobody_could_have_held_them(daemon, is_excused):
    async def nameless(world):
        await begin(world)
        handle = None
        inode = world.disk.names[ALERTS]
        if daemon != "is down":
            process = Process(world)
            await trio.sleep(60)
            handle = ProcessDisk(process).open(ALERTS) if daemon == "holds it open" else None
            if daemon == "could not notice":
                process.hinder(60)
        await quiet_midnight(world)
        gone = world.oracle.unreadable(world.lines)
        assert gone
        assert inode not in world.disk.names.values()
        assert all(bool(line.excused) == is_excused for line in gone)
        if handle is not None:
            assert handle.read(0, 1_000_000) == inode.data
            process.alive = False
            handle.close()
            world.nameless.life_ends()
            assert all(line.excused for line in gone)

    in_world(nameless)


def test_a_full_disk_glues_the_next_alert_to_what_is_there_of_the_last_one():
    async def fill(world):
        await begin(world)
        await play(world.wazuh._writer_disk_full())
        before = len(world.lines)
        await play(world.wazuh._write_burst())
        assert world.lines[before].joined
        assert world.disk.names[ALERTS].data.count(b"\n") <= len(world.lines) + 1

    in_world(fill)


def test_lines_reach_the_limit_just_so():
    async def sizes(world):
        return {len(make_line(number, world.random, near_limit=True).data) - LINE_LIMIT_BYTES for number in range(500)}

    assert {-2, -1, 0, 1, 2} <= in_world(sizes)
