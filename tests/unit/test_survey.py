"""A survey of real files, some of which change while it looks at them."""

import errno
import gzip
import os
import time
from contextlib import closing
from pathlib import Path

import pytest
import structlog.testing

from wazuh_dfn.messages import Fingerprint, Position
from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.tailing import beginning
from wazuh_dfn.tailing.alert_file import AlertFile, AlertFolder
from wazuh_dfn.tailing.beginning import _older_than, old_files
from wazuh_dfn.tailing.checkpoint_file import Checkpoint, CheckpointFile
from wazuh_dfn.tailing.contents import PIECE_BYTES, Content, end_of_last_line, open_content
from wazuh_dfn.tailing.disk import Status
from wazuh_dfn.tailing.names import Sighting, dated_paths, is_packed_name, list_files, month_before, naming_of, slot_of, unpacked_name
from wazuh_dfn.tailing.open_files import LONGEST_SURVEY_PAUSE_SECONDS, SURVEY_SECONDS, OpenFiles, _pause_seconds
from wazuh_dfn.tailing.place import ReadingPlace, ReadingTrouble
from wazuh_dfn.tailing.registry import Appearance, KnownFile, Mark, Registry, appearance_of
from wazuh_dfn.tailing.survey import is_same, match, survey

LINES = b"".join(b'{"number": %d, "filling": "%s"}\n' % (number, b"x" * 200) for number in range(40))

OTHER_LINES = LINES.replace(b"number", b"serial")


class RenamesMeanwhile(LocalDisk):
    """Its midnight is the moment when the original is opened for the second time, to be compared with the copy."""

    def __init__(self, plain):
        super().__init__()
        self.plain, self.opened = plain, 0

    def open(self, path):
        self.opened += path == self.plain
        if self.opened == 2:
            self.plain.unlink(missing_ok=True)
        return super().open(path)


def know(registry, path, data):
    """Read all of `data` at the path, and settle it; returns the known file."""
    known = registry.add(str(path), Fingerprint.of(data[:1024]))
    read = Position(str(path), 1, 0, file=known.number).after(len(data), data)
    registry.go_on(read)
    registry.settle(read)
    return known


def test_a_copy_whose_original_goes_while_it_is_judged_is_not_taken_for_another_file(tmp_path):
    alerts, packed = tmp_path / "alerts.json", tmp_path / "alerts.json-20260130.gz"
    alerts.write_bytes(LINES)
    packed.write_bytes(gzip.compress(LINES[:4000]))
    registry = Registry()
    know(registry, alerts, LINES)

    assert survey(LocalDisk(), alerts, registry).copies
    found = survey(RenamesMeanwhile(alerts), alerts, registry)
    assert found.has_changed


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_packed_file_that_was_packed_again_is_left_for_another_survey(tmp_path):
    alerts, packed, place = tmp_path / "alerts.json", tmp_path / "alerts.json-20260130.gz", ReadingPlace()
    alerts.write_bytes(LINES)
    packed.write_bytes(gzip.compress(b"{}\n" + LINES)[:-50])
    files = OpenFiles(AlertFolder(alerts, LocalDisk()), place, time.time)
    assert await files.turn_to_next(anew=True)
    assert place.file.path == str(packed)
    assert not await files.is_packed_again()
    packed.write_bytes(gzip.compress(b"{}\n" + LINES)[:-40])
    assert await files.is_packed_again()
    assert place.file is None
    await place.held[0].aclose()


def test_the_time_between_surveys_grows_with_what_they_take_but_a_disk_that_hangs_does_not_stop_them():
    assert [_pause_seconds(0.1), _pause_seconds(2), _pause_seconds(600)] == [SURVEY_SECONDS, 40, LONGEST_SURVEY_PAUSE_SECONDS]


# What is unread.


@pytest.fixture
def alerts(tmp_path):
    (tmp_path / "alerts.json").write_bytes(OTHER_LINES)
    return tmp_path / "alerts.json"


def unread_names(found):
    return [each.sighting.path.name for each in found.unread]


@pytest.mark.parametrize(
    "names", [("alerts.json.1", "alerts.json.2", "alerts.json.3"), ("alerts.json.3", "alerts.json.2", "alerts.json.1")]
)
def test_of_several_files_that_go_on_with_a_known_one_the_longest_plain_one_alone_is_read(alerts, names):
    registry = Registry()
    know(registry, alerts.with_name("gone.json"), LINES[:2000])
    for name, size in zip(names, (4000, 4002, 4001), strict=True):
        alerts.with_name(name).write_bytes(LINES[:size])
    alerts.with_name("alerts.json.0.gz").write_bytes(gzip.compress(LINES))
    alerts.with_name("alerts.json.4.gz").write_bytes(gzip.compress(LINES))
    assert unread_names(survey(LocalDisk(), alerts, registry)) == [names[1], "alerts.json"]


def test_of_two_names_of_one_unknown_file_one_is_read(alerts):
    alerts.with_name("alerts.json.1").write_bytes(LINES)
    os.link(alerts.with_name("alerts.json.1"), alerts.with_name("alerts.json.2"))
    assert len(unread_names(survey(LocalDisk(), alerts, Registry()))) == 2


@pytest.mark.parametrize(
    ("content", "is_part"),
    [(LINES[:4000], True), (LINES, True), (OTHER_LINES, False), (LINES[:4000] + b"!", False), (LINES.replace(b": 0,", b": 5,", 1), False)],
)
def test_a_packed_file_beside_the_plain_one_is_left_alone_only_if_it_is_a_part_of_that(alerts, content, is_part):
    alerts.with_name("alerts.json.1").write_bytes(LINES)
    alerts.with_name("alerts.json.1.gz").write_bytes(gzip.compress(content))
    found = survey(LocalDisk(), alerts, Registry())
    assert ("alerts.json.1.gz" in unread_names(found)) != is_part
    assert "alerts.json.1" in unread_names(found)


def test_told_as_damaged_is_what_is_torn_and_may_hold_alerts(alerts):
    registry = Registry()
    for name, cut in (("alerts.json.1.gz", -20), ("alerts.json.2.gz", None), ("other.gz", -20)):
        alerts.with_name(name).write_bytes(gzip.compress(LINES)[:cut])
        with closing(open_content(LocalDisk(), alerts.with_name(name))) as content:
            know(registry, alerts.with_name(name), content.read(0, len(LINES)))
    found = survey(LocalDisk(), alerts, registry)
    assert list(found.damaged) == [alerts.with_name("alerts.json.1.gz")]


@pytest.mark.parametrize(
    ("name", "read_at", "is_told"),
    [
        ("alerts.json.1", 102.0, False),
        ("alerts.json.1", 102.5, True),
        ("alerts.json.1", 50.0, False),
        ("alerts.json.2", 50.0, True),
        ("alerts.json.0", 50.0, True),
        ("alerts.json.1", None, True),
    ],
)
def test_what_can_not_be_unpacked_is_told_unless_it_was_read_before_it_was_packed(alerts, name, read_at, is_told):
    registry = Registry()
    known = know(registry, alerts.with_name(name), LINES)
    known.read = Appearance(known.path, len(LINES), read_at) if read_at is not None else None
    for packed in ("alerts.json.1.gz", "other.gz"):
        alerts.with_name(packed).write_bytes(b"PK\x03\x04 and so on")
        os.utime(alerts.with_name(packed), (100, 100))
    found = survey(LocalDisk(), alerts, registry)
    assert list(found.cannot_unpack) == ([alerts.with_name("alerts.json.1.gz")] if is_told else [])
    assert found.failed == {}
    assert not found.has_changed


@pytest.mark.parametrize(("size", "is_copy"), [(255, False), (256, True), (3000, True)])
def test_a_part_of_a_known_file_is_a_copy_of_it_from_as_many_bytes_on_as_tell_a_file(alerts, size, is_copy):
    registry = Registry()
    known = know(registry, alerts, OTHER_LINES)
    alerts.with_name("alerts.json.1").write_bytes(OTHER_LINES[:size])
    found = survey(LocalDisk(), alerts, registry)
    assert [(each.sighting.path.name, each.is_short) for each in found.unread] == ([] if is_copy else [("alerts.json.1", True)])
    assert [(whole, sighting.path.name, end.offset) for whole, sighting, _, end in found.copies] == (
        [(known, "alerts.json.1", size)] if is_copy else []
    )


def test_a_part_of_a_known_file_that_is_gone_is_read_as_one_that_came_back_shorter(alerts):
    registry = Registry()
    know(registry, alerts.with_name("gone.json"), LINES)
    alerts.with_name("alerts.json.1").write_bytes(LINES[:3000])
    found = survey(LocalDisk(), alerts, registry)
    assert [(each.sighting.path.name, each.is_shorter, each.number, each.size) for each in found.unread] == [
        ("alerts.json.1", True, None, 3000),
        ("alerts.json", False, None, len(OTHER_LINES)),
    ]


def test_what_ends_just_where_a_save_was_is_known_to_be_a_part_though_the_original_is_gone(alerts):
    registry = Registry()
    know(registry, alerts, OTHER_LINES)
    known = know(registry, alerts.with_name("gone.json"), LINES)
    known.earlier[1] = Mark(3000, Fingerprint.of(LINES[3000 - 1024 : 3000]))
    alerts.with_name("alerts.json.1").write_bytes(LINES[:3000])
    found = survey(LocalDisk(), alerts, registry)
    assert ([whole for whole, *_ in found.copies], found.unread) == ([known], [])


@pytest.mark.parametrize("more", [b' is whole"}\n', b' is whole"}\n' + LINES])
def test_a_file_that_began_with_a_torn_line_is_no_part_of_itself(alerts, more):
    registry, copy = Registry(), alerts.with_name("alerts.json.1")
    know(registry, copy, b'{"what was torn')
    copy.write_bytes(b'{"what was torn' + more)
    found = survey(LocalDisk(), alerts, registry)
    assert [(each.sighting.path, each.is_shorter) for each in found.unread] == [(copy, True), (alerts, False)]


def test_a_part_of_a_known_file_that_is_gone_is_not_read_under_a_strange_name_unless_it_is_the_current_one(alerts):
    registry = Registry()
    know(registry, alerts.with_name("gone.json"), LINES)
    alerts.with_name("other.json").write_bytes(LINES[:3000])
    assert unread_names(survey(LocalDisk(), alerts, registry)) == ["alerts.json"]
    found = survey(LocalDisk(), alerts.with_name("other.json"), registry)
    assert [(each.sighting.path.name, each.is_shorter) for each in found.unread] == [("other.json", True)]


def test_not_opened_is_what_looks_as_it_did_when_it_was_read_and_what_is_open_already(alerts):
    registry, opened = Registry(), []

    class Tells(LocalDisk):
        def open(self, path):
            opened.append(path.name)
            return super().open(path)

    for number in (1, 2, 3):
        alerts.with_name(f"alerts.json.{number}").write_bytes(LINES[number:])
    held = AlertFile(LocalDisk(), alerts.with_name("alerts.json.2"), open_content(LocalDisk(), alerts.with_name("alerts.json.2")))
    for path, data in ((alerts, OTHER_LINES), (alerts.with_name("alerts.json.1"), LINES[1:])):
        known, status = know(registry, path, data), path.stat()
        known.read = Appearance(str(path), status.st_size, status.st_mtime)
    found = survey(Tells(), alerts, registry, [held])
    held.close()
    assert sorted(opened) == ["alerts.json", "alerts.json.3"]
    assert sorted(unread_names(found)) == ["alerts.json.2", "alerts.json.3"]


def test_a_forgotten_file_is_passed_over_and_not_opened_again_unless_it_is_the_current_one(alerts):
    registry, copy, opened = Registry(), alerts.with_name("alerts.json.1"), []

    class Tells(LocalDisk):
        def open(self, path):
            opened.append(path)
            return super().open(path)

    copy.write_bytes(LINES)
    for path in (copy, alerts):
        os.utime(path, (100, 100))
    registry.forgotten_before = 100.0
    found = survey(Tells(), alerts, registry)
    assert unread_names(found) == ["alerts.json"]
    assert sorted(opened) == [alerts, copy]
    assert [Path(look.path) for look in found.passed_over] == [copy]
    registry.passed_over = frozenset([*found.passed_over, *(appearance_of(each) for each in found.sightings if each.is_current)])
    opened.clear()
    again = survey(Tells(), alerts, registry)
    assert (again.unread, again.passed_over, opened) == (found.unread, found.passed_over, [alerts])


@pytest.mark.parametrize("modified", [0, 1, -86_400])
def test_a_file_with_a_time_of_1970_or_before_is_read_as_long_as_none_was_forgotten(alerts, modified):
    copy = alerts.with_name("alerts.json.1")
    copy.write_bytes(LINES)
    os.utime(copy, (modified, modified))
    assert unread_names(survey(LocalDisk(), alerts, Registry())) == ["alerts.json.1", "alerts.json"]


def test_an_open_file_that_answers_with_an_error_is_told_and_the_others_are_looked_at(alerts):
    class Stale(Content):
        def status(self):
            if is_stale:
                raise OSError(errno.ESTALE, "Stale file handle")
            return super().status()

    is_stale = False
    alerts.with_name("alerts.json.1").write_bytes(LINES)
    held = [
        AlertFile(LocalDisk(), path, of(LocalDisk().open(path)))
        for path, of in ((alerts.with_name("alerts.json.1"), Stale), (alerts, Content))
    ]
    is_stale = True
    found = survey(LocalDisk(), alerts, Registry(), held)
    for file in held:
        file.close()
    assert [broken for broken, _ in found.broken] == held[:1]
    assert found.failed == {Path(held[0].path): f"{held[0].path} (open): Stale file handle"}
    assert [(each.sighting.path, each.held, each.sighting.is_current) for each in found.unread] == [
        (alerts.with_name("alerts.json.1"), None, False),
        (alerts, held[1], True),
    ]


def test_a_file_without_a_name_that_is_held_is_not_the_current_one(alerts):
    alerts.with_name("alerts.json.1").write_bytes(LINES)
    copy = alerts.with_name("alerts.json.1")
    held = AlertFile(LocalDisk(), copy, open_content(LocalDisk(), copy))
    copy.unlink()
    alerts.unlink()
    found = survey(LocalDisk(), alerts, Registry(), [held])
    held.close()
    assert [(each.held, each.sighting.is_current, each.sighting.naming) for each in found.unread] == [(held, False, "copy")]


@pytest.mark.parametrize(("data", "is_unread"), [(b"", False), (b"{", True), (b"{}\n", True)])
def test_a_current_file_that_is_new_has_something_unread_from_its_first_byte_on(alerts, data, is_unread):
    alerts.write_bytes(data)
    assert unread_names(survey(LocalDisk(), alerts, Registry())) == ["alerts.json"] * is_unread


@pytest.mark.parametrize(("data", "is_read"), [(b"{}\n", True), (b"\0\0{}\n", True), (b"", False), (b"notes\n", False)])
def test_a_name_that_a_person_gave_is_read_if_an_alert_may_stand_in_it(alerts, data, is_read):
    for name in ("alerts.json.old", "other.json"):
        alerts.with_name(name).write_bytes(data)
    assert unread_names(survey(LocalDisk(), alerts, Registry())) == [*["alerts.json.old"] * is_read, "alerts.json"]


def test_an_open_file_is_the_one_of_its_number_as_long_as_it_holds_what_was_read_of_that(alerts):
    registry = Registry()
    first, second = know(registry, alerts, OTHER_LINES), know(registry, alerts.with_name("alerts.json.1"), OTHER_LINES)
    content = open_content(LocalDisk(), alerts)
    assert [match(registry, content, str(alerts), each.number).known for each in (first, second)] == [first, second]
    alerts.write_bytes(LINES)
    assert match(registry, content, str(alerts), first.number) is None
    content.close()


@pytest.mark.parametrize(("written", "is_still"), [(b"{}\n{}\n", True), (b"[]\n{}\n", False), (b"{}\n[]\n", False), (b"{}\n{}", False)])
def test_where_the_last_bytes_are_few_the_first_ones_tell_too_whether_a_file_is_the_same(alerts, written, is_still):
    alerts.write_bytes(written)
    content = open_content(LocalDisk(), alerts)
    assert is_same(content, Fingerprint.of(b"{}\n"), Mark(6, Fingerprint.of(b"{}\n"))) == is_still
    content.close()


@pytest.mark.parametrize(("length", "is_still"), [(0, True), (255, False), (256, True)])
def test_last_bytes_that_are_enough_tell_alone_whether_a_file_is_the_same(alerts, length, is_still):
    alerts.write_bytes(LINES)
    with closing(open_content(LocalDisk(), alerts)) as content:
        assert is_same(content, Fingerprint.of(b"other"), Mark(2000, Fingerprint.of(LINES[2000 - length : 2000]))) == is_still


@pytest.mark.parametrize("is_lower", [True, False])
def test_a_copy_is_one_whichever_was_written_first(alerts, is_lower):
    paths = [alerts.with_name(f"new.{number}") for number in range(2)]
    for path in paths:
        path.write_bytes(OTHER_LINES)
    copy, original = sorted(paths, key=lambda path: path.stat().st_ino, reverse=not is_lower)
    original.rename(alerts)
    os.truncate(copy, 3000)
    copy.rename(alerts.with_name("alerts.json.1"))
    registry = Registry()
    know(registry, alerts, OTHER_LINES)
    found = survey(LocalDisk(), alerts, registry)
    assert (len(found.copies), found.unread) == (1, [])


def test_of_a_file_that_went_during_a_survey_it_is_told_that_something_has_changed(alerts):
    class Goes(LocalDisk):
        def open(self, path):
            if path.name == "alerts.json.1":
                path.unlink()
            return super().open(path)

    alerts.with_name("alerts.json.1").write_bytes(LINES)
    found = survey(Goes(), alerts, Registry())
    assert (found.has_changed, unread_names(found), found.failed) == (True, ["alerts.json"], {})


@pytest.mark.parametrize("is_current", [True, False])
def test_of_what_was_packed_before_the_first_start_the_current_file_may_be_more(alerts, is_current):
    registry = Registry()
    known = registry.add("gone.json.gz", Fingerprint.of(OTHER_LINES[:1024]), is_whole=True)
    if not is_current:
        alerts.rename(alerts.with_name("alerts.json.1"))
    alerts.with_name("alerts.json.2.gz").write_bytes(gzip.compress(OTHER_LINES))
    found = survey(LocalDisk(), alerts, registry)
    assert [(each.sighting.path, each.number) for each in found.unread] == [(alerts, None)] * is_current
    assert [(each, sighting.path.name) for each, sighting in found.read] == [
        *[(known, "alerts.json.1")] * (not is_current),
        (known, "alerts.json.2.gz"),
    ]


def test_what_can_not_be_opened_is_told_if_it_may_hold_unread_alerts_and_is_no_folder_or_the_like(alerts):
    errors = {
        "alerts.json": OSError(errno.EISDIR, "Is a directory"),
        "alerts.json.1": OSError(errno.EACCES, "Permission denied"),
        "alerts.json.2": OSError(errno.EISDIR, "Is a directory"),
        "alerts.json.old": OSError(errno.EACCES, "Permission denied"),
        "other.json": OSError(errno.EACCES, "Permission denied"),
    }

    class Refuses(LocalDisk):
        def open(self, path):
            raise errors[path.name]

    for name in errors:
        alerts.with_name(name).write_bytes(LINES)
    found = survey(Refuses(), alerts, Registry())
    assert found.failed == {
        alerts: f"{alerts}: Is a directory",
        (copy := alerts.with_name("alerts.json.1")): f"{copy}: Permission denied",
    }


@pytest.mark.parametrize("reason", [("Input/output error",), ()])
def test_a_copy_whose_original_can_not_be_compared_is_told(alerts, reason):
    class FailsMeanwhile(RenamesMeanwhile):
        def open(self, path):
            self.opened += path == self.plain
            if self.opened == 2:
                raise OSError(errno.EIO, *reason) if reason else OSError("no answer")
            return LocalDisk.open(self, path)

    registry, packed = Registry(), alerts.with_name("alerts.json-20260130.gz")
    know(registry, alerts, OTHER_LINES)
    packed.write_bytes(gzip.compress(OTHER_LINES[:4000]))
    found = survey(FailsMeanwhile(alerts), alerts, registry)
    assert (found.failed, found.unread, found.copies) == ({packed: f"{packed}: {reason[0] if reason else 'no answer'}"}, [], [])


# What is old at a first start.


def test_old_files_come_with_their_ends_the_newest_first_and_of_those_without_a_date_none_that_is_newer_than_a_known_one(alerts):
    for age, (name, data) in enumerate(
        (
            ("alerts.json", OTHER_LINES + b'{"torn": '),
            ("alerts.json.1", LINES[:3000]),
            ("alerts.json.2", LINES[2000:]),
            ("alerts.json.3", LINES[1:500]),
            ("alerts.json.4.gz", gzip.compress(LINES[1000:])),
            ("alerts.json.5.gz", b"PK\x03\x04 and so on"),
            ("other.json", LINES),
        )
    ):
        alerts.with_name(name).write_bytes(data)
        os.utime(alerts.with_name(name), (100, 100 - age))
    registry = Registry()
    newest_first = [(each.sighting.path.name, each.head, each.mark) for each in old_files(LocalDisk(), alerts, lambda _: True, registry)]
    assert newest_first == [
        ("alerts.json", Fingerprint.of(OTHER_LINES[:1024]), Mark(len(OTHER_LINES), Fingerprint.of(OTHER_LINES[-1024:]))),
        ("alerts.json.1", Fingerprint.of(LINES[:1024]), Mark(3000, Fingerprint.of(LINES[3000 - 1024 : 3000]))),
        ("alerts.json.2", Fingerprint.of(LINES[2000:3024]), Mark(len(LINES) - 2000, Fingerprint.of(LINES[-1024:]))),
        ("alerts.json.3", Fingerprint.of(LINES[1:500]), Mark(499, Fingerprint.of(LINES[1:500]))),
        ("alerts.json.4.gz", Fingerprint.of(LINES[1000:2024]), None),
        ("alerts.json.5.gz", Fingerprint.of(b""), None),
    ]
    know(registry, "gone.json", LINES[2000:])
    older = [(each.sighting.path.name, each.head, each.mark) for each in old_files(LocalDisk(), alerts, lambda _: True, registry)]
    assert older == newest_first[3:]


def test_an_old_file_that_may_not_be_read_is_old_as_a_whole_but_the_current_one_has_to_be_read(alerts):
    class Refuses(LocalDisk):
        def open(self, path):
            if path.name in refused:
                raise OSError(errno.EACCES, "Permission denied")
            if path.name == "alerts.json.2":
                raise FileNotFoundError
            return super().open(path)

    for number in (1, 2):
        alerts.with_name(f"alerts.json.{number}").write_bytes(LINES)
    refused = {"alerts.json.1"}
    found = old_files(Refuses(), alerts, lambda sighting: not sighting.is_current, Registry())
    assert [(each.sighting.path.name, each.head.length, each.mark) for each in found] == [("alerts.json.1", 0, None)]
    refused = {"alerts.json"}
    with pytest.raises(PermissionError):
        old_files(Refuses(), alerts, lambda _: True, Registry())


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(("start_at", "unread"), [("end", []), ("beginning", ["alerts.json"])])
async def test_after_a_first_start_no_old_file_is_unread_however_many_there_are(alerts, monkeypatch, start_at, unread):
    monkeypatch.setattr(beginning, "KEPT_FILES", 2)
    now, place, saves = time.time(), ReadingPlace(), []
    future = alerts.parent / "2026" / "Jan" / "ossec-alerts-01.json"
    future.parent.mkdir(parents=True)
    for age, path in enumerate([alerts, *(alerts.with_name(f"alerts.json.{number}") for number in range(1, 5)), future]):
        path.write_bytes(LINES[age:] if age else OTHER_LINES)
        os.utime(path, (now, now - 100 * age))
    os.utime(future, (now, now + 1000))

    async def save():
        saves.append(place.registry.is_begun)

    files, checkpoints = AlertFolder(alerts, LocalDisk()), CheckpointFile(alerts.parent / "state" / "checkpoint", LocalDisk())
    await beginning.Beginning(files, checkpoints, place, start_at, save).begin()
    assert saves == [True]
    assert unread_names(survey(LocalDisk(), alerts, place.registry)) == unread
    assert str(alerts) not in {look.path for look in place.registry.appearances()}


@pytest.mark.parametrize("has_current", [True, False])
def test_without_an_alerts_json_the_newest_plain_dated_file_is_taken_for_the_current_one(folder, has_current):
    (folder / "2026/Jan/ossec-alerts-02.json.gz").write_bytes(gzip.compress(LINES))
    (folder / "alerts.json").unlink()
    if has_current:
        (folder / "alerts.json").write_bytes(OTHER_LINES)
    found = old_files(LocalDisk(), folder / "alerts.json", lambda sighting: sighting.is_current, Registry())
    assert [each.sighting.path.name for each in found] == ["alerts.json" if has_current else "ossec-alerts-01.json"]


@pytest.mark.parametrize(
    ("known", "old"), [("2026/Jan/ossec-alerts-02.json", ["01", "alerts.json.1"]), ("x.json", ["01", "02", "03", "alerts.json.1"])]
)
def test_behind_a_checkpoint_of_a_former_version_are_earlier_days_and_what_has_no_date(alerts, known, old):
    is_old = _older_than(Checkpoint((KnownFile(1, str(alerts.parent / known)),), saved_at=100.0, is_complete=False))
    paths = {day: alerts.parent / "2026" / "Jan" / f"ossec-alerts-{day}.json" for day in ("01", "02", "03")}
    paths["alerts.json.1"] = alerts.with_name("alerts.json.1")

    def names(modified, *, is_current=False):
        look = Status(1, 1, 10, modified, 1)
        return [name for name, path in paths.items() if is_old(Sighting(path, look, "copy", slot_of(path), is_current))]

    assert names(99.0) == names(100.0) == old
    assert names(101.0) == names(99.0, is_current=True) == []


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", 0),
        (b"x", 0),
        (b"\n", 1),
        (b"\nx", 1),
        (b"xx\n", 3),
        (b"\n" + b"x" * (PIECE_BYTES - 1), 1),
        (b"\n" + b"x" * PIECE_BYTES, 1),
        (b"xx\n" + b"x" * PIECE_BYTES, 3),
        (b"x" * PIECE_BYTES + b"\n\nxx", PIECE_BYTES + 2),
        (b"x" * (2 * PIECE_BYTES + 1), 0),
    ],
)
def test_the_last_line_ends_behind_the_last_line_feed(alerts, data, end):
    alerts.write_bytes(data)
    with closing(open_content(LocalDisk(), alerts)) as content:
        assert end_of_last_line(content, content.size()) == end


# What an administrator is told.


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_trouble_is_logged_once_by_file_and_so_is_its_end():
    place = ReadingPlace()
    with structlog.testing.capture_logs() as logs:
        for texts in ({"a": "no a"}, {"a": "no a", Path("b"): "no b"}, {Path("b"): "no b"}):
            place.note_all(ReadingTrouble.DAMAGED, texts)
        assert place.problems == [f"no b; {ReadingTrouble.DAMAGED.value}"]
        place.note(ReadingTrouble.MISSING, "no file")
        place.is_over(ReadingTrouble.UNREADABLE, ReadingTrouble.DAMAGED)
        place.is_over(ReadingTrouble.DAMAGED)
    assert place.problems == [f"no file; {ReadingTrouble.MISSING.value}"]
    assert [(entry["log_level"], entry["trouble"], entry["reason"]) for entry in logs] == [
        ("warning", "damaged", "no a"),
        ("warning", "damaged", "no b"),
        ("info", "damaged", "no a"),
        ("warning", "missing", "no file"),
        ("info", "damaged", "no b"),
    ]


# What is there, by its names.


@pytest.mark.parametrize(
    ("path", "slot"),
    [
        ("2026/Jan/ossec-alerts-30.json", (2026, 1, 30, 0)),
        ("2026/Dec/ossec-alerts-01-002.json.gz", (2026, 12, 1, 2)),
        ("2026/Jul/ossec-alerts-01-1000.json.zst", (2026, 7, 1, 1000)),
        ("2026/Jul/ossec-alerts-01.json.rar", None),
        ("2026/Jul/ossec-alerts-01.log", None),
        ("2026/07/ossec-alerts-01.json", None),
        ("26/Jul/ossec-alerts-01.json", None),
        ("alerts.json", None),
    ],
)
def test_a_dated_name_tells_its_place_in_the_order_of_days(path, slot):
    assert slot_of(Path("/alerts") / path) == slot


def test_the_month_before_january_is_december_of_the_year_before():
    assert [month_before((2026, month, 30, 0)) for month in (1, 2, 12)] == [(2025, 12), (2026, 1), (2026, 11)]


def test_a_name_tells_whether_it_is_packed():
    assert [is_packed_name(Path(name)) for name in ("a.json.gz", "a.json.zst", "a.json", "a.gz.json")] == [True, True, False, False]
    assert [unpacked_name(Path("/b.gz") / name).name for name in ("a.json.gz", "a.json", "a.gz.gz")] == ["a.json", "a.json", "a.gz"]
    assert unpacked_name(Path("/b.gz/a.json.xz")).parent == Path("/b.gz")


@pytest.mark.parametrize(
    ("name", "naming"),
    [
        ("alerts.json.1", "copy"),
        ("alerts.json.2.gz", "copy"),
        ("alerts-20260102.json", "copy"),
        ("alerts.json-20260102T000000Z.xz", "copy"),
        ("alerts.json.old", "lettered"),
        ("alerts-Jan.json.bak", "lettered"),
        ("alerts.log", "stranger"),
        ("alertsXjson.1", "stranger"),
        ("other.json", "stranger"),
    ],
)
def test_beside_it_a_name_tells_who_gave_it(name, naming):
    assert naming_of(Path("/alerts") / name, Path("/alerts/alerts.json")) == naming


@pytest.fixture
def folder(tmp_path):
    """A site at which each day of three months was packed, or not."""
    for name in (
        "2025/Nov/ossec-alerts-30.json.gz",
        "2025/Dec/ossec-alerts-31.json",
        "2026/Jan/ossec-alerts-01.json",
        "2026/Jan/notes.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(LINES)
    os.link(tmp_path / "2026/Jan/ossec-alerts-01.json", tmp_path / "alerts.json")
    return tmp_path


def found_in(folder, since=(0, 0)):
    listing = list_files(LocalDisk(), folder / "alerts.json", since)
    return {str(each.path.relative_to(folder)): each for each in listing.sightings}, listing


@pytest.mark.parametrize(
    ("since", "months"),
    [((0, 0), ["Nov", "Dec", "Jan"]), ((2025, 12), ["Dec", "Jan"]), ((2026, 1), ["Jan"]), ((2026, 2), []), ((2027, 1), [])],
)
def test_dated_files_are_listed_from_a_month_on(folder, since, months):
    assert sorted(path.parent.name for path in dated_paths(LocalDisk(), folder, {}, since)) == sorted(months)


def test_folders_from_before_that_month_are_not_even_looked_into(folder):
    looked_into = []

    class Tells(LocalDisk):
        def names(self, folder):
            looked_into.append(folder.name)
            return super().names(folder)

    list(dated_paths(Tells(), folder, {}, (2026, 1)))
    assert looked_into == [folder.name, "2026", "Jan"]


def test_listed_are_the_dated_files_and_those_beside_with_what_their_names_tell(folder):
    for name in ("alerts-20260102.json", "alerts.json.1", "alerts.json.1.gz", "alerts.json.2.gz", "other.txt", ".alerts.json.swp", "2024"):
        (folder / name).write_bytes(LINES)
    found, listing = found_in(folder)
    assert sorted(found) == [
        *("2025/Dec/ossec-alerts-31.json", "2025/Nov/ossec-alerts-30.json.gz", "2026/Jan/ossec-alerts-01.json"),
        *("alerts-20260102.json", "alerts.json.1", "alerts.json.1.gz", "alerts.json.2.gz", "other.txt"),
    ]
    assert [name for name, each in found.items() if each.is_current] == ["2026/Jan/ossec-alerts-01.json"]
    assert listing.current == found["2026/Jan/ossec-alerts-01.json"]
    assert [name for name, each in found.items() if each.is_beside_plain] == ["alerts.json.1.gz"]
    assert [name for name, each in found.items() if each.slot] == [name for name, each in found.items() if each.naming == "dated"]
    assert (found["alerts.json.1"].naming, found["other.txt"].naming, found["alerts.json.2.gz"].has_packed_name) == (
        "copy",
        "stranger",
        True,
    )
    assert listing.failed == {}


def test_a_name_like_a_dated_one_beside_it_has_no_place_in_the_order_of_days(tmp_path):
    month = tmp_path / "2026" / "Jan"
    month.mkdir(parents=True)
    for name in ("alerts.json", "ossec-alerts-07.json"):
        (month / name).write_bytes(name.encode())
    found, _ = found_in(month)
    assert (found["ossec-alerts-07.json"].slot, found["ossec-alerts-07.json"].naming) == (None, "stranger")


def test_an_alerts_json_without_a_dated_name_is_listed_itself(tmp_path):
    (tmp_path / "alerts.json").write_bytes(LINES)
    found, listing = found_in(tmp_path)
    assert (list(found), listing.current.is_current, listing.current.naming) == (["alerts.json"], True, "copy")
    assert not listing.current.is_beside_plain


def test_without_an_alerts_json_the_others_are_listed(folder):
    (folder / "alerts.json").unlink()
    found, listing = found_in(folder)
    assert (len(found), listing.current) == (3, None)


def test_what_can_not_be_looked_at_is_told_if_it_may_hold_alerts(folder):
    (folder / "alerts.json.1").write_bytes(LINES)
    for name in ("alerts.json.3", "2026/Jan/ossec-alerts-03.json"):
        (folder / name).symlink_to(folder / "gone")
        (folder / f"{name}.gz").symlink_to(folder / f"{name}.gz")
    (folder / "2023").mkdir()
    (folder / "2023" / "Jan").write_bytes(b"no folder")

    class Refuses(LocalDisk):
        def status(self, path):
            if path.name in {"alerts.json.1", "ossec-alerts-31.json", "other.txt"}:
                raise OSError(errno.EACCES, "Permission denied")
            return super().status(path)

        def names(self, folder):
            if folder.name == "Nov":
                raise OSError(errno.EIO, "Input/output error")
            return super().names(folder)

    (folder / "other.txt").write_bytes(LINES)
    (folder / "zzz.json").write_bytes(LINES)
    listing = list_files(Refuses(), folder / "alerts.json")
    assert listing.failed == {
        (nov := folder / "2025/Nov"): f"{nov}: Input/output error",
        (dec := folder / "2025/Dec/ossec-alerts-31.json"): f"{dec}: Permission denied",
        (copy := folder / "alerts.json.1"): f"{copy}: Permission denied",
    }
    assert sorted(each.path.name for each in listing.sightings) == ["ossec-alerts-01.json", "zzz.json"]
