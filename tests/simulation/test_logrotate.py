"""The simulated logrotate names and compresses as the real one can be told to."""

import pytest

from simulation.compression import PACK, unpacked
from simulation.logrotate import NAMINGS
from simulation.places import ALERTS, FIRST_DAY, FOLDER
from simulation.test_world import begin, in_world, play


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("suffix", PACK)
def test_logrotates_names(naming, suffix):
    expected = {
        "number": "alerts.json.1",
        "number before the extension": "alerts.1.json",
        "date": "alerts.json-20260130",
        "date and time": "alerts.json-20260130T000000",
        "date with underscore": "alerts.json_20260130",
        "date before the extension": "alerts-20260130.json",
    }[naming]

    async def rotate(world):
        world.naming, world.compression = naming, suffix
        await begin(world)
        world.set_clock(FIRST_DAY)
        content = bytes(world.disk.names[ALERTS].data)
        world.wazuh.random.random = lambda: 0.0
        await play(world.wazuh._copytruncate())
        path = FOLDER / f"{expected}{suffix}"
        assert unpacked(path.name, world.disk.names[path].data) == content
        assert world.disk.names[ALERTS].data == b""

    in_world(rotate)


def test_logrotate_renames_where_there_are_no_dated_files():
    async def rotate(world):
        world.has_dated_files = False
        await begin(world)
        former = world.disk.names[ALERTS]
        world.wazuh.random.random = lambda: 1.0
        await play(world.wazuh._logrotate_create())
        await play(world.wazuh._write_burst())
        assert world.disk.names[FOLDER / "alerts.json.1"] is former
        assert world.wazuh.generation.inode is world.disk.names[ALERTS] is not former

    in_world(rotate)
