"""The files in conf/ for the system's own tools, judged by those tools."""

import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from wazuh_dfn.config.settings import Settings

CONF = Path(__file__).parents[2] / "conf"
MOST_EXPOSURE = 2.0


def unit_value(name):
    unit = RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read(CONF / "wazuh-dfn.service")
    return unit["Service"][name]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_unit_is_hardened():
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(CONF / "wazuh-dfn.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "--offline" in done.stderr:
        pytest.skip("this systemd-analyze is too old for --offline")
    rating = re.search(r"Overall exposure level for wazuh-dfn.service: ([0-9.]+)", done.stdout)
    assert rating, done.stdout + done.stderr
    assert float(rating[1]) <= MOST_EXPOSURE, done.stdout


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_knows_every_setting_of_the_unit(tmp_path):
    unit = tmp_path / "wazuh-dfn.service"
    unit.write_text((CONF / "wazuh-dfn.service").read_text().replace("/opt/wazuh-dfn/venv/bin/wazuh-dfn", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False)
    assert not [
        line for line in (done.stdout + done.stderr).splitlines() if "wazuh-dfn.service" in line and "Unit wazuh-manager" not in line
    ]


def test_the_unit_waits_longer_for_the_stop_than_the_daemon_takes():
    assert int(unit_value("TimeoutStopSec")) > Settings().supervisor.shutdown_timeout


def test_the_default_folders_can_be_written_to_under_the_unit():
    wazuh = Settings().wazuh
    assert unit_value("ReadWritePaths") == f"-{wazuh.failed_alerts_path}"
    assert str(wazuh.checkpoint_file.parent) == f"/var/lib/{unit_value('StateDirectory')}"


@pytest.mark.skipif(not shutil.which("logrotate"), reason="logrotate is not installed")
def test_logrotate_moves_the_file_and_makes_none(tmp_path):
    log = tmp_path / "wazuh-dfn.log"
    log.write_text("line\n")
    text = (CONF / "wazuh-dfn.logrotate").read_text().replace("/var/log/wazuh-dfn/wazuh-dfn.log", str(log))
    rules = tmp_path / "rules"
    rules.write_text(re.sub(r"^ *su .*$", "", text, flags=re.MULTILINE))
    rules.chmod(0o644)
    tmp_path.chmod(0o755)
    command = ["logrotate", "--force", "--state", str(tmp_path / "state"), str(rules)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "wazuh-dfn.log.1").read_text() == "line\n"
    assert not log.exists()
