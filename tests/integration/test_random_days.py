"""Random days of a Wazuh site: its writer, its clock, monitord, and a daemon that starts and stops; each line is read once. By seed."""

from contextlib import AsyncExitStack
from random import Random

import pytest

from support.site import lines, pause, restart_and_expect, settle, site_in
from support.wazuh_writer import add_files_of_others, compress

pytestmark = [pytest.mark.integration, pytest.mark.anyio]
STEPS = 40


class Days:
    """Takes random steps that Wazuh takes, all of which leave every line somewhere on the disk."""

    def __init__(self, site, random):
        self.site = site
        self.random = random
        self.number = 0
        self._days_back = 0
        self._former = set()

    def write(self):
        count = self.random.randint(1, 3)
        self.site.wazuh.write(lines(*range(self.number + 1, self.number + 1 + count)))
        self.number += count

    def step(self):
        what = self.random.choice(["roll", "day", "back", "forward", "restart", "gzip", "nothing", "nothing"])
        writer = self.site.wazuh
        if what == "roll":
            self._former.add(writer.roll())
        elif what == "day" and not self._days_back:
            self._former.add(writer.next_day())
        elif what == "back" and self._days_back < 2:
            self._former.add(writer.clock_back())
            self._days_back += 1
        elif what == "forward" and self._days_back:
            self._former.add(writer.clock_forward())
            self._days_back -= 1
        elif what == "restart":
            writer.restart()
        elif what == "gzip":
            self._gzip()

    def _gzip(self):
        """None a second time: what the first gzipped file had would be gone."""
        for path in sorted(self._former):
            if path.exists() and path != self.site.wazuh.dated and not path.with_name(f"{path.name}.gz").exists():
                compress(path)
                return


@pytest.mark.parametrize("seed", range(12))
async def test_random_days_lose_and_repeat_nothing(tmp_path, seed):
    random = Random(seed)
    with site_in(tmp_path) as site:
        add_files_of_others(site.wazuh)
        await settle(site, 0)
        days = Days(site, random)
        for _ in range(STEPS // 10):
            async with AsyncExitStack() as life:
                if random.random() < 0.6:
                    await life.enter_async_context(site.tailing())
                for _ in range(10):
                    days.step()
                    days.write()
                    if random.random() < 0.5:
                        await pause()
        await restart_and_expect(site, *range(days.number + 1))
