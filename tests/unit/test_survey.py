"""A survey of real files, some of which change while it looks at them."""

import errno
import gzip
import os
import time
from pathlib import Path

import pytest

from wazuh_dfn.adapters.local_disk import LocalDisk
from wazuh_dfn.messages import Fingerprint, Position
from wazuh_dfn.tailing.alert_file import AlertFolder
from wazuh_dfn.tailing.names import dated_paths, is_packed_name, list_files, month_before, naming_of, slot_of, unpacked_name
from wazuh_dfn.tailing.open_files import LONGEST_SURVEY_PAUSE_SECONDS, SURVEY_SECONDS, OpenFiles, _pause_seconds
from wazuh_dfn.tailing.place import ReadingPlace
from wazuh_dfn.tailing.registry import Registry
from wazuh_dfn.tailing.survey import survey

LINES = b"".join(b'{"number": %d, "filling": "%s"}\n' % (number, b"x" * 200) for number in range(40))


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


def test_a_copy_whose_original_goes_while_it_is_judged_is_not_taken_for_another_file(tmp_path):
    alerts, packed = tmp_path / "alerts.json", tmp_path / "alerts.json-20260130.gz"
    alerts.write_bytes(LINES)
    packed.write_bytes(gzip.compress(LINES[:4000]))
    registry = Registry()
    known = registry.add(str(alerts), Fingerprint.of(LINES[:1024]))
    read = Position(str(alerts), 1, 0, file=known.number).after(len(LINES), LINES)
    registry.go_on(read)
    registry.settle(read)

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
