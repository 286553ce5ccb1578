"""`wazuh-dfn dead-letters` as a process, on what a real daemon kept, and a real broker."""

import json
import os
import subprocess
import sys

import pytest

from support.brokers import free_port
from support.command_line import run_here
from support.corpus import arrived, line, windows_alert
from support.daemon import Daemon
from support.kafka_read import read_all

pytestmark = pytest.mark.integration
TORN = b'{"timestamp": "torn'
MENDED = {"malformed": line(windows_alert(7)).rstrip(b"\n")}


@pytest.fixture(scope="module")
def broker(shared_broker):
    return shared_broker


def command(daemon, *arguments):
    return run_here("dead-letters", *arguments, "--config", daemon.config)


def retry(daemon, *arguments, timeout=300):
    """Run it as a process of its own, as it has an event loop and logs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DFN_", "WAZUH_", "KAFKA_", "LOG_"))}
    started = [sys.executable, "-m", "wazuh_dfn", "dead-letters", "retry", *arguments, "--config", str(daemon.config)]
    return subprocess.run(started, capture_output=True, text=True, timeout=timeout, check=False, env=environment)


def as_json(done):
    return json.loads(done.stdout)


def put_letter(daemon, name, raw, stage="malformed", reason="the line is no JSON: at character 5", time="2026-01-02T03:04:05.678+00:00"):
    """Put a letter into the folder as a daemon that ended long ago did."""
    daemon.dead_letters.mkdir(exist_ok=True)
    (daemon.dead_letters / f"{name}.raw").write_bytes(raw)
    note = {
        "time": time,
        "file": "/alerts.json",
        "inode": 7,
        "offset": 42,
        "bytes": len(raw),
        "stage": stage,
        "reason": reason,
        "traceback": None,
    }
    (daemon.dead_letters / f"{name}.json").write_text(json.dumps(note))


def names(daemon):
    return sorted(path.stem for path in daemon.dead_letters.glob("*.json"))


@pytest.fixture
def daemon(tmp_path, broker, request):
    topic = f"letters-{abs(hash(request.node.name))}"
    broker.create_topic(topic)
    return Daemon(tmp_path, broker.bootstrap, dfn={"dfn_id": topic})


def delivered(daemon, broker, expect):
    return arrived(read_all(broker.bootstrap, daemon.sections["dfn"]["dfn_id"], expect=expect), "windows")


def test_what_a_daemon_kept_is_listed_in_groups_and_shown(daemon):
    daemon.alerts.write_bytes(TORN + b"\n" + TORN + b"xy\n" + b"garbage\n")
    with daemon:
        daemon.wait_until(lambda: len(names(daemon)) == 3)
        assert daemon.stop() == 0
    done = command(daemon, "list", "--json")
    assert done.returncode == 0
    listed = as_json(done)
    assert (listed["letters"], listed["folder"]) == (3, str(daemon.dead_letters))
    assert [(group["stage"], group["letters"]) for group in listed["groups"]] == [("junk", 2), ("junk", 1)]
    text = command(daemon, "list", "--names").stdout
    assert all(name in text for name in names(daemon))
    [name] = [each for each in names(daemon) if "-000000000000000-" in each]
    shown = command(daemon, "show", name[:-2])
    assert shown.returncode == 0
    assert f"reason: {as_json(command(daemon, 'show', name, '--json'))['reason']}" in shown.stdout
    assert shown.stdout.endswith(f"line:\n{TORN.decode()}\n")


def test_the_flag_of_a_key_wins_over_the_file(daemon):
    put_letter(daemon, "a", TORN)
    elsewhere = daemon.folder / "elsewhere"
    for arguments in (("list",), ("purge", "--yes"), ("retry", "--all")):
        assert command(daemon, *arguments, "--wazuh-failed-alerts-path", elsewhere).returncode == 0
    assert names(daemon) == ["a"]


def test_without_any_there_is_nothing_to_list_retry_or_purge(daemon):
    for arguments in (("list",), ("retry", "--all"), ("purge",)):
        assert command(daemon, *arguments).returncode == 0


@pytest.mark.parametrize(
    "arguments", [("show", "none"), ("show", "a"), ("retry",), ("retry", "none"), ("purge",), ("purge", "--older-than", "-1")]
)
def test_unclear_orders_are_refused_and_change_nothing(daemon, arguments):
    put_letter(daemon, "a1", TORN)
    put_letter(daemon, "a2", TORN)
    done = command(daemon, *arguments)
    assert done.returncode == 2, done.stdout
    assert done.stderr
    assert "Traceback" not in done.stderr
    assert names(daemon) == ["a1", "a2"]


def test_retry_delivers_removes_what_was_acknowledged_and_keeps_the_rest_with_the_new_reason(daemon, broker):
    put_letter(daemon, "a-good", line(windows_alert(1)).rstrip(b"\n"), stage="rejected")
    put_letter(daemon, "b-torn", TORN, stage="poison")
    put_letter(daemon, "c-good", line(windows_alert(3)), stage="rejected")
    put_letter(daemon, "d-other", line(windows_alert(4, "9999")).rstrip(b"\n"), stage="windows")
    put_letter(daemon, "e-oversize", b"x" * (256 * 1024), stage="oversize")
    put_letter(daemon, "f-good", line(windows_alert(6)).rstrip(b"\n"), stage="rejected")
    done = retry(daemon, "--all", "--json")
    assert done.returncode == 1, done.stderr
    result = as_json(done)
    assert result["delivered"] == ["a-good", "c-good", "f-good"]
    assert [(each["name"], each["stage"]) for each in result["failed"]] == [("b-torn", "junk"), ("e-oversize", "oversize")]
    assert (result["not_selected"], result["left"]) == (["d-other"], [])
    assert names(daemon) == ["b-torn", "d-other", "e-oversize"]
    assert not list(daemon.dead_letters.glob("*-good.raw"))
    note = as_json(command(daemon, "show", "b-torn", "--json"))
    assert (note["stage"], note["retries"], note["line"], note["offset"]) == ("junk", 1, TORN.decode(), 42)
    assert delivered(daemon, broker, 3) == [1, 3, 6]


def test_a_torn_line_stays_and_what_the_daemon_delivered_of_it_is_not_sent_again(daemon, broker):
    daemon.alerts.write_bytes(TORN + line(windows_alert(1)) + line(windows_alert(2)))
    with daemon:
        daemon.wait_until(lambda: len(names(daemon)) == 1)
        assert sorted(delivered(daemon, broker, 2)) == [1, 2]
        assert daemon.stop() == 0
    [name] = names(daemon)
    note = (daemon.dead_letters / f"{name}.json").read_bytes()
    for _ in range(2):
        done = retry(daemon, name)
        assert (done.returncode, names(daemon)) == (1, [name])
        assert f"{name}: cannot be sent, it is not an alert: the line is no JSON" in done.stdout
        assert (daemon.dead_letters / f"{name}.json").read_bytes() == note, "nothing was tried"
    put_letter(daemon, "crashed", TORN + line(windows_alert(3)), stage="poison")
    assert retry(daemon, "--all").returncode == 1
    assert sorted(delivered(daemon, broker, 3)) == [1, 2, 3], "what crashed its actor was not delivered before"
    (daemon.dead_letters / f"{name}.raw").write_bytes(line(windows_alert(4)))
    assert retry(daemon, name).returncode == 0
    assert sorted(delivered(daemon, broker, 4)) == [1, 2, 3, 4]


def test_retry_of_some_leaves_the_others_alone(daemon, broker):
    for number, stage in ((1, "rejected"), (2, "poison"), (3, "poison"), (4, "windows")):
        put_letter(daemon, f"letter-{number}", line(windows_alert(number)), stage=stage)
    assert retry(daemon, "letter-1", "--stage", "poison").returncode == 0
    assert names(daemon) == ["letter-4"]
    assert delivered(daemon, broker, 3) == [1, 2, 3]


def test_very_many_letters_are_sent_in_order(daemon, broker):
    for number in range(1_500):
        put_letter(daemon, f"{number:05}", line(windows_alert(number)))
    done = retry(daemon, "--all")
    assert done.returncode == 0
    assert "1500 delivered, 0 failed again, 0 not selected, 0 not tried" in done.stdout
    assert names(daemon) == []
    assert delivered(daemon, broker, 1_500) == list(range(1_500))


def test_retry_without_a_broker_gives_up_removes_nothing_and_says_why(tmp_path):
    daemon = Daemon(tmp_path, f"127.0.0.1:{free_port()}")
    put_letter(daemon, "a", line(windows_alert(1)))
    done = retry(daemon, "--all", "--give-up-after", "1")
    assert done.returncode == 1
    assert "the broker was away for 1 s" in done.stderr
    assert "1 not tried" in done.stdout
    assert names(daemon) == ["a"]


def test_retry_beside_the_running_daemon_delivers_once_and_the_daemon_goes_on(daemon, broker):
    daemon.alerts.write_bytes(TORN + b"\n" + line(windows_alert(1)))
    with daemon:
        daemon.wait_until(lambda: len(names(daemon)) == 1)
        [name] = names(daemon)
        (daemon.dead_letters / f"{name}.raw").write_bytes(MENDED["malformed"])
        assert retry(daemon, name).returncode == 0
        with daemon.alerts.open("ab") as file:
            file.write(line(windows_alert(8)))
        assert sorted(delivered(daemon, broker, 3)) == [1, 7, 8]
        assert daemon.stop() == 0


def test_purge_removes_by_age_and_stage_and_only_when_told_yes(daemon):
    put_letter(daemon, "old", TORN)
    put_letter(daemon, "old-poison", TORN, stage="poison")
    put_letter(daemon, "future", TORN, time="2999-01-01T00:00:00+00:00")
    assert command(daemon, "purge").returncode == 2
    assert command(daemon, "purge", "--stage", "poison", "--yes").returncode == 0
    assert names(daemon) == ["future", "old"]
    assert command(daemon, "purge", "--older-than", "1", "--yes").returncode == 0
    assert names(daemon) == ["future"]
    assert command(daemon, "purge", "--yes").returncode == 0
    assert not list(daemon.dead_letters.iterdir())


def test_a_note_that_can_not_be_read_is_listed_all_the_same(daemon):
    put_letter(daemon, "a", TORN)
    (daemon.dead_letters / "a.json").write_text("{")
    assert as_json(command(daemon, "list", "--json"))["groups"][0]["reason"] == "its note can't be read"


def removed_letters(daemon, **by_stage):
    """Count removed letters as a daemon does that made room."""
    daemon.dead_letters.mkdir(exist_ok=True)
    (daemon.dead_letters / ".removed").write_text(json.dumps({"removed": by_stage, "before": {}, "since": "2026-01-02T03:04:05+00:00"}))


def test_list_tells_once_how_many_were_removed_and_since_when(daemon):
    put_letter(daemon, "a", TORN)
    removed_letters(daemon, junk=12, rejected=1)
    told = "13 dead letters (12 junk, 1 rejected) were removed since 2026-01-02T03:04:05+00:00 to make room"
    assert told in command(daemon, "list").stdout.replace("\n", " ")
    assert "removed" not in command(daemon, "list").stdout
    removed_letters(daemon, junk=13, rejected=1)
    listed = as_json(command(daemon, "list", "--json"))
    assert (listed["removed"], listed["removed_since"], listed["problem"]) == (
        {"junk": 13, "rejected": 1},
        "2026-01-02T03:04:05+00:00",
        None,
    )
    assert as_json(command(daemon, "list", "--json"))["removed"] == {}


def test_list_says_if_it_can_not_mark_removed_letters_as_looked_at(daemon):
    removed_letters(daemon, junk=12)
    (daemon.dead_letters / ".looked-at-12").symlink_to("missing/folder")
    assert "Cannot record that you have seen this, so the daemon stays degraded: " in command(daemon, "list").stdout.replace("\n", " ")


def test_letters_that_the_operator_removed_do_not_count_as_kept(tmp_path, broker):
    broker.create_topic("counted")
    daemon = Daemon(tmp_path, broker.bootstrap, dfn={"dfn_id": "counted"}, wazuh={"max_failed_files": 3})
    daemon.alerts.write_bytes(b"garbage\n" * 3)
    with daemon:
        daemon.wait_until(lambda: len(names(daemon)) == 3)
        kept, *others = names(daemon)
        for name in others:
            (daemon.dead_letters / f"{name}.json").unlink()
            (daemon.dead_letters / f"{name}.raw").unlink()
        with daemon.alerts.open("ab") as file:
            file.write(b"garbage\n" * 2)
        daemon.wait_until(lambda: len(names(daemon)) == 3)
        assert kept in names(daemon)
        assert daemon.stop() == 0
