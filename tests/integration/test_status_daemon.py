"""`wazuh-dfn status` and the status page on the real daemon."""

import json
import subprocess
import sys

import pytest
from selenium.webdriver import Keys

from support.brokers import NoidaBroker, free_port
from support.browser import BrowserPage, chromium
from support.command_line import run_here
from support.corpus import write_corpus
from support.daemon import TOPIC, Daemon
from wazuh_dfn.health.report import HealthReport

pytestmark = pytest.mark.integration

TOKEN = "correct-horse-battery-staple"
LINES = 500


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    api = {"enabled": True, "port": free_port(), "auth_token": TOKEN}
    with NoidaBroker(tmp_path_factory.mktemp("broker")) as broker:
        broker.create_topic(TOPIC)
        daemon = Daemon(tmp_path_factory.mktemp("daemon"), broker.bootstrap, health={"api": api})
        write_corpus(daemon.alerts, LINES)
        with daemon:
            daemon.url = f"http://127.0.0.1:{api['port']}"
            daemon.wait_for_log("health API listens")
            daemon.wait_until(lambda: (counts := report_of(daemon).counts).lines_read == LINES and not counts.in_flight)
            yield daemon


def report_of(daemon):
    return HealthReport.model_validate_json(run_here("status", "--json", "--config", daemon.config).stdout)


def test_the_command_shows_what_the_daemon_did_once_and_line_by_line(daemon):
    report = report_of(daemon)
    assert report.counts.delivered + report.counts.not_relevant + report.counts.dead_lettered == LINES
    shown = run_here("status", "--config", daemon.config)
    assert shown.returncode == (0 if report.status == "healthy" else 1)
    assert f"{LINES} read = " in shown.stdout
    assert str(daemon.alerts) in shown.stdout.replace("\n", "").replace(" ", "")
    command = [sys.executable, "-m", "wazuh_dfn", "status", "--watch", "--interval", "0.5", "--config", str(daemon.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        process.kill()
    assert all(f"lines_read={LINES} " in line and "balanced=true" in line for line in lines)
    assert "lines_per_second=0.0" in lines[1]


def test_the_page_that_the_daemon_serves_shows_its_report(daemon, tmp_path):
    with chromium(tmp_path) as chrome:
        page = BrowserPage(chrome)
        chrome.get(daemon.url)
        page.wait_for("#token-form:not([hidden])")
        chrome.switch_to.active_element.send_keys(TOKEN, Keys.ENTER)
        page.wait_for("#report:not([hidden])")
        counts = json.loads(run_here("status", "--json", "--config", daemon.config).stdout)["counts"]
        assert {name: page.text(name) for name in counts if name != "balanced"} == {
            name: f"{value:,}" for name, value in counts.items() if name != "balanced"
        }
        assert page.text("file") == str(daemon.alerts)
        assert page.complaints() == []
