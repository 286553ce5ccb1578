"""Lines as Wazuh's writer leaves them: of several MiB, written slowly, torn by a full disk or a kill, and glued to the next one."""

import anyio
import pytest

from support.site import DOWN_OR_UP, line, lines, pause, restart_and_expect, settle
from support.wazuh_writer import compress

pytestmark = [pytest.mark.integration, pytest.mark.anyio]
KIB = 1024
LIMIT = 4 * 1024 * KIB
"""Of a line with its line feed."""


LONG = {
    "256 KiB": 256 * KIB,
    "256 KiB and 1": 256 * KIB + 1,
    "438,091": 438_091,
    "769 KB": 769_000,
    "1,626,091": 1_626_091,
    "3.4 MB": 3_400_000,
    "4 MiB less 1": LIMIT - 1,
    "4 MiB": LIMIT,
}


@DOWN_OR_UP
@pytest.mark.parametrize("length", LONG.values(), ids=LONG)
async def test_a_long_line_is_handed_on_whole_between_its_neighbours(site, length, up):
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(lines(2) + line(3, length) + lines(4))
    await restart_and_expect(site, 1, 2, 3, 4)
    assert site.read == [1, 2, 3, 4]


async def test_many_long_lines_in_a_row_are_handed_on_whole(site):
    await settle(site, 1)
    lengths = [length for length in LONG.values() if length < LIMIT - 1]
    for number, length in enumerate(lengths, 2):
        site.wazuh.write(line(number, length))
    await restart_and_expect(site, *range(1, 2 + len(lengths)))


@pytest.mark.parametrize("length", [438_091, 3_400_000], ids="{:,}".format)
@pytest.mark.parametrize("parts", [2, 9, 40])
async def test_a_long_line_that_is_written_slowly_is_handed_on_whole(site, length, parts):
    data = line(2, length) + lines(3)
    await settle(site, 1)
    async with site.tailing():
        for number in range(parts):
            site.wazuh.write(data[len(data) * number // parts : len(data) * (number + 1) // parts])
            await anyio.sleep(0.02)
        await site.until_all_read(1, 2, 3)
    await restart_and_expect(site, 1, 2, 3)


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_a_restart_within_a_long_line_begins_it_again(site, how):
    data = line(2, 3_400_000)
    await settle(site, 1)
    async with site.tailing():
        site.wazuh.write(data[:2_000_000])
        await pause()
        if how == "killed":
            site.kill()
    site.wazuh.write(data[2_000_000:] + lines(3))
    await restart_and_expect(site, 1, 2, 3)


@DOWN_OR_UP
@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("length", [300 * KIB, 3_400_000], ids=["300 KiB", "3.4 MB"])
async def test_a_long_line_at_the_end_of_a_rotated_file_is_handed_on_whole(site, length, gzipped, up):
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        data = line(2, length)
        site.wazuh.write(data[: length // 2])
        await pause()
        site.wazuh.write(data[length // 2 :])
        former = site.wazuh.next_day()
        if gzipped:
            compress(former)
        site.wazuh.write(lines(3))
    await restart_and_expect(site, 1, 2, 3)


@DOWN_OR_UP
@pytest.mark.parametrize("length", [LIMIT + KIB, 2 * LIMIT, 3 * LIMIT + 5], ids=["just over", "twice", "three times"])
@pytest.mark.parametrize("rotates", [False, True], ids=["", "at the end of a file"])
async def test_a_line_over_4_mib_is_marked_and_its_neighbours_are_whole(site, length, rotates, up):
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(lines(2) + b"x" * (length - 1) + b"\n")
        if rotates:
            await pause()
            site.wazuh.next_day()
        site.wazuh.write(lines(3))
    await restart_and_expect(site, 1, 2, b"oversize", 3)
    assert site.read == [1, 2, b"oversize", 3]


async def test_a_line_over_4_mib_that_is_written_slowly_is_marked_once(site):
    await settle(site, 1)
    async with site.tailing():
        for _ in range(20):
            site.wazuh.write(b"x" * 300_000)
            await anyio.sleep(0.02)
        site.wazuh.write(b"\n" + lines(2))
        await site.until_all_read(1, b"oversize", 2)
    assert site.read == [1, b"oversize", 2]


# Torn lines: a full disk or a `kill -9` takes the end of one away.


TORN = line(900)[:700]
"""The beginning of a line that never gets its end."""


@DOWN_OR_UP
@pytest.mark.parametrize("torn", [1, 500, 1_107], ids="after {} bytes".format)
async def test_the_alert_that_is_glued_to_a_torn_one_is_handed_on_with_it(site, up, torn):
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(line(900)[:torn])
        await pause()
        site.wazuh.write(lines(2, 3))
    await restart_and_expect(site, 1, 2, 3)


@DOWN_OR_UP
@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzipped"])
async def test_torn_lines_before_and_after_each_rotation_cost_no_other_line(site, up, gzipped):
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        for number in range(2, 8, 2):
            site.wazuh.write(TORN + line(number) + TORN)
            await pause()
            former = site.wazuh.next_day()
            if gzipped:
                compress(former)
            site.wazuh.write(TORN + line(number + 1))
            await pause()
        site.wazuh.write(lines(8))
    await restart_and_expect(site, *range(1, 9), scraps=3)


@DOWN_OR_UP
@pytest.mark.parametrize("gap", [False, True], ids=["at once", "after another day's lines"])
async def test_behind_a_partial_last_line_to_which_the_writer_comes_back_all_is_read(site, up, gap):
    """The disk was full, then the clock went back over midnight; what is appended is glued to the torn line."""
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(lines(2) + TORN)
        await pause()
        site.wazuh.next_day()
        if gap:
            site.wazuh.write(lines(3))
            await pause()
        site.wazuh.clock_back()
        site.wazuh.write(lines(4, 5))
        await pause()
        site.wazuh.next_day()
        site.wazuh.write(lines(6))
    await restart_and_expect(site, *([1, 2, 3, 4, 5, 6] if gap else [1, 2, 4, 5, 6]), scraps=1)


@DOWN_OR_UP
async def test_behind_a_partial_last_line_of_a_numbered_file_that_is_continued_after_a_restart_all_is_read(site, up):
    await settle(site, 1)
    site.wazuh.roll()
    await settle(site, 2)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(TORN)
        await pause()
        site.wazuh.restart()
        assert site.wazuh.number == 1
        site.wazuh.write(lines(3))
        await pause()
        site.wazuh.roll()
        site.wazuh.write(lines(4) + TORN)
        await pause()
        site.wazuh.dated_path(1).unlink()
        site.wazuh.restart()
        site.wazuh.write(lines(5))
        site.wazuh.roll()
        site.wazuh.write(lines(6))
        await pause()
        site.wazuh.roll()
        assert site.wazuh.number == 2
        site.wazuh.write(lines(7))
    if not up:
        site.read.append(3)  # it was deleted before anybody could read it
    await restart_and_expect(site, *range(1, 8), scraps=2)
