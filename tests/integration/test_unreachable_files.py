"""Files that can't be reached by the usual way: a mounted or replaced alerts.json, missing permissions. It is told, and all else is read."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest

from support.site import DOWN_OR_UP, NOBODY, lines, pause, restart_and_expect, settle, site_in, without_privileges
from support.wazuh_writer import compress

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


# alerts.json stands still.


@contextmanager
def bind_mount(source, target):
    done = subprocess.run(["mount", "--bind", source, target], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount --bind is not allowed here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", target], check=True)


@pytest.fixture
def mounted(site, tmp_path):
    """alerts.json alone is mounted into what the daemon sees."""
    inside = tmp_path / "container" / "alerts.json"
    inside.parent.mkdir()
    inside.touch()
    with bind_mount(site.path, inside):
        site.path = inside
        yield site


@DOWN_OR_UP
async def test_an_alerts_json_that_is_mounted_alone_is_a_problem_from_the_day_change_on(mounted, up):
    await settle(mounted, 1)
    async with mounted.maybe_tailing(up=up):
        mounted.wazuh.next_day()
        mounted.wazuh.write(lines(2))
        if up:
            await mounted.until_problem("mount", mounted.path)
    async with mounted.tailing():
        await mounted.until_problem("mount", mounted.path)
        await pause()
        assert mounted.problems, "it is not healthy after a while either"


async def test_a_folder_that_is_mounted_as_a_whole_is_no_problem(site, tmp_path):
    inside = tmp_path.parent / f"{tmp_path.name}-container"
    inside.mkdir()
    with bind_mount(tmp_path, inside):
        site.path = inside / "alerts.json"
        await settle(site, 1)
        async with site.tailing():
            await pause()
            site.wazuh.write(lines(2))
            site.wazuh.next_day()
            site.wazuh.write(lines(3))
            await site.until_all_read(1, 2, 3)
            assert site.problems == []
        await restart_and_expect(site, 1, 2, 3)


@DOWN_OR_UP
@pytest.mark.parametrize("what", ["a copy", "the file of an old day"])
async def test_if_alerts_json_stands_still_while_dated_files_grow_they_are_read_and_it_is_a_problem(site, up, what):
    await settle(site, 1)
    async with site.maybe_tailing(up=up):
        if what == "a copy":
            content = site.path.read_bytes()
            site.path.unlink()
            site.path.write_bytes(content)
        site.wazuh.write(lines(2))
        await pause()
        for number in (3, 4):
            site.wazuh.next_day_without_link()
            site.wazuh.write(lines(number))
            await pause()
        if up:
            await site.until_problem(site.path)
    async with site.tailing():
        await site.until_all_read(1, 2, 3, 4)
        await site.until_problem(site.path)
        site.wazuh.next_day()
        site.wazuh.write(lines(5))
        await site.until_all_read(1, 2, 3, 4, 5)
        await anyio.sleep(0.2)
        assert site.problems == [], "alerts.json is linked to the newest file again"
    await restart_and_expect(site, 1, 2, 3, 4, 5)


# Files that may not be read.


@pytest.fixture
def open_site():
    """A site in a folder that another user can enter, unlike pytest's own."""
    with TemporaryDirectory(prefix="site-") as folder:
        Path(folder).chmod(0o755)
        with site_in(Path(folder)) as site:
            yield site


def give_state_to_nobody(site):
    for path in (site.checkpoint.parent, *site.checkpoint.parent.iterdir()):
        os.chown(path, NOBODY, NOBODY) if os.geteuid() == 0 else None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take rights away from itself")
@pytest.mark.parametrize("restarts", [False, True], ids=["", "after a restart"])
@pytest.mark.parametrize("what", ["a plain file", "a gzipped file", "a folder"])
async def test_a_dated_file_that_may_not_be_read_is_named_and_all_else_is_read_and_it_too_once_it_may(open_site, what, restarts):
    site = open_site
    site.wazuh.next_day()  # the last of January, so that the folder of the month before is not needed any more
    await settle(site, 1)
    if what == "a folder":
        site.wazuh.write(lines(2))
        forbidden = site.wazuh.next_day().parent
    else:
        site.wazuh.next_day()
        site.wazuh.write(lines(2))
        forbidden = site.wazuh.next_day()
    if what == "a gzipped file":
        compress(forbidden)
        forbidden = forbidden.with_name(f"{forbidden.name}.gz")
    site.wazuh.write(lines(3))
    mode = forbidden.stat().st_mode
    forbidden.chmod(0)
    for path in (site.checkpoint.parent, *site.checkpoint.parent.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    with without_privileges():
        async with site.tailing():
            await site.until_problem(forbidden)
            site.wazuh.write(lines(4))
            await site.until_all_read(1, 3, 4)
            if not restarts:
                os.seteuid(0)
                forbidden.chmod(mode)
                os.seteuid(NOBODY)
                await site.until_all_read(1, 2, 3, 4)
    forbidden.chmod(mode)
    await restart_and_expect(site, 1, 2, 3, 4)
