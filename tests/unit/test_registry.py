"""The registry and the order of files: contents and listings in, decisions out, without a disk."""

from pathlib import Path

import pytest

from wazuh_dfn.messages import Fingerprint, Position
from wazuh_dfn.tailing import registry as module
from wazuh_dfn.tailing.disk import Status
from wazuh_dfn.tailing.names import Sighting, naming_of, slot_of
from wazuh_dfn.tailing.registry import BEGINNING, Mark, Registry, appearance_of, holds, order_of

FOLDER = Path("/alerts")
NOW = 1_000_000.0


class Bytes:
    def __init__(self, data):
        self.data = data

    def read(self, offset, limit):
        return self.data[offset : offset + limit]


def content(name, size=5000):
    """Return bytes that no other name has."""
    return (f"{name:>9} ".encode() * (size // 10 + 1))[:size]


def dated(day, number=0, suffix=""):
    return FOLDER / "2026" / "Jan" / f"ossec-alerts-{day:02d}{f'-{number:03d}' if number else ''}.json{suffix}"


def seen(path, modified=NOW - 100, size=10, *, current=False):
    path = FOLDER / path
    slot = slot_of(path)
    naming = naming_of(path, FOLDER / "alerts.json") if slot is None else "dated"
    return Sighting(path, Status(1, hash(path), size, modified, 1), naming, slot, current)


def know(registry, path, data, *, settled=True):
    """Read all of `data` at the path; returns the known file."""
    known = registry.add(str(path), Fingerprint.of(data[:1024]))
    read = Position(str(path), 1, 0, file=known.number).after(len(data), data)
    registry.go_on(read)
    if settled:
        registry.settle(read)
    return known


def save(registry, *, is_saved=True):
    saved = list(registry.begin_save())
    registry.end_save(is_saved=is_saved)
    return saved


def restarted(registry):
    again = Registry()
    again.restore(save(registry), registry.saves, registry.forgotten_before, registry.forgotten_slot)
    return again


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def two_files(monkeypatch):
    monkeypatch.setattr(module, "KEPT_FILES", 2)


# Which file it is.


def test_a_file_is_known_by_its_content_whatever_it_is_called(registry):
    known = know(registry, dated(1), content("a"))
    found = registry.identify(Bytes(content("a") + b"more"), "/elsewhere/b.txt")
    assert (found.known, found.mark.offset, found.is_shorter) == (known, 5000, False)


def test_another_content_of_the_same_name_is_unknown(registry):
    know(registry, dated(1), content("a"))
    assert registry.identify(Bytes(content("b")), str(dated(1))) is None


def test_of_two_files_with_the_same_beginning_it_is_the_one_of_which_it_holds_the_most(registry):
    know(registry, dated(1), content("a", 2000) + content("b"))
    second = know(registry, dated(2), content("a", 2000) + content("c"))
    assert registry.identify(Bytes(second_data := content("a", 2000) + content("c")), "x").known is second
    assert registry.identify(Bytes(second_data), "x").mark.offset == len(second_data)


def test_a_file_that_only_begins_like_a_known_one_is_read_from_its_beginning(registry):
    know(registry, dated(1), content("a", 2000) + content("b"))
    found = registry.identify(Bytes(content("a", 2000) + content("d")), str(dated(2)))
    assert (found.mark, found.is_shorter) == (BEGINNING, True)


def test_a_file_that_came_back_shorter_goes_on_at_the_latest_save_that_it_holds(registry):
    data = content("a", 9000)
    known = know(registry, dated(1), data[:3000])
    save(registry)
    for end in (6000, 9000):
        position = Position(str(dated(1)), 1, end, Fingerprint.of(data[end - 1024 : end]), known.number)
        registry.go_on(position)
        registry.settle(position)
        save(registry)
    assert registry.identify(Bytes(data[:7000]), str(dated(1))).mark.offset == 6000


@pytest.mark.parametrize(("path", "is_known"), [("{}", True), ("{}.gz", True), ("/alerts/other.json", False)])
def test_a_few_bytes_tell_a_file_only_under_its_name(registry, path, is_known):
    know(registry, dated(1), b"\n")
    assert (registry.identify(Bytes(b"\n"), path.format(dated(1))) is not None) == is_known


@pytest.mark.parametrize(
    ("torn", "more", "mark"), [(b'{"timestamp":"2026', b'-01-02"}\n', 0), (b"{", b"}\n", 0), (b"{}\n", b"{}\n", 3), (b"{}", b"", 2)]
)
def test_after_the_few_bytes_of_a_torn_line_nothing_is_read_on(registry, torn, more, mark):
    know(registry, "alerts.json", torn)
    assert registry.identify(Bytes(torn + more), "alerts.json").mark.offset == mark


def test_a_file_of_nuls_is_not_skipped_past_what_it_really_shares(registry):
    know(registry, dated(1), bytes(4096))
    found = registry.identify(Bytes(bytes(8192) + content("a")), str(dated(2)))
    assert found is None or found.mark.offset <= 8192


def test_a_mark_of_which_the_bytes_are_not_known_is_held_by_what_is_long_enough():
    assert [holds(Bytes(data), Mark(5)) for data in (b"1234", b"12345", b"123456")] == [False, True, True]


def test_a_mark_of_a_single_byte_is_held_by_what_has_it_there():
    assert [holds(Bytes(data), Mark(5, Fingerprint.of(b"5"))) for data in (b"12345", b"12354")] == [True, False]


def test_an_empty_file_is_none_that_is_known(registry):
    registry.add(str(dated(1)))
    assert registry.identify(Bytes(b""), str(dated(1))) is None


def test_a_packed_file_from_before_the_first_start_counts_as_read_whole(registry):
    data = content("a")
    known = registry.add(str(dated(1, suffix=".gz")), Fingerprint.of(data[:1024]), is_whole=True)
    found = registry.identify(Bytes(data), str(dated(1)))
    assert (found.known, found.is_shorter) == (known, False)


# What is saved.


def test_saved_is_what_is_settled_not_what_is_read(registry):
    known = know(registry, dated(1), content("a", 2000))
    registry.go_on(Position(str(dated(1)), 1, 5000, file=known.number))
    [saved] = save(registry)
    assert (saved.read_to.offset, saved.settled.offset) == (2000, 2000)


def test_a_file_of_which_nothing_is_settled_is_new_after_a_restart(registry):
    know(registry, dated(1), content("a"), settled=False)
    assert restarted(registry).identify(Bytes(content("a")), str(dated(1))) is None


def test_how_a_read_file_looks_is_saved_only_once_all_of_it_is_settled(registry):
    known = know(registry, dated(1), content("a"), settled=False)
    registry.settle(Position(str(dated(1)), 1, 10, file=known.number))
    registry.note_read(known, appearance_of(seen(dated(1))), NOW)
    assert [each.read for each in save(registry)] == [None]


@pytest.mark.parametrize("seconds", [-2, -1, 2])
def test_a_file_that_was_written_to_just_now_is_looked_at_again(registry, seconds):
    known = know(registry, dated(1), content("a"))
    registry.note_read(known, appearance_of(seen(dated(1), NOW + seconds)), NOW)
    assert registry.appearances() == set()


@pytest.mark.parametrize("modified", [1.0, NOW - 100, NOW - 2.5, NOW + 86_400], ids=["1970", "past", "just settled", "future"])
def test_a_read_file_is_not_opened_while_it_looks_the_same(registry, modified):
    known = know(registry, dated(1), content("a"))
    look = appearance_of(seen(dated(1), modified))
    registry.note_read(known, look, NOW)
    assert registry.appearances() == {look}


def test_what_a_failed_save_should_have_saved_is_still_to_be_noted(registry):
    known = know(registry, dated(1), content("a"))
    save(registry, is_saved=False)
    assert [each.number for each in registry.moved()] == [known.number]
    save(registry)
    assert list(registry.moved()) == []


def test_what_moves_during_a_save_is_still_to_be_noted_after_it(registry):
    known = know(registry, dated(1), content("a"))
    registry.begin_save()
    registry.settle(Position(str(dated(1)), 1, 5000, file=known.number))
    registry.end_save(is_saved=True)
    assert [each.number for each in registry.moved()] == [known.number]


def test_marks_are_thinned_out_with_their_age(registry):
    known, kept = know(registry, dated(1), content("a")), {}
    for number in range(1, 205):
        registry.settle(Position(str(dated(1)), 1, number, file=known.number))
        save(registry)
        kept[number] = list(known.earlier)
    assert kept[203] == [*range(140, 188, 4), *range(188, 204)]
    assert kept[204] == [*range(144, 189, 4), *range(189, 205)]


def test_a_copy_is_settled_as_soon_as_its_part_of_the_whole_is(registry):
    whole = know(registry, dated(1), content("a"), settled=False)
    copy = registry.add_copy(whole, "/alerts/alerts.json.1", Fingerprint.of(content("a")[:1024]), Mark(3000))
    assert copy.number not in restarted(registry).files
    registry.settle(Position(str(dated(1)), 1, 2999, file=whole.number))
    assert copy.number not in restarted(registry).files
    registry.settle(Position(str(dated(1)), 1, 3000, file=whole.number))
    assert copy.number in restarted(registry).files


def test_a_copy_that_was_written_to_is_settled_by_itself(registry):
    whole = know(registry, dated(1), content("a"))
    copy = registry.add_copy(whole, "/alerts/alerts.json.1", whole.head, whole.read_to)
    registry.settle(Position("/alerts/alerts.json.1", 1, whole.read_to.offset + 100, file=copy.number))
    assert restarted(registry).files[copy.number].settled.offset == whole.read_to.offset + 100


def test_what_its_copy_holds_as_well_is_the_file_itself(registry):
    whole = know(registry, "alerts.json", content("a"))
    registry.add_copy(whole, "alerts.json", whole.head, whole.read_to)
    assert registry.identify(Bytes(content("a") + content("b")), "alerts.json.1.gz").known is whole


def test_a_copy_takes_the_place_of_a_former_one_at_its_path_alone(registry):
    whole = know(registry, "alerts.json", content("a"))
    copies = [registry.add_copy(whole, path, whole.head, whole.read_to) for path in ("a.gz", "b.gz", "c.gz", "b.gz")]
    assert [known.number for known in registry.files.values()] == [whole.number, copies[0].number, copies[2].number, copies[3].number]


def test_copies_of_different_files_at_one_path_are_different_ones(registry):
    wholes = [know(registry, path, content(path)) for path in ("a.json", "b.json")]
    copies = [registry.add_copy(whole, "c.json", whole.head, whole.read_to) for whole in reversed(wholes)]
    assert list(registry.files.values()) == wholes + copies


def test_another_file_and_what_is_settled_are_each_worth_a_save(registry):
    changes = [registry.changes]
    known = registry.add("alerts.json")
    changes.append(registry.changes)
    registry.settle(Position("alerts.json", 1, 10, file=known.number))
    changes.append(registry.changes)
    assert changes[0] < changes[1] < changes[2]


@pytest.mark.parametrize("path", ["a.json.gz", "c.json.gz"])
def test_a_file_that_is_read_on_in_its_packed_copy_keeps_an_entry_for_where_it_was(registry, path):
    known = know(registry, "b.json", content("a"))
    registry.note_read(known, appearance_of(seen("b.json")), NOW)
    registry.move(known, known.read.path)
    assert list(registry.files.values()) == [known]
    there = known.read
    registry.move(known, path)
    assert [(each.copy_of, each.read) for each in registry.files.values()] == [(0, None), (known.number, there)]


def test_each_save_has_its_number_from_one_on(registry):
    known = know(registry, "alerts.json", content("a"))
    save(registry)
    know_more = Position("alerts.json", 1, 0, file=known.number).after(10, content("b", 10))
    registry.settle(know_more)
    save(registry)
    assert list(known.earlier) == [1, 2]
    assert registry.saves == 2


def test_how_a_read_file_looks_is_worth_a_save_only_if_it_looks_another_way(registry):
    known, changes = know(registry, "alerts.json", content("a")), []
    for modified in (NOW - 100, NOW - 100, NOW - 90):
        registry.note_read(known, appearance_of(seen("alerts.json", modified)), NOW)
        changes.append(registry.changes)
    assert changes[0] == changes[1] == changes[2] - 1


def test_what_is_settled_of_a_forgotten_file_is_only_the_latest_that_was(registry):
    known = know(registry, "alerts.json", content("a"))
    position = Position("alerts.json", 1, 5000, file=known.number)
    registry.drop(known)
    registry.settle(position)
    assert (registry.settled_through, registry.files, list(registry.moved())) == (position, {}, [])


def test_a_mark_that_is_the_settled_one_is_not_saved_twice(registry):
    known = know(registry, "alerts.json", content("a"))
    first = known.settled
    save(registry)
    registry.settle(Position("alerts.json", 1, 0, file=known.number).after(10, content("b", 10)))
    [saved] = save(registry)
    assert (known.earlier, saved.earlier) == ({1: first, 2: known.settled}, {1: first})


def test_a_file_that_counts_as_read_whole_is_saved_though_nothing_of_it_was_read(registry):
    known = registry.add(str(dated(1, suffix=".gz")), is_whole=True)
    assert [each.number for each in save(registry)] == [known.number]


def test_what_is_read_on_looks_no_more_as_it_did(registry):
    known = know(registry, "alerts.json", content("a"))
    registry.note_read(known, appearance_of(seen("alerts.json")), NOW)
    registry.go_on(Position("alerts.json.1", 1, 6000, file=known.number))
    assert (known.read, known.path, known.read_to.offset, known.settled.offset, known.is_settled) == (
        None,
        "alerts.json.1",
        6000,
        5000,
        False,
    )


def test_of_two_known_files_with_the_same_content_it_is_the_one_known_last(registry):
    know(registry, dated(1), content("a"))
    last = know(registry, dated(2), content("a"))
    assert registry.identify(Bytes(content("a")), str(dated(1))).known is last


def test_a_mark_that_is_not_held_does_not_hide_a_later_one_of_another_file(registry):
    know(registry, dated(1), content("a", 2000) + content("b", 1000))
    longer = know(registry, dated(2), content("a", 2000) + content("c", 3000))
    assert registry.identify(Bytes(content("a", 2000) + content("c", 3000)), str(dated(1))).known is longer


@pytest.mark.parametrize("path", ["/alerts/other.json", "/a/alerts.json"])
@pytest.mark.parametrize(("length", "is_known"), [(255, False), (256, True)])
def test_from_as_many_bytes_on_as_tell_a_file_its_name_does_not_matter(registry, path, length, is_known):
    data = content("a", length - 1) + b"\n"
    know(registry, dated(1), data)
    assert (registry.identify(Bytes(data), path) is not None) == is_known


def test_within_a_line_it_is_read_on_only_behind_as_many_bytes_as_tell_a_file(registry):
    for length, mark in ((255, 0), (256, 256)):
        know(registry, dated(length % 28), content(length, length))
        assert registry.identify(Bytes(content(length, length) + b"more"), str(dated(length % 28))).mark.offset == mark


def test_what_is_forgotten_is_worth_a_save(registry):
    known, changes = know(registry, "alerts.json", content("a")), registry.changes
    registry.drop(known)
    assert registry.changes == changes + 1


@pytest.mark.parametrize(("day", "is_forgotten"), [(1, True), (2, True), (3, False)])
def test_packed_files_up_to_the_latest_day_that_was_forgotten_are_forgotten_ones(registry, day, is_forgotten):
    registry.forget_unseen([seen(dated(2, suffix=".gz"), modified=0)])
    assert registry.is_forgotten(seen(dated(day, suffix=".gz"))) == is_forgotten


def test_numbers_go_on_after_a_restart(registry):
    know(registry, dated(1), content("a"))
    assert restarted(registry).add(str(dated(2))).number == 2
    assert restarted(Registry()).add(str(dated(2))).number == 1


# What is forgotten.


def forget(registry, *sightings, keep=(), waiting=()):
    registry.forget(sightings, waiting, keep, NOW)
    return sorted(known.path for known in registry.files.values())


def fill(registry, *paths):
    return [know(registry, path, content(index)) for index, path in enumerate(paths)]


def test_the_files_that_are_gone_are_forgotten_first_then_the_oldest(two_files, registry):
    fill(registry, dated(1), dated(2), dated(3), dated(4))
    assert forget(registry, seen(dated(1)), seen(dated(2)), seen(dated(4))) == [str(dated(2)), str(dated(4))]


def test_a_forgotten_file_stays_read_as_long_as_it_is_as_old_as_it_was(two_files, registry):
    fill(registry, dated(1), dated(2), dated(3))
    forget(registry, *(seen(dated(day), NOW - 100 + day) for day in (1, 2, 3)))
    assert registry.is_forgotten(seen(dated(1), NOW - 99))
    assert registry.is_forgotten(seen(dated(1, suffix=".gz"), NOW))
    assert not registry.is_forgotten(seen(dated(1), NOW))


@pytest.mark.parametrize("why", ["not settled", "kept", "as new as what is unread", "from the future"])
def test_never_forgotten_is_what_would_lose_something(two_files, registry, why):
    first = know(registry, dated(1), content("a"), settled=why != "not settled")
    fill(registry, dated(2), dated(3))
    modified = {"as new as what is unread": NOW - 50, "from the future": NOW + 10}.get(why, NOW - 100)
    sightings = [seen(dated(1), modified), seen(dated(2)), seen(dated(3))]
    left = forget(registry, *sightings, keep=[first.number] if why == "kept" else [], waiting=[seen(dated(9), NOW - 60)])
    assert left == [str(dated(1)), str(dated(3))]
    assert registry.forgotten_before == NOW - 100


@pytest.mark.parametrize(
    ("waiting", "left"),
    [
        (seen(dated(2), NOW - 100), [1, 2, 3]),
        (seen(dated(1), NOW - 99), [1, 2, 3]),
        (seen(dated(2), NOW - 99), [2, 3]),
        (seen("alerts.json.1", NOW - 99), [2, 3]),
        (seen("alerts.json.1", NOW - 100), [1, 2, 3]),
    ],
    ids=["as old", "of the same day", "of the next day", "without a date", "without a date and as old"],
)
def test_forgotten_is_only_what_comes_before_all_that_waits(two_files, registry, waiting, left):
    fill(registry, dated(1), dated(2), dated(3))
    paths = forget(registry, *(seen(dated(day)) for day in (1, 2, 3)), waiting=[seen(dated(9), NOW - 50), waiting])
    assert paths == [str(dated(day)) for day in left]


def test_a_file_that_was_written_to_at_this_moment_is_not_forgotten(two_files, registry):
    fill(registry, dated(1), dated(2), dated(3))
    assert len(forget(registry, *(seen(dated(day), NOW) for day in (1, 2, 3)))) == 3


def test_of_files_without_a_date_the_one_known_first_is_forgotten_first_and_none_if_there_is_room(two_files, registry):
    fill(registry, "alerts.json.2", "alerts.json.1")
    assert len(forget(registry)) == 2
    fill(registry, "alerts.json.0", dated(1))
    assert forget(registry) == [str(dated(1)), "alerts.json.0"]


def test_forgotten_stays_what_was_forgotten_before(registry):
    for day, modified in ((2, 20.0), (3, 10.0), (1, 15.0)):
        registry.forget_unseen([seen(dated(day), modified), seen("alerts.json.1", 5.0)])
    assert (registry.forgotten_before, registry.forgotten_slot) == (20.0, slot_of(dated(3)))


def test_a_copy_is_not_forgotten_before_its_part_of_the_whole_is_settled(two_files, registry):
    whole = know(registry, dated(1), content("a"), settled=False)
    registry.add_copy(whole, "/alerts/alerts.json.1", whole.head, whole.read_to)
    fill(registry, dated(2))
    assert forget(registry) == [str(dated(1)), "/alerts/alerts.json.1"]


def test_a_copy_of_what_is_forgotten_is_let_go(two_files, registry):
    whole = know(registry, dated(1), content("a"))
    copy = registry.add_copy(whole, "/alerts/alerts.json.1", Fingerprint.of(content("a")[:1024]), Mark(3000))
    assert copy.is_settled
    fill(registry, dated(2))
    forget(registry, seen(dated(1)), seen(dated(2)))
    assert copy.number not in registry.files


# The order.


def names_in_order(*sightings):
    return [each.path.name for each in sorted(sightings, key=order_of(sightings))]


def test_files_are_read_by_day_and_number_the_current_one_last():
    paths = [dated(1), dated(1, 1), dated(1, 2), dated(2)]
    listing = [seen(path, NOW - index) for index, path in enumerate(paths)]
    current = seen(dated(1, 1000), current=True)
    assert names_in_order(current, *reversed(listing)) == [path.name for path in [*paths, dated(1, 1000)]]


def test_a_file_without_a_date_comes_before_the_first_dated_one_that_was_written_to_after_it():
    listing = [seen(dated(1), 10), seen(dated(2), 20), seen("alerts.json.1", 15), seen("alerts.json.2", 5), seen("alerts.json.0", 25)]
    assert names_in_order(*listing) == ["alerts.json.2", dated(1).name, "alerts.json.1", dated(2).name, "alerts.json.0"]


def test_a_file_without_a_date_comes_before_a_dated_one_that_was_written_to_at_the_same_time():
    assert names_in_order(seen(dated(1), 10), seen("alerts.json.1", 10), seen(dated(2), 20)) == [
        "alerts.json.1",
        dated(1).name,
        dated(2).name,
    ]


def test_a_packed_file_comes_before_another_plain_one_of_its_name():
    assert names_in_order(seen(dated(1)), seen(dated(1, suffix=".gz"))) == [f"{dated(1).name}.gz", dated(1).name]
