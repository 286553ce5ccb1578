"""What logrotate made of alerts.json while the daemon was down, whatever it is called and packed with: all of it is read, once."""

import lzma
import os
import re
import shutil
import time

import pytest

from support.logrotate import NAMES, PACKERS, Logrotate, RealLogrotate, pack
from support.site import DOWN_OR_UP, Site, lines, pause, restart_and_expect, settle
from support.wazuh_writer import add_files_of_others

pytestmark = [pytest.mark.integration, pytest.mark.anyio]
GROWN = pytest.mark.parametrize("last", [6, 9], ids=["smaller", "grown past the position"])


@pytest.fixture
def site(site):
    add_files_of_others(site.wazuh)
    return site


def need(packer):
    if packer == "zst" and shutil.which("zstd") is None:
        pytest.skip("zstd is not installed")


async def two_copytruncates(site, rotate, last=6):
    """Lines 3 and 4 end up in one copy each; the file has those from 5 to before `last` then."""
    site.wazuh.write(lines(3))
    await pause()
    rotate()
    await pause()
    site.wazuh.write(lines(4))
    await pause()
    rotate()
    await pause()
    site.wazuh.write(lines(*range(5, last)))


@GROWN
@pytest.mark.parametrize("names", NAMES)
async def test_two_copytruncates_while_down_are_read_whatever_the_copies_are_called(site, names, last):
    await settle(site, 1, 2)
    await two_copytruncates(site, Logrotate(site.path, names).copytruncate, last)
    await restart_and_expect(site, *range(1, last))


@pytest.mark.parametrize("delay", [False, True], ids=["compress", "delaycompress"])
@pytest.mark.parametrize("names", ["default", "extension .json"])
@pytest.mark.parametrize("packer", PACKERS)
async def test_two_copytruncates_while_down_are_read_whatever_packed_the_copies(site, packer, names, delay):
    need(packer)
    await settle(site, 1, 2)
    await two_copytruncates(site, Logrotate(site.path, names, pack=packer, delay=delay).copytruncate)
    await restart_and_expect(site, *range(1, 6))


@pytest.mark.parametrize("names", ["default", "dateformat -%Y%m%dT%H%M%S, extension .json"])
@pytest.mark.parametrize("packer", [None, "gz", "xz"])
async def test_copies_that_are_made_while_the_daemon_reads_come_neither_short_nor_twice(site, names, packer):
    await settle(site, 1, 2)
    async with site.maybe_tailing(up=True):
        await two_copytruncates(site, Logrotate(site.path, names, pack=packer).copytruncate, last=9)
    await restart_and_expect(site, *range(1, 9))


@pytest.mark.parametrize("packer", [None, "gz", "xz"])
async def test_copytruncates_on_both_sides_of_a_day_change_while_down(site, packer):
    await settle(site, 1, 2)
    logrotate = Logrotate(site.path, "extension .json", pack=packer)
    await two_copytruncates(site, logrotate.copytruncate)
    await pause()
    site.wazuh.next_day()
    site.wazuh.write(lines(6))
    await pause()
    logrotate.copytruncate()
    site.wazuh.write(lines(7))
    await restart_and_expect(site, *range(1, 8))


async def test_a_copy_that_somebody_made_by_hand_is_not_read_again(site):
    await settle(site, 1, 2)
    shutil.copyfile(site.path, site.path.with_name("alerts-before-the-upgrade.json"))
    site.wazuh.write(lines(3))
    pack(shutil.copy2(site.path, site.path.with_name("alerts.2.json")), "xz")
    site.wazuh.write(lines(4))
    await restart_and_expect(site, 1, 2, 3, 4)


@DOWN_OR_UP
@pytest.mark.parametrize("packer", [None, "gz", "zst"])
async def test_a_writer_without_dated_files_whose_file_is_renamed_and_created_again(tmp_path, up, packer):
    need(packer)
    site = Site(tmp_path, None)
    site.path.write_bytes(lines(1, 2))
    async with site.tailing():
        await site.until_all_read(1, 2)
    logrotate = Logrotate(site.path, "extension .json", pack=packer)
    async with site.maybe_tailing(up=up):
        for number in (3, 4):
            with site.path.open("ab") as file:
                file.write(lines(number))
            await pause()
            logrotate.create()
            await pause()
        site.path.write_bytes(lines(5))
    await restart_and_expect(site, *range(1, 6))


@DOWN_OR_UP
async def test_wazuh_writes_on_in_the_file_that_logrotate_renamed_until_the_next_day(site, up):
    """With `create` alerts.json is an empty file that nobody writes to; the dated name is the only way to what is written."""
    await settle(site, 1, 2)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(lines(3))
        Logrotate(site.path, "extension .json").create()
        await pause()
        site.wazuh.write(lines(4))
        await pause()
        site.wazuh.next_day()
        site.wazuh.write(lines(5))
    await restart_and_expect(site, *range(1, 6))


REAL = {
    "default": ["copytruncate"],
    "extension .json": ["copytruncate", "extension .json"],
    "extension .json, gzip": ["copytruncate", "extension .json", "compress"],
    "xz": ["copytruncate", "extension .json", "compress", "compresscmd /usr/bin/xz", "compressext .xz"],
    "zstd": ["copytruncate", "compress", "compresscmd /usr/bin/zstd", "compressext .zst"],
    "bzip2, delaycompress": ["copytruncate", "compress", "delaycompress", "compresscmd /usr/bin/bzip2", "compressext .bz2"],
    "seconds": ["copytruncate", "dateext", "dateformat -%Y%m%dT%H%M%S", "extension .json"],
}


NEEDS_LOGROTATE = pytest.mark.skipif(
    shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin") is None, reason="logrotate is not installed"
)


@NEEDS_LOGROTATE
@pytest.mark.parametrize("names", NAMES)
async def test_the_simulated_names_are_those_that_logrotate_gives(tmp_path, names):
    simulated, real = tmp_path / "simulated" / "alerts.json", tmp_path / "real" / "alerts.json"
    for path in (simulated, real):
        path.parent.mkdir()
        path.write_bytes(lines(1))
    Logrotate(simulated, names).copytruncate()
    directives = [] if names == "default" else names.split(", ")
    RealLogrotate(real, "copytruncate", *(["dateext"] if "date" in names else []), *directives).rotate()
    assert [re.sub(r"\d", "0", path.name) for path in sorted(simulated.parent.glob("alerts*"))] == [
        re.sub(r"\d", "0", path.name) for path in sorted(real.parent.glob("alerts*"))
    ]


@NEEDS_LOGROTATE
@pytest.mark.parametrize("directives", REAL.values(), ids=REAL)
async def test_the_real_logrotate(site, directives):
    commands = [directive.split()[1] for directive in directives if directive.startswith("compresscmd")]
    if not all(map(os.path.exists, commands)):
        pytest.skip(f"{commands} is not installed")
    await settle(site, 1, 2)
    logrotate, last = RealLogrotate(site.path, *directives), [0.0]

    def rotate():
        if "dateext" in directives:  # a name that is there is passed over
            time.sleep(max(0.0, last[0] + 1.01 - time.time()))
        logrotate.rotate()
        last[0] = time.time()

    await two_copytruncates(site, rotate)
    await restart_and_expect(site, *range(1, 6))


# Copies that can't be unpacked.


UNREADABLE = {
    "lz4": lambda data: b"\x04\x22\x4d\x18\x64\x40\xa7" + data[:500],
    "Z": lambda data: b"\x1f\x9d\x90" + data[:500],
    "xz": lambda data: lzma.compress(data)[:80],
    "gz": lambda data: b"\x1f\x8b\x08\x00garbage" + data[:200],
}


@DOWN_OR_UP
@pytest.mark.parametrize("packer", UNREADABLE)
async def test_a_copy_that_can_not_be_unpacked_is_named_and_all_else_is_read(site, packer, up):
    await settle(site, 1, 2)
    async with site.maybe_tailing(up=up):
        site.wazuh.write(lines(3))
        if up:
            await site.until_all_read(1, 2, 3)
        else:
            site.read.append(3)  # this one can't be saved
        copy = Logrotate(site.path).copytruncate()
        packed = copy.with_name(f"alerts.json.1.{packer}")
        packed.write_bytes(UNREADABLE[packer](copy.read_bytes()))
        copy.unlink()
        await pause()
        site.wazuh.write(lines(4))
        await pause()
        site.wazuh.next_day()
        site.wazuh.write(lines(5))
        if up:
            await site.until_problem(packed.name)
    async with site.tailing():
        if not up:
            await site.until_problem(packed.name)
        await site.until_all_read(*range(1, 6), scraps=5, repeats=1)  # of some formats the line can be saved


async def test_a_damaged_dated_file_is_named_and_all_else_is_read(site):
    await settle(site, 1)
    site.wazuh.write(lines(2))
    former = site.wazuh.next_day()
    site.wazuh.write(lines(3))
    former.with_name(f"{former.name}.gz").write_bytes(UNREADABLE["gz"](former.read_bytes()))
    former.unlink()
    async with site.tailing():
        await site.until_problem(f"{former.name}.gz")
        await site.until_all_read(1, 3)
