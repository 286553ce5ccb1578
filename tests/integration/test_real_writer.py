"""What Wazuh's writer and monitord really do with their files, also behind the daemon's back: nothing is lost, and nothing comes twice."""

import gzip
import os
import time

import pytest

from support.site import DOWN_OR_UP, line, lines, pause, restart_and_expect, settle, site_in, until
from support.wazuh_writer import Gzipping, add_files_of_others, compress
from wazuh_dfn.tailing.alert_file import AlertFolder

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
def site(site):
    add_files_of_others(site.wazuh)
    return site


# The clock is set back over midnight.


@DOWN_OR_UP
@pytest.mark.parametrize("former", ["plain", "gzipped"])
@pytest.mark.parametrize("ends", ["in the old day", "in the new day"])
async def test_a_clock_that_goes_back_over_midnight_makes_the_former_day_grow(site, up, former, ends):
    await settle(site, 1, 2)
    yesterday = site.wazuh.next_day()
    await settle(site, 3, 4, 5)
    if former == "gzipped":
        compress(yesterday)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(lines(6))
        await pause()
        site.wazuh.clock_back()
        site.wazuh.write(lines(7, 8))
        if ends == "in the new day":
            await pause()
            site.wazuh.clock_forward()
            site.wazuh.write(lines(9))
    await restart_and_expect(site, *range(1, 9 if ends == "in the old day" else 10))


@DOWN_OR_UP
async def test_a_clock_that_trembles_around_midnight_makes_two_files_grow_in_turn(site, up):
    await settle(site, 1)
    site.wazuh.next_day()
    await settle(site, 2)
    async with site.maybe_tailing(up=up):
        for number in range(3, 15, 2):
            site.wazuh.clock_back()
            site.wazuh.write(lines(number))
            site.wazuh.clock_forward()
            site.wazuh.write(lines(number + 1))
            await pause()
    await restart_and_expect(site, *range(1, 15))


@DOWN_OR_UP
async def test_a_day_gzipped_again_after_the_clock_went_back_replaces_the_gzipped_file_of_before(site, up):
    """The old content is gone, and was read; what the clock's second pass added is all there is under that name."""
    await settle(site, 1, 2)
    compress(site.wazuh.next_day())
    await settle(site, 3)
    async with site.maybe_tailing(up=up):
        site.wazuh.clock_back()
        site.wazuh.write(lines(4, 5))
        await pause()
        compress(site.wazuh.clock_forward())
        site.wazuh.write(lines(6))
    await restart_and_expect(site, *range(1, 7))


@DOWN_OR_UP
async def test_a_time_zone_set_west_makes_a_day_grow_that_was_never_read_to_its_end(site, up):
    """The daemon stopped within the old day, and the writer has been in the new one and is back."""
    await settle(site, 1)
    site.wazuh.write(lines(2))
    async with site.maybe_tailing(up=up):
        site.wazuh.next_day()
        site.wazuh.write(lines(3))
        await pause()
        site.wazuh.clock_back()
        site.wazuh.write(lines(4))
        await pause()
        site.wazuh.next_day(days=2)
        site.wazuh.write(lines(5))
    await restart_and_expect(site, *range(1, 6))


async def test_a_daemon_that_starts_after_each_step_of_the_clock_reads_what_that_step_brought(site):
    await settle(site, 1)
    steps = [site.wazuh.next_day, site.wazuh.clock_back, site.wazuh.clock_forward, site.wazuh.clock_back, site.wazuh.clock_forward]
    for number, step in enumerate(steps, 2):
        step()
        await settle(site, number)
    await restart_and_expect(site, *range(1, 7))


# A number is missing when the writer starts again.


@DOWN_OR_UP
@pytest.mark.parametrize("what", ["gzipped", "deleted"])
@pytest.mark.parametrize("ends_at", [0, 1, 2, 3, 4], ids="in -{:03d}".format)
async def test_a_writer_that_finds_a_number_missing_makes_older_files_grow(site, up, what, ends_at):
    for number in range(4):
        await settle(site, number)
        first = site.wazuh.dated_path(1)
        if number < 3:
            site.wazuh.roll()
    compress(first) if what == "gzipped" else first.unlink()
    async with site.maybe_tailing(up=up):
        site.wazuh.write(lines(10))
        await pause()
        site.wazuh.restart()
        site.wazuh.write(lines(11))
        for number in range(ends_at):
            await pause()
            site.wazuh.roll()
            site.wazuh.write(lines(12 + number))
    assert site.wazuh.dated_path(2).read_bytes().startswith(line(2)), "it is the file of before"
    await restart_and_expect(site, *range(4), *range(10, 12 + ends_at))


@DOWN_OR_UP
async def test_a_missing_number_and_a_day_change_after_it(site, up):
    for number in range(3):
        await settle(site, number)
        site.wazuh.roll()
    await settle(site, 3)
    compress(site.wazuh.dated_path(2))
    async with site.maybe_tailing(up=up):
        site.wazuh.restart()
        assert site.wazuh.number == 1
        site.wazuh.write(lines(4))
        await pause()
        site.wazuh.roll()
        site.wazuh.write(lines(5))
        site.wazuh.next_day()
        site.wazuh.write(lines(6))
    await restart_and_expect(site, *range(7))


# monitord gzips the file that the writer still appends to.


STEP_SECONDS = 0.06
"""monitord's pace: it comes ten seconds after midnight, while the file is looked at each second."""


async def quiet_midnight(site, first, *, between=None):
    """Gzip the file of the day before while the writer still has it; then the new day begins. Writes the lines from `first` to `first` + 4."""
    gzipping = Gzipping(site.wazuh.dated)
    gzipping.begin()
    site.wazuh.write(lines(first))
    await pause(STEP_SECONDS)
    gzipping.finish()
    await pause(STEP_SECONDS)
    site.wazuh.write(lines(first + 1))
    gzipping.unlink()
    await pause(STEP_SECONDS)
    site.wazuh.write(lines(first + 2))
    if between is not None:
        await between()
    await pause(STEP_SECONDS)
    site.wazuh.write(lines(first + 3))
    site.wazuh.next_day()
    await pause(STEP_SECONDS)
    site.wazuh.write(lines(first + 4))


async def test_what_is_written_after_monitord_took_the_plain_name_away_is_read_from_the_file_held_open(site):
    await settle(site, 1, 2)
    async with site.tailing():
        await pause()
        await quiet_midnight(site, 3)
        await site.until_all_read(*range(1, 8))
    await restart_and_expect(site, *range(1, 8))


@pytest.mark.parametrize("end", ["stopped", "killed"])
async def test_a_restart_between_the_gzipping_and_the_next_link_loses_nothing(site, end):
    await settle(site, 1, 2)
    async with site.tailing():
        await pause()
        gzipping = Gzipping(site.wazuh.dated)
        gzipping.all()
        site.wazuh.write(lines(3))
        await site.until_all_read(1, 2, 3)
        if end == "killed":
            site.kill()
    site.wazuh.write(lines(4))
    async with site.tailing():
        await site.until_all_read(*range(1, 5), repeats=1)
        site.wazuh.write(lines(5))
        site.wazuh.next_day()
        site.wazuh.write(lines(6))
        await site.until_all_read(*range(1, 7), repeats=1)
    await restart_and_expect(site, *range(1, 7), repeats=1)


async def test_a_stop_while_the_gzipped_file_grows_loses_nothing(site):
    await settle(site, 1, 2)
    gzipping = Gzipping(site.wazuh.dated)
    gzipping.begin()
    await settle(site, 3)
    gzipping.finish()
    await settle(site, 4)
    gzipping.unlink()
    await settle(site, 5)
    async with site.tailing():
        await until(lambda: site.place.held)  # else the bytes are gone with the only name
        site.wazuh.write(lines(6))
        site.wazuh.next_day()
        site.wazuh.write(lines(7))
        await site.until_all_read(*range(1, 8))
    await restart_and_expect(site, *range(1, 8))


@pytest.mark.parametrize("midnights", [1, 2])
async def test_quiet_midnights_while_nothing_is_taken_from_a_full_mailbox_lose_nothing(site, midnights):
    await settle(site, 1)
    async with site.tailing():
        await pause()
        site.hold()
        for number in range(2, 10):  # more than fit into the mailbox
            site.wazuh.write(lines(number))
            await pause(STEP_SECONDS)
        for midnight in range(1, midnights + 1):
            await quiet_midnight(site, 10 * midnight)
        await pause()
        site.release()
        written = [first + number for first in range(10, 10 * midnights + 1, 10) for number in range(5)]
        await site.until_all_read(*range(1, 10), *written)
    await restart_and_expect(site, *range(1, 10), *written)


@DOWN_OR_UP
async def test_a_monitord_that_was_down_at_midnight_never_gzips_that_day(site, up):
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        for number in range(2, 8):
            site.wazuh.write(lines(number))
            former = site.wazuh.next_day()
            if number % 3:
                compress(former)
            await pause()
        site.wazuh.write(lines(8))
    await restart_and_expect(site, *range(1, 9))


@pytest.mark.parametrize("count", [1_000, 2_000, 3_000], ids="{} lines".format)
async def test_a_gzipped_file_that_is_overwritten_while_it_is_read_gives_what_is_in_it_by_now_and_nothing_mixed(site, count):
    """After a step of the clock monitord gzips another file of the same day over the first one. What was in that and not read yet is gone."""
    await settle(site, 0)
    former = site.wazuh.next_day()
    packed = former.with_name(f"{former.name}.gz")
    former.unlink()
    packed.write_bytes(gzip.compress(lines(*range(10_000, 12_000))))
    async with site.tailing():
        site.hold()
        await until(lambda: len(site.place.held) > 1 or site.place.file is not None)
        await pause(0.3)
        read = site.place.at.offset
        assert 0 < read < len(lines(*range(10_000, 12_000)))
        packed.write_bytes(gzip.compress(lines(*range(1, 1 + count))))
        site.release()
        await until(lambda: count in site.read)
    whole = set(range(10_000, 12_000)) | set(range(count + 1))
    assert set(range(count + 1)) <= set(site.read) <= whole
    assert len(site.read) == len(set(site.read))


async def test_the_gzipped_beginning_of_a_day_that_lost_its_name_before_it_was_read_is_no_file_of_its_own(site):
    """Quiet midnights while the broker is away: the gzipped file has few bytes, the open one that it was made of has them too and more."""
    await settle(site, 1)
    async with site.tailing():
        await pause()
        site.hold()
        for number in range(2, 10):
            site.wazuh.write(lines(number))
            await pause(STEP_SECONDS)
        site.wazuh.next_day()
        site.wazuh.write(line(20, 600))
        gzipping = Gzipping(site.wazuh.dated)
        gzipping.begin()
        site.wazuh.write(lines(21, 22))
        time.sleep(0.02)  # noqa: ASYNC251 - nothing may look at the files meanwhile
        gzipping.finish()
        gzipping.unlink()
        await pause(STEP_SECONDS)  # it is held, by the one name that it has now
        site.wazuh.next_day()
        site.wazuh.write(lines(23))
        await pause()
        site.release()
        await site.until_all_read(*range(1, 10), 20, 21, 22, 23)
    await restart_and_expect(site, *range(1, 10), 20, 21, 22, 23)


@pytest.mark.parametrize("begun", [True, False], ids=["begun", "empty"])
async def test_a_day_that_is_written_and_gzipped_between_a_read_and_a_survey_is_read_once(site, monkeypatch, begun):
    """The open file, without a name by now, and the gzipped one hold the same unread bytes."""
    await settle(site, 1)
    written = []

    async def after_a_day(folder, registry, held, since, survey=AlertFolder.survey):
        if not written and [file.path for file in held] == [str(site.wazuh.dated)]:
            written.append(4)
            site.wazuh.write(lines(4))
            compress(site.wazuh.next_day())
        return await survey(folder, registry, held, since)

    site.wazuh.next_day()
    if begun:
        site.wazuh.write(lines(3))
    async with site.tailing():
        if begun:
            await site.until_all_read(1, 3)
        monkeypatch.setattr(AlertFolder, "survey", after_a_day)
        await until(lambda: written)
    await restart_and_expect(site, 1, *([3] if begun else []), 4)


# What is configured is a symbolic link to alerts.json.


def link_to(site, how):
    """Let the configured path be a link in another folder; returns it."""
    folder = site.path.parent / "configured"
    folder.mkdir()
    target = site.wazuh.link if how != "relative" else os.path.relpath(site.wazuh.link, folder)
    link = folder / "alerts.json"
    link.symlink_to(target)
    if how == "chain":
        (folder / "second.json").symlink_to("alerts.json")
        link = folder / "second.json"
    site.path = link


@DOWN_OR_UP
@pytest.mark.parametrize("how", ["absolute", "relative", "chain"])
async def test_behind_a_symbolic_link_the_dated_files_are_found_beside_alerts_json(site, up, how):
    link_to(site, how)
    await settle(site, 1, 2)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(lines(3))
        compress(site.wazuh.next_day(gap=lambda: time.sleep(0.03)))
        site.wazuh.write(lines(4))
        await pause()
        site.wazuh.roll()
        site.wazuh.write(lines(5))
        site.wazuh.next_day()
        site.wazuh.write(lines(6))
    await restart_and_expect(site, *range(1, 7))


@DOWN_OR_UP
async def test_a_symbolic_link_that_is_set_to_the_alerts_json_of_another_folder_is_followed(site, up, tmp_path):
    """A site moves Wazuh's logs, and sets the link to where they are now."""
    link_to(site, "absolute")
    await settle(site, 1)
    (tmp_path / "moved").mkdir()
    with site_in(tmp_path / "moved") as moved:
        async with site.maybe_tailing(up=up):
            if up:  # else nobody knows where to look for it
                site.wazuh.write(lines(2))
            await pause()
            site.path.unlink()
            site.path.symlink_to(moved.wazuh.link)
            moved.wazuh.write(lines(3))
            await pause()
        async with site.tailing():
            await site.until_all_read(*((1, 2, 3) if up else (1, 3)))
