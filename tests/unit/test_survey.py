"""A survey of real files, some of which change while it looks at them."""

import gzip
import time

import pytest

from wazuh_dfn.adapters.local_disk import LocalDisk
from wazuh_dfn.messages import Fingerprint, Position
from wazuh_dfn.tailing.alert_file import AlertFolder
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
