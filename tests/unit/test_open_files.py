"""The open files: which one is read next, which ones stay open, and what an administrator is told; on real files, with nobody who reads."""

import errno
import gzip
import os
import time

import anyio
import pytest

from wazuh_dfn.messages import Fingerprint, Position
from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.tailing import open_files, registry
from wazuh_dfn.tailing.alert_file import AlertFile, AlertFolder
from wazuh_dfn.tailing.contents import Content
from wazuh_dfn.tailing.open_files import OpenFiles
from wazuh_dfn.tailing.place import ReadingPlace, ReadingTrouble

pytestmark = pytest.mark.anyio


class CountingDisk(LocalDisk):
    surveys = 0

    def is_mount_point(self, path):
        self.surveys += 1
        return super().is_mount_point(path)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def alerts(tmp_path):
    (tmp_path / "alerts.json").write_bytes(lines("now"))
    return tmp_path / "alerts.json"


@pytest.fixture
def disk():
    return CountingDisk()


@pytest.fixture
async def place():
    place = ReadingPlace()
    yield place
    await place.aclose()


@pytest.fixture
def files(alerts, disk, place):
    return OpenFiles(AlertFolder(alerts, disk), place, lambda: time.time() + 100)


def lines(name):
    return b"".join(b'{"%s": %d}\n' % (name.encode(), number) for number in range(200))


def read_all(place):
    """Read the present file to its end."""
    file, data = place.file, place.file.content.read(0, 100_000)
    if file.number is None:
        known = place.registry.add(file.path, Fingerprint.of(data[:1024]))
        file.number, file.head = known.number, known.head
    end = Position(file.path, file.node[1], 0, file=file.number).after(len(data), data)
    place.go_on(end)
    place.registry.settle(end)


def held_names(place):
    return sorted(file.path.rpartition("/")[2] for file in place.held)


def older(alerts, number, data=None):
    """Write a former file; the higher its number, the older it is."""
    path = alerts.with_name(f"alerts.json.{number}")
    path.write_bytes(lines(str(number)) if data is None else data)
    os.utime(path, (time.time() - 100 * number,) * 2)
    return path


async def read_next(files, place, *, anew=False):
    assert await files.turn_to_next(anew=anew)
    read_all(place)
    return place.file.path.rpartition("/")[2]


async def test_all_that_one_survey_found_is_read_before_the_next_one(alerts, files, disk, place):
    older(alerts, 1)
    older(alerts, 2)
    names = []
    for _ in range(2):
        names.append(await read_next(files, place))
        assert place.is_complete
        await files.finish()
        assert (place.file, held_names(place)) == (None, [])
    names.append(await read_next(files, place))
    assert not place.is_complete
    assert names == ["alerts.json.2", "alerts.json.1", "alerts.json"]
    assert disk.surveys == 1
    assert not files.is_survey_due
    assert not await files.turn_to_next()
    assert disk.surveys == 2
    assert len(place.registry.appearances()) == 3


async def test_what_was_given_up_for_another_file_is_closed_unless_it_has_something_unread(alerts, files, place):
    older(alerts, 1)
    assert await files.turn_to_next()
    present = place.file
    assert await files.turn_to_next(anew=True)
    assert place.file is present
    read_all(place)
    await files.turn_to_next(anew=True)
    assert (held_names(place), place.file.path) == (["alerts.json"], str(alerts))


async def test_a_packed_copy_that_was_written_to_just_now_keeps_its_original_open(alerts, place, disk):
    clock = [time.time()]
    files = OpenFiles(AlertFolder(alerts, disk), place, lambda: clock[0])
    copy = older(alerts, 1)
    await read_next(files, place)
    await files.turn_to_next()
    alerts.with_name("alerts.json.2.gz").write_bytes(gzip.compress(lines("1")[:1000]))
    place.held.append(await AlertFolder(alerts, disk).open(copy))
    place.held[-1].number = 1
    await files.turn_to_next(anew=True)
    assert "alerts.json.1" in held_names(place)
    clock[0] += open_files.PACKING_SECONDS + 60
    await files.turn_to_next(anew=True)
    assert "alerts.json.1" not in held_names(place)


async def test_the_current_file_is_opened_once_however_often_it_is_turned_to(alerts, files, place):
    await read_next(files, place)
    file = place.file
    for _ in range(2):
        assert not await files.turn_to_next(anew=True)
        assert (place.file, place.held) == (file, [file])


async def test_a_file_of_which_nothing_was_read_does_not_count_as_read(alerts, files, place):
    older(alerts, 1)
    assert await files.turn_to_next()
    await files.finish()
    assert (place.file, place.registry.files) == (None, {})


async def test_a_complete_file_that_has_grown_since_does_not_count_as_read(alerts, files, place):
    copy = older(alerts, 1)
    await read_next(files, place)
    copy.write_bytes(copy.read_bytes() + b"{}\n")
    os.utime(copy, (1, 1))
    await files.finish()
    assert place.registry.appearances() == set()


async def test_a_packed_file_that_was_read_counts_as_read_though_its_size_is_another(alerts, files, place):
    packed = older(alerts, 1, gzip.compress(lines("1"))).rename(alerts.with_name("alerts.json.1.gz"))
    await read_next(files, place)
    await files.finish()
    [appearance] = place.registry.appearances()
    assert (appearance.path, appearance.size) == (str(packed), packed.stat().st_size)


async def test_a_file_without_a_name_stays_open_when_it_was_read_until_a_survey_shows_that_no_copy_needs_it(alerts, files, place):
    copy = older(alerts, 1)
    await read_next(files, place)
    assert await place.file.unnamed_bytes() == 0
    copy.unlink()
    assert await place.file.unnamed_bytes() == len(lines("1"))
    await files.finish()
    assert (place.file, held_names(place)) == (None, ["alerts.json.1"])
    await read_next(files, place, anew=True)
    assert held_names(place) == ["alerts.json"]


async def test_of_two_files_too_short_to_tell_the_second_is_judged_anew_when_the_first_was_read(alerts, files, disk, place):
    older(alerts, 2, b"{}\n")
    older(alerts, 1, b"[]\n")
    assert await read_next(files, place) == "alerts.json.2"
    await files.finish()
    assert await files.turn_to_next()
    assert (place.file, disk.surveys) == (None, 1)
    assert await read_next(files, place) == "alerts.json.1"
    assert disk.surveys == 2


@pytest.mark.parametrize("is_lower", [False, True])
async def test_alerts_json_is_replaced_when_it_is_another_file_and_missing_when_it_is_none(alerts, files, place, is_lower):
    others = [alerts.with_name(f"new.{number}") for number in range(2)]
    for other in others:
        other.write_bytes(b"")
    lower, higher = sorted(others, key=lambda path: path.stat().st_ino)
    first, second = (higher, lower) if is_lower else (lower, higher)
    assert not await files.is_replaced()
    first.rename(alerts)
    await files.turn_to_next()
    assert not await files.is_replaced()
    second.rename(alerts)
    assert await files.is_replaced()
    alerts.unlink()
    assert not await files.is_replaced()
    assert place.problems == [f"{alerts} does not exist; {ReadingTrouble.MISSING.value}"]
    alerts.write_bytes(b"")
    await files.is_replaced()
    assert place.problems == []


async def test_without_an_alerts_json_the_last_of_all_files_may_still_grow(alerts, files, place):
    alerts.unlink()
    older(alerts, 2)
    older(alerts, 1)
    assert await read_next(files, place) == "alerts.json.2"
    assert place.is_complete
    await files.finish()
    assert await read_next(files, place) == "alerts.json.1"
    assert not place.is_complete
    assert place.problems == [f"{alerts} does not exist; {ReadingTrouble.MISSING.value}"]


async def test_for_a_file_that_can_not_be_looked_into_the_others_wait_for_a_moment_alone(alerts, place, monkeypatch):
    class Refuses(LocalDisk):
        def open(self, path):
            if path.name == "alerts.json.2":
                raise OSError(errno.EIO, "Input/output error")
            return super().open(path)

    files = OpenFiles(AlertFolder(alerts, Refuses()), place, time.time)
    copy = older(alerts, 2)
    assert not await files.turn_to_next()
    assert not await files.turn_to_next()
    monkeypatch.setattr(open_files, "PATIENCE_SECONDS", 0)
    assert await read_next(files, place) == "alerts.json"
    assert place.problems == [f"{copy}: Input/output error; {ReadingTrouble.FILE_UNREADABLE.value}"]


async def test_as_long_as_a_file_of_an_earlier_month_waits_all_months_are_looked_at(alerts, files, place):
    alerts.write_bytes(b"")
    for month in ("Jan", "Mar", "Jun"):
        path = alerts.parent / "2026" / month / "ossec-alerts-01.json"
        path.parent.mkdir(parents=True)
        path.write_bytes(lines(month))
    for _ in range(3):
        await files.turn_to_next(anew=True)
        assert place.file.path == str(alerts.parent / "2026" / "Jan" / "ossec-alerts-01.json")
    read_all(place)
    await files.finish()
    await files.turn_to_next()
    assert place.file.path == str(alerts.parent / "2026" / "Mar" / "ossec-alerts-01.json")


async def test_known_files_that_are_too_many_are_forgotten(files, place, monkeypatch):
    monkeypatch.setattr(registry, "KEPT_FILES", 1)
    for number in range(3):
        place.registry.add(f"gone.{number}", Fingerprint.of(b"%d" % number))
    await files.turn_to_next()
    assert [known.path for known in place.registry.files.values()] == ["gone.2"]


async def test_an_open_file_whose_server_was_restarted_is_opened_again(alerts, files, place, monkeypatch):
    class Stale(Content):
        is_stale = False

        def status(self):
            if self.is_stale:
                raise OSError(errno.ESTALE, "Stale file handle")
            return super().status()

    stale = AlertFile(LocalDisk(), alerts, Stale(LocalDisk().open(alerts)))
    stale.content.is_stale = True
    place.held.append(stale)
    monkeypatch.setattr(open_files, "PATIENCE_SECONDS", 0)
    await read_next(files, place)
    assert stale not in place.held
    assert held_names(place) == ["alerts.json"]


async def test_what_alerts_json_names_is_held_while_another_file_is_read(alerts, files, place, monkeypatch):
    monkeypatch.setattr(open_files, "SURVEY_SECONDS", 0.01)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(files.keep_the_current_open)
        await anyio.sleep(0.05)
        assert place.held == []
        older(alerts, 1)
        assert await files.turn_to_next()
        with anyio.fail_after(10):
            while len(place.held) < 2:
                await anyio.sleep(0.01)
        assert held_names(place) == ["alerts.json", "alerts.json.1"]
        alerts.rename(alerts.with_name("alerts.json.0"))
        alerts.write_bytes(lines("new"))
        with anyio.fail_after(10):
            while all(file.node[1] != alerts.stat().st_ino for file in place.held):
                await anyio.sleep(0.01)
        assert len(place.held) == 2
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(("number", "is_avoided"), [(errno.ESTALE, [False, True]), (errno.EIO, [True])])
async def test_a_file_that_can_not_be_read_comes_last_for_a_while_unless_its_server_was_restarted(alerts, files, place, number, is_avoided):
    older(alerts, 1)
    older(alerts, 2)
    for is_last in is_avoided:
        assert await files.turn_to_next(anew=True)
        assert place.file.path.endswith(".2")
        await files.give_up(OSError(number, "it fails"))
        assert (place.file, held_names(place)) == (None, [])
        assert await files.turn_to_next(anew=True)
        assert place.file.path.endswith(".1" if is_last else ".2")
        if not is_last:
            files.leave()


@pytest.mark.parametrize(
    ("name", "stands_still"), [("ossec-alerts-02.json", True), ("ossec-alerts-02.json.gz", False), ("notes.json", False)]
)
async def test_an_alerts_json_that_does_not_change_while_a_dated_file_does_is_told(alerts, files, place, monkeypatch, name, stands_still):
    monkeypatch.setattr(open_files, "SURVEY_SECONDS", 0)
    other = alerts.parent / "2026" / "Jan" / name
    other.parent.mkdir(parents=True)
    other.write_bytes(gzip.compress(lines("other")) if name.endswith(".gz") else lines("other"))
    os.utime(alerts, (100, 100))
    await files.turn_to_next(anew=True)
    assert place.problems == []
    await files.turn_to_next(anew=True)
    assert [problem.partition(" although")[0] for problem in place.problems] == [f"{alerts} does not change"] * stands_still
    other.rename(alerts.with_name("kept"))
    await files.turn_to_next(anew=True)
    assert place.problems == []
    alerts.with_name("kept").rename(other)
    os.utime(alerts, (200, 200))
    await files.turn_to_next(anew=True)
    assert place.problems == []
    await files.turn_to_next(anew=True)
    os.utime(alerts)
    await files.turn_to_next(anew=True)
    await files.turn_to_next(anew=True)
    assert place.problems == []
