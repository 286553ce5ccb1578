"""Dead letters on a real disk: kept whole, once each, and waited for while the disk is full."""

import json
import os
from collections import Counter
from dataclasses import astuple, replace

import anyio
import pytest
import structlog.testing

from support.positions import position
from wazuh_dfn.delivery.dead_letter_store import DeadLetter
from wazuh_dfn.errors import DeadLettersUnusableError
from wazuh_dfn.messages import Position
from wazuh_dfn.storage import dead_letter_folder
from wazuh_dfn.storage.dead_letter_folder import DeadLetterFolder, letter_name
from wazuh_dfn.storage.kept_letters import Failure, KeptLetter, KeptLetters
from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.storage.removed_letters import Removed

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


def kept_in(folder):
    return KeptLetters(folder, LocalDisk())


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


async def test_a_letter_has_the_same_name_in_each_version_so_that_an_update_keeps_none_twice():
    told = DeadLetter(Position("alerts.json", 0xAFFE, 1234), "rejected", "it is too large", b"the line")
    assert letter_name(told) == "affe-000000000001234-rejected-366ffdee"


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
    assert [entry["event"] for entry in logs] == [
        "dead letter can't be written, waiting",
        "dead letters can be written again",
        "line dead-lettered",
    ]


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


async def test_the_log_tells_how_many_lines_are_alike_if_there_are_several(folder):
    with structlog.testing.capture_logs() as logs:
        await store_in(folder).store(letters("junk", 1) + letters("malformed", 2, 3))
    assert [(entry["stage"], entry.get("lines")) for entry in logs] == [("junk", None), ("malformed", 2)]


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


@pytest.mark.parametrize("before", ["nothing", "a restart", "a torn letter"])
async def test_letters_that_take_just_what_they_may_all_stay_and_one_byte_more_is_too_much(folder, before):
    def size():
        return sum(path.stat().st_size for path in folder.glob("*-*"))

    def empty():
        for path in folder.iterdir():
            path.unlink()

    await store_in(folder).store(letters("junk", 10, 11, size=100))
    two = size()
    await store_in(folder).store(letters("junk", 12, size=333))
    allowed = size()
    for surplus in (1, 0):
        empty()
        store = store_in(folder, max_bytes=allowed - surplus)
        await store.store(letters("junk", 10, 11, size=100))
        if before == "a torn letter":
            next(folder.glob("*10-junk*.raw")).write_bytes(b"x" * 5)
        if before != "nothing":
            store = store_in(folder, max_bytes=allowed - surplus)
            await store.store(letters("junk", 10, size=100))
        assert size() == two
        await store.store(letters("junk", 12, size=333))
        assert size() == (allowed if surplus == 0 else allowed - two / 2)


async def test_letters_and_removals_are_known_after_a_restart(folder):
    await store_in(folder, max_letters=2).store(letters("junk", 1, 2, 3) + letters("rejected", 1))
    counts = await store_in(folder, max_letters=2).counts()
    assert (counts.kept, counts.removed, counts.unseen) == ({"junk": 2, "rejected": 1}, {"junk": 1}, {"junk": 1})
    again = store_in(folder, max_letters=2)
    await again.store(letters("junk", 4))
    counts = await again.counts()
    assert (counts.removed, counts.unseen) == ({"junk": 2}, {"junk": 2})


async def test_removals_are_told_until_they_are_looked_at_and_later_ones_again(folder):
    store, kept = store_in(folder, max_letters=1), kept_in(folder)
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


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b'{"other": 1}'])
async def test_counts_of_removals_that_a_power_cut_has_torn_begin_at_zero(folder, content):
    await store_in(folder, max_letters=1).store(letters("junk", 1, 2))
    (folder / ".removed").write_bytes(content)
    store = store_in(folder, max_letters=1)
    assert ((await store.counts()).removed, kept_in(folder).removed()) == ({}, None)
    await store.store(letters("junk", 3))
    assert (await store.counts()).removed == {"junk": 1}


async def test_what_is_no_folder_has_no_counts(folder):
    folder.parent.mkdir()
    folder.write_bytes(b"")
    assert await store_in(folder).counts() is None


async def test_of_several_looks_the_last_alone_is_kept_whatever_number_was_removed(folder):
    folder.mkdir(parents=True)
    for number in (9, 10, 8):
        kept_in(folder).mark_looked_at(Removed({"junk": number}))
        assert [path.name for path in folder.iterdir()] == [f".looked-at-{number}"]


async def test_before_letters_are_removed_it_is_looked_whether_the_operator_has_made_room(folder, monkeypatch):
    disk = CountingDisk()
    store, kept = store_in(folder, max_letters=3, disk=disk), kept_in(folder)
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
    for path, torn in ((raw, b""), (raw, b"\xff" * 20), (note, b"\0" * 9)):
        path.write_bytes(torn)
        await store_in(folder).store([letter()])
        assert raw.read_bytes() == letter().raw
        assert json.loads(note.read_text())["offset"] == 0


@pytest.mark.parametrize("suffix", [".raw", ".json"])
async def test_a_letter_of_which_one_file_is_gone_is_none_until_it_is_written_again(folder, suffix):
    running = store_in(folder)
    await running.store([letter()])
    for is_running in (True, False):
        next(folder.glob(f"*{suffix}")).unlink()
        store = running if is_running else store_in(folder)
        if not is_running:
            assert (await store.counts()).kept == {}
        await store.store([letter()])
        assert stages(folder) == {"malformed": 1}
        assert (await store.counts()).kept == {"malformed": 1}


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


@pytest.mark.parametrize("failed_removals", [(), (1,), (0, 1), (0, 0, 1), (0, 0, 0, 1, 1)])
async def test_removals_are_counted_once_though_the_disk_fails_in_between(folder, monkeypatch, failed_removals):
    monkeypatch.setattr(dead_letter_folder, "RETRY_SECONDS", 0.01)
    disk = CountingDisk()
    store = store_in(folder, max_letters=1, disk=disk)
    await store.store(letters("junk", 1))
    sync, remove = disk.sync_file_system, disk.remove

    def failing(function, *failures):
        calls = iter(failures)

        def call(*arguments):
            if next(calls, 0):
                raise OSError(5, "Input/output error")
            function(*arguments)

        return call

    monkeypatch.setattr(disk, "sync_file_system", failing(sync, 1))
    monkeypatch.setattr(disk, "remove", failing(remove, *failed_removals))
    with structlog.testing.capture_logs() as logs:
        await store.store(letters("junk", 2, 3))
    assert (await store.counts()).removed == {"junk": 2}
    assert (await store.counts()).kept == {"junk": 1}
    assert [raw[:1] for raw in raws(folder)] == [b"3"]
    assert len(list(folder.glob("*.json"))) == 1
    assert logs[-1]["removed"] == {"junk": 2}


async def test_a_letter_that_was_removed_is_kept_if_it_comes_again(folder):
    store = store_in(folder, max_letters=1)
    await store.store(letters("junk", 1, 2, 3))
    with structlog.testing.capture_logs() as logs:
        await store.store(letters("junk", 1))
    assert [raw[:1] for raw in raws(folder)] == [b"1"]
    assert logs[-1]["removed"] == {"junk": 1}


async def test_after_a_restart_the_age_of_letters_is_that_of_their_notes(folder):
    await store_in(folder).store(letters("junk", *range(10, 30)))
    for path in folder.iterdir():
        os.utime(path, (0, 1000 - int(path.name.split("-")[1])))
    await store_in(folder, max_letters=3).store(letters("junk", 30))
    assert [raw[:2] for raw in raws(folder)] == [b"10", b"11", b"30"]


@pytest.mark.parametrize("is_torn", [False, True])
async def test_over_the_bytes_the_oldest_of_all_stages_go_though_they_were_written_again(folder, is_torn):
    store = store_in(folder, max_bytes=10_000)
    for stage, number in (("malformed", 10), ("windows", 11), ("malformed", 12), ("windows", 13)):
        await store.store(letters(stage, number, size=2_000))
    if is_torn:
        next(folder.glob("*10-malformed*.raw")).write_bytes(b"")
        await store.store(letters("malformed", 10, size=2_000))
    await store.store(letters("fail2ban", 14, 15, size=2_000))
    assert [raw[:2] for raw in raws(folder)] == [b"12", b"13", b"14", b"15"]


async def test_a_letter_has_its_note_only_while_it_has_its_bytes(folder, monkeypatch):
    disk, changes = CountingDisk(), []
    rename, remove = disk.rename, disk.remove
    monkeypatch.setattr(disk, "rename", lambda path, to: (rename(path, to), changes.append(("kept", to.suffix))))
    monkeypatch.setattr(disk, "remove", lambda path: (remove(path), changes.append(("removed", path.suffix))))
    store = store_in(folder, max_letters=1, disk=disk)
    await store.store(letters("junk", 1))
    assert changes == [("kept", ".raw"), ("kept", ".json")]
    await store.store(letters("junk", 2))
    assert changes[-2:] == [("removed", ".json"), ("removed", ".raw")]


async def test_letters_by_names_that_tell_no_stage_are_counted_and_removed_like_others(folder):
    await store_in(folder).store(letters("junk", 1))
    for name in ("a", "a-b", "a-b-other-c", "a-b-junk"):
        (folder / f"{name}.raw").write_bytes(b"")
        (folder / f"{name}.json").write_text("{}")
    assert (await store_in(folder).counts()).kept == {"unknown": 3, "junk": 2}
    store = store_in(folder, max_letters=1)
    await store.store(letters("junk", 2))
    counts = await store.counts()
    assert (counts.kept, counts.removed) == ({"unknown": 1, "junk": 1}, {"unknown": 2, "junk": 2})


async def test_over_the_number_and_the_bytes_no_more_goes_than_has_to(folder):
    await store_in(folder).store(letters("junk", 10, 11))
    two = sum(path.stat().st_size for path in folder.iterdir())
    for max_bytes, kept in ((two, {11, 12}), (two - 1, {12})):
        store = store_in(folder / str(max_bytes), max_letters=2, max_bytes=max_bytes)
        await store.store(letters("junk", 10, 11, 12))
        assert {int(path.name.split("-")[1]) for path in (folder / str(max_bytes)).glob("*.raw")} == kept


async def test_the_operator_sees_the_oldest_letter_first_and_nothing_that_is_none(folder):
    assert kept_in(folder).all() == []
    await store_in(folder).store(letters("junk", 1, 2, 3, 4, 5, 6))
    times = {1: "2026-03", 2: "2026-02", 3: "2026-02", 4: "2026-01", 5: "2026-01", 6: "2026-01"}
    for number, time in times.items():
        [path] = folder.glob(f"*{number}-junk*.json")
        path.write_text(json.dumps(json.loads(path.read_text()) | {"time": time, "name": "other", "bytes": 7}))
    next(folder.glob("*5-junk*.json")).unlink()
    next(folder.glob("*6-junk*.raw")).unlink()
    for name in (".hidden", "readme"):
        (folder / f"{name}.raw").write_bytes(b"")
    (folder / ".hidden.json").write_text("{}")
    kept = kept_in(folder).all()
    assert [(letter.offset, letter.bytes) for letter in kept] == [(4, 11), (2, 11), (3, 11), (1, 11)]
    assert [kept_in(folder).raw(letter)[:1] for letter in kept] == [b"4", b"2", b"3", b"1"]


@pytest.mark.parametrize("note", [b"", b"\xff", b"5", b'"time"', b"[]"])
async def test_a_letter_whose_note_is_no_note_is_there_all_the_same(folder, note):
    await store_in(folder).store([letter()])
    [path] = folder.glob("*.json")
    path.write_bytes(note)
    [kept] = kept_in(folder).all()
    assert astuple(kept) == (path.stem, len(letter().raw), "", "", 0, 0, "unknown", "its note can't be read", None, 0, None)


async def test_a_letter_that_is_gone_has_no_bytes_and_can_be_removed_again(folder):
    await store_in(folder).store(letters("junk", 1, 2))
    kept = kept_in(folder)
    first, second = kept.all()
    kept.remove([first])
    assert kept.raw(first) is None
    kept.remove([first, second])
    assert not list(folder.iterdir())


async def test_what_failed_again_keeps_its_place_and_tells_the_new_reason_and_how_often_it_was_tried(folder):
    await store_in(folder).store([letter(7)])
    kept = kept_in(folder)
    [before] = kept.all()
    assert (before.retries, before.retried) == (0, None)
    for retries in (1, 2):
        kept.note_failure(kept.all()[0], Failure("rejected", "it is too large"))
        [after] = kept.all()
        assert after == replace(before, stage="rejected", reason="it is too large", traceback=None, retries=retries, retried=after.retried)
        assert before.time <= after.retried
        assert sorted(path.name for path in folder.iterdir()) == [f"{before.name}.json", f"{before.name}.raw"]


async def test_what_the_operator_has_done_is_on_the_disk_with_one_sync_each(folder):
    await store_in(folder).store(letters("junk", 1, 2, 3))
    disk = CountingDisk()
    kept = KeptLetters(folder, disk)
    first, *others = kept.all()
    for done in (
        lambda: kept.note_failure(first, Failure("junk", "it is junk")),
        lambda: kept.remove(others),
        lambda: kept.mark_looked_at(Removed()),
    ):
        disk.calls.clear()
        done()
        assert disk.calls["sync_folder"] == 1


@pytest.mark.parametrize(
    "use",
    [
        lambda kept, _: kept.all(),
        lambda kept, letter: kept.raw(letter),
        lambda kept, letter: kept.remove([letter]),
        lambda kept, _: kept.removed(),
        lambda kept, _: kept.mark_looked_at(Removed()),
        lambda kept, letter: kept.note_failure(letter, Failure("junk", "it is junk")),
    ],
)
def test_a_folder_that_is_none_is_unusable_whatever_is_done(tmp_path, use):
    no_folder = tmp_path / "letters"
    no_folder.write_bytes(b"")
    with pytest.raises(DeadLettersUnusableError, match=f"^the dead letters in {no_folder} can't be read or changed: .*Not a directory"):
        use(kept_in(no_folder), KeptLetter("a", 1))
