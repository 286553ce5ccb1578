"""A kind of alert that the project does not have, registered here alone: everything that handles kinds handles it too.

The daemon and the commands run as processes of their own, which register it by running this very file.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from support.brokers import free_port
from support.corpus import line, windows_alert
from support.daemon import Daemon
from support.kafka_read import read_all
from support.scrape import families
from support.wazuh_queue import WazuhQueue
from wazuh_dfn.kinds import catalogue
from wazuh_dfn.kinds.transform_actor import TransformActor
from wazuh_dfn.lines.candidates import occurrences
from wazuh_dfn.lines.values import section

TESTS = str(Path(__file__).parents[1])
pytestmark = pytest.mark.integration


class Logins:
    """Accepted logins by SSH; of a user called `boom` no record can be made."""

    name = "sshd"
    event_format = "sshd-json"

    def rule(self, settings):
        del settings
        return self

    def occurrences(self, data):
        return occurrences(data, b"Accepted publickey")

    def selects(self, alert):
        return section(alert, "data").get("action") == "Accepted publickey"

    def fields(self, alert):
        user = section(alert, "data")["dstuser"]
        if user == "boom":
            raise ZeroDivisionError
        return {"user": user}

    def feedback(self, alert):
        del alert
        return {"event_id": "login"}

    def actor(self, *world):
        return TransformActor(self, *world)


def register():
    catalogue.KINDS = (*catalogue.KINDS, Logins())


def login(user):
    return {
        "timestamp": "2026-01-01T00:01:00.000+0000",
        "rule": {"level": 3, "groups": ["sshd"]},
        "agent": {"id": "003", "name": "gate"},
        "id": "1767225660.1",
        "full_log": f"sshd[1]: Accepted publickey for {user}",
        "data": {"action": "Accepted publickey", "dstuser": user},
    }


@pytest.fixture
def site(tmp_path, shared_broker):
    api = {"enabled": True, "port": free_port(), "rate_limit": 100_000}
    daemon = Daemon(tmp_path, shared_broker.bootstrap, dfn={"dfn_id": "logins"}, health={"api": api})
    daemon.python = [sys.executable, __file__]
    daemon.environment["PYTHONPATH"] = TESTS
    shared_broker.create_topic("logins")
    daemon.alerts.write_bytes(b"".join(map(line, (login("alice"), windows_alert(7), login("boom"), {"rule": {}}, login("carol")))))
    return daemon


def scrape(daemon):
    port = daemon.sections["health"]["api"]["port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return [sample for family in families(answer.read().decode()) for sample in family.samples]


def value(samples, name, **labels):
    [found] = [sample.value for sample in samples if sample.name == name and sample.labels == labels]
    return found


def run(daemon, *arguments):
    command = [*daemon.python, "-m", "wazuh_dfn", *map(str, arguments), "--config", str(daemon.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=os.environ | daemon.environment)


def test_it_is_delivered_counted_told_to_wazuh_dead_lettered_transformed_and_replayed(site, shared_broker):
    with WazuhQueue(site.socket) as wazuh, site:
        site.wait_until(lambda: len(read_all(shared_broker.bootstrap, "logins", expect=3)) == 3)
        site.wait_until(lambda: site.dead_letters.exists() and len(list(site.dead_letters.glob("*.raw"))) == 1)
        site.wait_until(lambda: value(scrape(site), "wazuh_dfn_lines_settled_total", outcome="delivered") == 3)
        samples = scrape(site)
        assert value(samples, "wazuh_dfn_lines_settled_total", outcome="dead_lettered") == 1
        assert value(samples, "wazuh_dfn_lines_settled_total", outcome="not_relevant") == 1
        assert value(samples, "wazuh_dfn_dead_letters", stage="sshd") == 1
        assert value(samples, "wazuh_dfn_actor_up", actor="sshd") == 1
        assert value(samples, "wazuh_dfn_mailbox_capacity", mailbox="sshd") > 0
        site.wait_until(lambda: any('"event_format":"sshd-json","event_id":"login"' in str(each) for each in wazuh.messages))
        assert site.stop() == 0
    sent = [json.loads(value) for _, _, value in read_all(shared_broker.bootstrap, "logins", expect=3)]
    assert sorted(each.get("user", each["event_format"]) for each in sent) == ["alice", "carol", "windows-xml"]
    assert {each["event_format"] for each in sent if "user" in each} == {"sshd-json"}

    listed = json.loads(run(site, "dead-letters", "list", "--json").stdout)
    assert [(group["stage"], group["letters"]) for group in listed["groups"]] == [("sshd", 1)], listed
    assert json.loads(run(site, "transform", site.alerts).stdout.splitlines()[0])["user"] == "alice"
    replayed = run(site, "replay", site.alerts, "--rate", "0")
    assert "5 lines: 3 records delivered (1 windows, 0 fail2ban, 2 sshd)" in replayed.stderr
    assert "sshd: ZeroDivisionError" in replayed.stderr


if __name__ == "__main__":
    from wazuh_dfn.cli import main

    register()
    del sys.argv[1:3]  # -m wazuh_dfn
    main()
