"""Where the very first start begins, with old files lying about; and restarts after hundreds of files: nothing old is read, nothing new is lost."""

import os
import time

import anyio
import pytest

from support.site import DOWN_OR_UP, lines, pause, restart_and_expect, settle, site_in
from support.wazuh_writer import add_files_of_others, compress
from wazuh_dfn.tailing.registry import KEPT_FILES

pytestmark = [pytest.mark.integration, pytest.mark.anyio]
DAY_SECONDS = 86_400
MANY = 400


def dated_files(site):
    return sorted(site.wazuh.folder.glob("20*/*/ossec-alerts-??*.json*"))


def write_old_files(site):
    """Six old days with the lines 900 to 905, each second one gzipped, written to when their names say; alerts.json has 906 then."""
    for number in range(900, 907):
        site.wazuh.write(lines(number))
        path = site.wazuh.dated
        if number < 906:
            site.wazuh.next_day()
        if number % 2:
            compress(path)
            path = path.with_name(f"{path.name}.gz")
        written = time.time() - (907 - number) * DAY_SECONDS
        os.utime(path, (written, written))
    add_files_of_others(site.wazuh)


@pytest.fixture
def old_site(site):
    write_old_files(site)
    return site


async def test_a_first_start_at_the_end_reads_no_line_that_is_there(old_site):
    async with old_site.tailing("end"):
        await pause()
        old_site.wazuh.write(lines(1))
        await old_site.until_all_read(1)
    await restart_and_expect(old_site, 1)


async def test_a_first_start_at_the_beginning_reads_the_current_file_alone(old_site):
    async with old_site.tailing("beginning"):
        await old_site.until_all_read(906)
    old_site.wazuh.next_day()
    old_site.wazuh.write(lines(1))
    await restart_and_expect(old_site, 906, 1)


@DOWN_OR_UP
@pytest.mark.parametrize("what", ["touched", "gzipped", "copied back"])
async def test_an_old_file_is_not_read_because_its_time_or_inode_is_new(old_site, up, what):
    async with old_site.tailing("end"):
        await pause()
    async with old_site.maybe_tailing(up=up):
        for path in dated_files(old_site):
            if what == "touched":
                path.touch()
            elif what == "gzipped" and path.suffix == ".json" and not path.samefile(old_site.path):
                compress(path)
            elif what == "copied back" and not path.samefile(old_site.path):
                content = path.read_bytes()
                path.unlink()
                path.write_bytes(content)
        await pause()
        old_site.wazuh.write(lines(1))
        old_site.wazuh.next_day()
        old_site.wazuh.write(lines(2))
    await restart_and_expect(old_site, 1, 2)


@DOWN_OR_UP
@pytest.mark.parametrize("days", [1, 2], ids=["gzipped", "plain"])
async def test_of_an_old_file_to_which_the_writer_goes_back_only_what_it_appends_is_read(old_site, up, days):
    async with old_site.tailing("end"):
        await pause()
    async with old_site.maybe_tailing(up=up):
        old_site.wazuh.write(lines(1))
        await pause()
        old_site.wazuh.clock_back(days)
        old_site.wazuh.write(lines(2, 3))
        await pause()
        old_site.wazuh.clock_forward(days)
        old_site.wazuh.write(lines(4))
    await restart_and_expect(old_site, 1, 2, 3, 4)


@DOWN_OR_UP
async def test_a_copytruncate_of_what_the_first_start_passed_over_brings_none_of_it(old_site, up):
    async with old_site.tailing("end"):
        await pause()
    async with old_site.maybe_tailing(up=up):
        old_site.wazuh.write(lines(1))
        await pause()
        (old_site.path.parent / "alerts.json.1").write_bytes(old_site.path.read_bytes())
        os.truncate(old_site.path, 0)
        await pause()
        old_site.wazuh.write(lines(2))
    await restart_and_expect(old_site, 1, 2)


@pytest.mark.parametrize("end", ["stopped", "killed"])
@pytest.mark.parametrize("start_at", ["end", "beginning"])
async def test_an_alerts_json_that_appears_after_a_first_start_without_it_is_new(tmp_path, end, start_at):
    with site_in(tmp_path) as site:
        site.wazuh.close()
        site.path.unlink()
        site.wazuh.dated.unlink()
        async with site.tailing(start_at):
            await site.until_problem(site.path)
            if end == "killed":
                site.kill()
        site.wazuh.open_dated()
        site.wazuh.write(lines(1))
        async with site.tailing(start_at):
            await site.until_all_read(1)
        await restart_and_expect(site, 1)


async def test_a_first_start_while_there_is_no_alerts_json_reads_no_old_file(old_site):
    former = old_site.wazuh.dated
    os.utime(former)
    old_site.path.unlink()
    async with old_site.tailing("end"):
        await old_site.until_problem(old_site.path)
        old_site.wazuh.next_day()
        old_site.wazuh.write(lines(1))
        await old_site.until_all_read(1)
    await restart_and_expect(old_site, 1)


async def test_a_first_start_that_is_killed_before_it_saved_anything_but_its_beginning_leaves_nothing_out(old_site):
    async with old_site.tailing("end"):
        await pause()
        old_site.kill()
    old_site.wazuh.write(lines(1))
    compress(old_site.wazuh.next_day())
    old_site.wazuh.write(lines(2))
    async with old_site.tailing("end"):
        await old_site.until_all_read(1, 2)


# Hundreds of files.


def write_many(site):
    for number in range(1, MANY + 1):
        site.wazuh.write(lines(number))
        site.wazuh.next_day()


@pytest.mark.parametrize("how", ["by number", "by day"])
async def test_after_hundreds_of_files_that_were_read_a_restart_reads_what_is_new(site, how):
    await settle(site, 0)
    async with site.tailing():
        for number in range(1, MANY + 1):
            site.wazuh.write(lines(number))
            site.wazuh.roll() if how == "by number" else site.wazuh.next_day()
            if number % 10 == 0:
                await anyio.sleep(0.01)
        await site.until_all_read(*range(MANY + 1))
    assert site.checkpoint.stat().st_size < 192 * 1024
    site.wazuh.write(lines(1_000))
    site.wazuh.next_day()
    site.wazuh.write(lines(1_001))
    await restart_and_expect(site, *range(MANY + 1), 1_000, 1_001)


async def test_hundreds_of_files_that_were_written_while_the_daemon_was_down_are_read_once(site):
    await settle(site, 0)
    write_many(site)
    site.wazuh.write(lines(1_000))
    await restart_and_expect(site, *range(MANY + 1), 1_000)
    assert site.checkpoint.stat().st_size < 192 * 1024


@pytest.mark.parametrize(("what", "up"), [("gzipped", False), ("gzipped", True), ("touched", False)])
async def test_files_read_long_ago_are_not_read_again_when_the_site_gzips_or_touches_them(site, up, what):
    """More files than any record of them can be expected to hold."""
    await settle(site, 0)
    write_many(site)
    async with site.tailing():
        await site.until_all_read(*range(MANY + 1))
    async with site.maybe_tailing(up=up):
        for path in dated_files(site)[: MANY // 2]:
            compress(path) if what == "gzipped" else path.touch()
        site.wazuh.write(lines(1_000))
    # A plain file that was forgotten and is newer now may have been written to: that it is read again loses nothing.
    repeats = MANY - KEPT_FILES if what == "touched" else 0
    await restart_and_expect(site, *range(MANY + 1), 1_000, repeats=repeats)
