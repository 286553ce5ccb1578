"""The log's own rules: repetitions are folded, priorities for the journal, the file and who rotates it, and no alert content."""

import json
import logging
import os
import subprocess
import sys
import time

import pytest
import structlog

from wazuh_dfn.config.settings import Settings
from wazuh_dfn.errors import ConfigurationError, in_brief
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode
from wazuh_dfn.logs import configure_logs, set_level
from wazuh_dfn.logs.folding import MOST_KINDS, FoldingHandler
from wazuh_dfn.logs.rendering import formatter


class Lines(logging.Handler):
    def __init__(self):
        super().__init__()
        self.setFormatter(formatter("json"))
        self.lines = []

    def emit(self, record):
        self.lines.append(json.loads(self.format(record)))

    def events(self):
        return [(line["event"], line.get("repeated")) for line in self.lines]


@pytest.fixture
def lines():
    return Lines()


def handler_with(lines, seconds):
    folding = FoldingHandler([lines], seconds)
    configure_logs(Settings.model_validate({"log": {"console": False}}))
    logging.getLogger().handlers[:] = [folding]
    return folding


def log():
    return structlog.get_logger("some.module")


def test_the_first_of_repeated_errors_is_told_at_once_and_the_others_as_one_line_with_their_number(lines):
    folding = handler_with(lines, 60)
    for offset in range(1_000):
        log().error("line dead-lettered", stage="malformed", reason=f"the line is no JSON: at character {offset}", offset=offset)
    assert lines.events() == [("line dead-lettered", None)]
    folding.flush()
    assert lines.events() == [("line dead-lettered", None), ("line dead-lettered", 999)]
    assert lines.lines[-1]["offset"] == 999


def test_the_number_is_told_when_the_time_is_over_although_nothing_else_is_logged(lines):
    handler_with(lines, 0.2)
    for _ in range(3):
        log().warning("broker unavailable", reason="refused")
    end = time.monotonic() + 60
    while len(lines.lines) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert lines.events() == [("broker unavailable", None), ("broker unavailable", 2)]


def test_what_goes_on_is_one_line_in_each_window_and_what_pauses_begins_anew(lines):
    handler_with(lines, 0.3)
    began = time.monotonic()
    while len(lines.lines) < 3 and time.monotonic() < began + 60:
        log().warning("again")
        time.sleep(0.01)
    assert len(lines.lines) == 3
    assert time.monotonic() - began >= 2 * 0.3
    time.sleep(0.7)
    log().warning("again")
    assert lines.events()[-1] == ("again", None)


@pytest.mark.parametrize("field", ["reason", "stage"])
def test_another_reason_or_stage_is_another_error(lines, field):
    handler_with(lines, 60)
    for value in ("a", "b"):
        log().error("line dead-lettered", **{field: value})
    assert len(lines.lines) == 2


def test_another_address_is_another_reason(lines):
    handler_with(lines, 60)
    for port in (9092, 9093):
        log().error("broker unavailable", reason=f"127.0.0.1:{port} refuses connections")
    assert len(lines.lines) == 2


def test_neither_information_nor_tracebacks_nor_restarts_with_different_causes_are_folded(lines):
    handler_with(lines, 60)
    for _ in range(2):
        log().info("statistics")
        log().error("crash", exc_info=ValueError("x"))
    assert len(lines.lines) == 4


def test_lines_of_other_libraries_are_folded_too(lines):
    folding = handler_with(lines, 60)
    for number in range(3):
        logging.getLogger("other").warning("slow: %s", "disk", extra={"n": number})
    folding.close()
    assert [line["event"] for line in lines.lines] == ["slow: disk", "slow: disk (repeated 2 times)"]


def test_very_many_kinds_of_error_are_not_remembered_for_ever(lines):
    folding = handler_with(lines, 60)
    for number in range(MOST_KINDS + 50):
        log().error("x", reason=f"kind{number}")
    assert len(folding._seen) == MOST_KINDS


def run_with_journal(code, **settings):
    """Run code in a process whose stderr looks like the journal's stream."""
    reading, writing = os.pipe()
    status = os.fstat(writing)
    text = (
        "import structlog\nfrom wazuh_dfn.logs import configure_logs\nfrom wazuh_dfn.config.settings import Settings\n"
        f"configure_logs(Settings.model_validate({{'log': {settings!r}}}))\nlog = structlog.get_logger('x')\n{code}"
    )
    environment = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    with os.fdopen(reading, "rb") as stream:
        done = subprocess.run([sys.executable, "-c", text], stderr=writing, env=environment, check=False)
        os.close(writing)
        assert done.returncode == 0
        return stream.read().decode().splitlines()


def test_lines_for_the_journal_begin_with_their_priority_and_leave_the_time_to_it():
    lines = run_with_journal("log.debug('a'); log.info('b'); log.warning('c'); log.error('d'); log.critical('e')", level="DEBUG")
    assert [line[:3] for line in lines] == ["<7>", "<6>", "<4>", "<3>", "<2>"]
    assert not [line for line in lines if "timestamp" in line]
    assert json.loads(run_with_journal("log.error('d')", format="json")[0].removeprefix("<3>"))["event"] == "d"
    several = run_with_journal("log.error('d', exc_info=ValueError('x'))", format="console")
    assert len(several) > 1
    assert all(line.startswith("<3>") for line in several)


def test_the_log_file_is_rotated_and_as_many_are_kept_as_configured(tmp_path, monkeypatch):
    monkeypatch.setattr("wazuh_dfn.logs.log_file.FILE_BYTES", 2_000)
    path = tmp_path / "new" / "log"
    configure_logs(Settings.model_validate({"log": {"console": False, "file_path": path, "keep_files": 2}}))
    for number in range(200):
        log().info("some event", number=number)
    assert sorted(each.name for each in path.parent.iterdir()) == ["log", "log.1", "log.2"]
    assert "number=199" in path.read_text()


def test_without_kept_files_the_rotation_is_left_to_others_and_a_moved_file_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("wazuh_dfn.logs.log_file.FILE_BYTES", 100)
    path = tmp_path / "log"
    configure_logs(Settings.model_validate({"log": {"console": False, "file_path": path, "keep_files": 0}}))
    for _ in range(20):
        log().info("before")
    path.rename(tmp_path / "log.1")
    log().info("after")
    assert (tmp_path / "log.1").read_text().count("before") == 20
    assert "after" in path.read_text()


def test_a_log_file_that_can_not_be_opened_is_a_wrong_configuration(tmp_path):
    with pytest.raises(ConfigurationError, match=r"log\.file_path"):
        configure_logs(Settings.model_validate({"log": {"file_path": tmp_path}}))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the last lines never get out
@pytest.mark.parametrize("keep_files", [0, 5])
def test_a_full_disk_under_the_log_file_is_told_once_on_the_console(keep_files, capsys):
    configure_logs(Settings.model_validate({"log": {"console": False, "file_path": "/dev/full", "keep_files": keep_files}}))
    for number in range(3):
        log().info("a line", number=number)
    [told] = capsys.readouterr().err.splitlines()
    assert "log.file_path: /dev/full can't be written (No space left on device)" in told


def test_a_log_file_that_can_not_be_made_anew_stops_nobody_who_logs_and_is_told_until_it_can(tmp_path, capsys):
    folder, away = tmp_path / "log", tmp_path / "away"
    configure_logs(Settings.model_validate({"log": {"console": False, "file_path": folder / "x.log", "keep_files": 0}}))
    log().info("first")
    folder.rename(away)
    folder.touch()
    log().info("second")
    log().info("third")
    folder.unlink()
    away.rename(folder)
    log().info("fourth")
    wrong, right = capsys.readouterr().err.splitlines()
    assert "can't be written (Not a directory)" in wrong
    assert "can be written again" in right
    assert [word in (folder / "x.log").read_text() for word in ("first", "second", "third", "fourth")] == [True, False, False, True]


def test_the_level_can_change_while_running(lines):
    handler_with(lines, 60)
    logger = log()
    logger.debug("no")
    set_level("DEBUG")
    logger.debug("yes")
    assert [line["event"] for line in lines.lines] == ["yes"]


def raised(error):
    try:
        raise error
    except type(error) as caught:
        return caught


@pytest.mark.parametrize("error", [ValueError("secret"), KeyError("secret"), UnicodeDecodeError("utf-8", b"secret", 0, 1, "secret")])
def test_an_error_in_brief_quotes_nothing_of_the_alert(error):
    text = in_brief(raised(error))
    assert "secret" not in text
    assert type(error).__name__ in text
    assert "test_logs.py" in text


def test_an_error_in_brief_says_what_our_own_and_the_systems_errors_say():
    assert "no route" in in_brief(BrokerUnavailableError(Fault(FaultCode.NO_CONNECTION, "no route")))
    assert "No space" in in_brief(OSError(28, "No space left on device"))
    group = ExceptionGroup("g", [ValueError("secret"), OSError("disk")])
    assert "disk" in in_brief(group)
    assert "secret" not in in_brief(group)
