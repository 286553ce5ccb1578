"""`wazuh-dfn check` and what is wrong on this machine: for each kind of it the line, the remedy and the exit code."""

import json
import os
import resource
import socket
import threading
import time

import pytest

from support.checking import Site, as_ordinary_user
from support.checkpoints import has_settled_all
from support.corpus import line, windows_alert
from wazuh_dfn.check.wazuh_socket import check_wazuh_socket

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def broker(shared_broker):
    with Site(shared_broker.bootstrap) as any_site:
        any_site.check()  # all modules are loaded before rights are dropped
    return shared_broker


@pytest.fixture
def site(broker):
    with Site(broker.bootstrap) as made:
        yield made


def test_a_sound_site_passes_and_nothing_is_left_behind(site):
    before = sorted(site.folder.rglob("*"))
    with as_ordinary_user():
        outcome = site.check()
    assert outcome.code == 0
    assert outcome.of("failure") == set()
    assert outcome.of("warning") == {"alert-growing", "wazuh-socket"}
    assert outcome.of("ok") >= {"user", "alert-file", "alert-content", "alert-siblings", "checkpoint-folder", "dead-letter-folder"}
    assert outcome.of("ok") >= {"disk-space", "broker-name", "broker-tcp", "kafka", "topic", "idempotence"}
    assert sorted(site.folder.rglob("*")) == before


def test_nothing_is_made_that_the_daemon_makes_itself(site):
    site.checkpoint.parent.rmdir()
    site.dead_letters.rmdir()
    outcome = site.check()
    assert outcome.code == 0
    assert "does not exist yet" in outcome.one("checkpoint-folder", "ok").text
    assert "does not exist yet" in outcome.one("dead-letter-folder", "ok").text
    assert not site.checkpoint.parent.exists()
    assert not site.dead_letters.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_is_told_that_its_rights_say_nothing_about_the_daemons(site):
    outcome = site.check()
    assert "runuser -u wazuh-dfn" in outcome.one("user", "warning").remedy
    assert outcome.code == 0


def missing(site):
    site.alerts.unlink()


def a_folder(site):
    missing(site)
    site.alerts.mkdir()


def a_pipe(site):
    missing(site)
    os.mkfifo(site.alerts)


def plain_text(site):
    site.alerts.write_text("** Alert 1767319445.1: - syslog\n2026 Jan 02 host->/var/log\n")


def an_endless_line(site):
    site.alerts.write_bytes(b"x" * 5_000_000)


def unreadable(site):
    site.alerts.chmod(0)


def in_a_closed_folder(site):
    closed = site.folder / "closed"
    closed.mkdir()
    site.alerts.rename(closed / "alerts.json")
    site.configure("127.0.0.1:1", wazuh={"json_alert_file": str(closed / "alerts.json")})
    closed.chmod(0)


def siblings_unlistable(site):
    site.wazuh.dated.parent.chmod(0)


def a_sibling_unreadable(site):
    former = site.wazuh.next_day()
    former.chmod(0)
    site.wazuh.write(line(windows_alert(2)))


def checkpoint_folder_closed(site):
    site.checkpoint.parent.chmod(0o555)


def dead_letters_a_file(site):
    site.dead_letters.rmdir()
    site.dead_letters.touch()


def a_lock_of_root(site):
    site.checkpoint.with_name("checkpoint.json.lock").touch(0o400)


def a_damaged_checkpoint(site):
    site.checkpoint.write_text('{"version": 2, "posi')


def no_room(site):
    site.configure("127.0.0.1:1", wazuh={"failed_alerts_path": "/proc/wazuh-dfn"})


@pytest.mark.parametrize(
    ("spoil", "check", "text", "remedy"),
    [
        (missing, "alert-file", "does not exist", "jsonout_output"),
        (a_folder, "alert-file", "is not a regular file", "wazuh.json_alert_file"),
        (a_pipe, "alert-file", "is not a regular file", "wazuh.json_alert_file"),
        (unreadable, "alert-file", "cannot be read by", "usermod -aG wazuh"),
        (in_a_closed_folder, "alert-file", "cannot be accessed by", "enter the folder"),
        (plain_text, "alert-content", "the line is no JSON", "alerts.log has another format"),
        (an_endless_line, "alert-content", "longer than 4 MiB", "wazuh.json_alert_file"),
        (siblings_unlistable, "alert-siblings", "Jan cannot be listed by", "usermod -aG wazuh"),
        (a_sibling_unreadable, "alert-siblings", "ossec-alerts-30.json cannot be read by", "usermod -aG wazuh"),
        (checkpoint_folder_closed, "checkpoint-folder", "can't be written to", "let the daemon's user write there"),
        (dead_letters_a_file, "dead-letter-folder", "is a file", "name another place"),
        (a_lock_of_root, "checkpoint", "checkpoint.json.lock cannot be written by", "chown the files in"),
        (no_room, "disk-space", "0 MiB free for /proc/wazuh-dfn", "free disk space"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_failure_is_named_with_its_remedy_and_is_exit_code_1(site, spoil, check, text, remedy):
    spoil(site)
    with as_ordinary_user():
        outcome = site.check()
    assert outcome.code == 1
    found = outcome.one(check, "failure")
    assert text in found.text
    assert remedy in found.remedy


def test_a_folder_in_which_writing_fails_is_a_failure(site):
    """A limit on the size of files stands in for a full disk: the folder is open, the write fails."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        outcome = site.check()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert outcome.code == 1
    assert "cannot write to" in outcome.one("checkpoint-folder", "failure").text


def a_torn_first_line(site):
    site.alerts.write_bytes(b'{"torn\n' + line(windows_alert(1)))


def a_damaged_checkpoint_with_a_sound_previous_one(site):
    with site.daemon as daemon:
        daemon.wait_until(lambda: site.checkpoint.with_name("checkpoint.json.previous").exists() or write_one(site))
        daemon.kill()
    site.checkpoint.write_text("")


def write_one(site):
    site.wazuh.write(line(windows_alert(2)))


def no_dated_files(site):
    site.wazuh.dated.unlink()


def many_dead_letters(site):
    site.configure(site.daemon_bootstrap, wazuh={"max_failed_bytes": 2**40})


@pytest.mark.parametrize(
    ("spoil", "check", "text", "remedy"),
    [
        (lambda _: None, "alert-growing", "nothing was written to", "--wait 60"),
        (a_torn_first_line, "alert-content", "is not an alert", "becomes a dead letter"),
        (a_damaged_checkpoint, "checkpoint", "there is no readable previous checkpoint", "keep the file"),
        (a_damaged_checkpoint_with_a_sound_previous_one, "checkpoint", "the previous checkpoint was", "some alerts are sent twice"),
        (no_dated_files, "alert-siblings", "are not in the folder of", "not to a link or a copy"),
        (many_dead_letters, "disk-space", "dead letters may take 1,048,576 MiB", "lower wazuh.max_failed_bytes"),
    ],
)
def test_a_warning_has_a_remedy_too_and_leaves_exit_code_0(site, broker, spoil, check, text, remedy):
    site.daemon_bootstrap = broker.bootstrap
    spoil(site)
    outcome = site.check()
    assert outcome.code == 0
    found = outcome.one(check, "warning")
    assert text in found.text
    assert remedy in found.remedy


def test_an_alert_file_without_a_line_is_no_warning(site):
    site.alerts.write_bytes(b'{"begun')
    assert "does not contain a complete line" in site.check().one("alert-content", "info").text


def write_more(site):
    site.wazuh.write(line(windows_alert(2)))


def change_files(site):
    site.wazuh.next_day(gap=lambda: time.sleep(0.2))


@pytest.mark.parametrize("change", [write_more, change_files])
def test_a_file_that_grows_or_is_replaced_while_it_is_watched_grows_and_is_not_watched_longer(site, change):
    is_over = threading.Event()

    def change_again_and_again():  # whenever it is that the watching begins
        while not is_over.wait(1.5):
            change(site)

    writing = threading.Thread(target=change_again_and_again)
    writing.start()
    began = time.monotonic()
    try:
        outcome = site.check(wait=300)
    finally:
        is_over.set()
        writing.join()
    assert time.monotonic() - began < 60
    assert outcome.one("alert-growing", "ok")


def test_a_running_daemon_is_named_and_its_checkpoint_read(site):
    with site.daemon as daemon:
        daemon.wait_until(lambda: has_settled_all(daemon))
        outcome = site.check()
        assert outcome.one("daemon", "info").text == f"a daemon is running with this checkpoint (pid {daemon.process.pid})"
        size = site.alerts.stat().st_size
        assert f"settled up to byte {size:,} of " in outcome.one("checkpoint", "ok").text
        assert outcome.code == 0
        assert daemon.stop() == 0
    assert "no daemon" in site.check().one("daemon", "info").text


def test_json_is_one_document_with_the_same_findings(site):
    missing(site)
    outcome = site.check("--json")
    document = json.loads(outcome.text)
    assert outcome.code == 1
    assert (document["result"], document["failures"]) == ("failure", 1)
    assert document["warnings"] == sum(each["level"] == "warning" for each in document["findings"])
    [found] = [each for each in document["findings"] if each["level"] == "failure"]
    assert found["check"] == "alert-file"
    assert "does not exist" in found["text"]
    assert "jsonout_output" in found["remedy"]
    assert all(each["remedy"] is None for each in document["findings"] if each["level"] in {"ok", "info"})


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_wazuhs_socket_is_reached_and_nothing_sent(tmp_path, kind):
    path = tmp_path / "queue"
    with socket.socket(socket.AF_UNIX, kind) as listener:
        listener.bind(str(path))
        if kind is socket.SOCK_STREAM:
            listener.listen()
        assert [each.level for each in check_wazuh_socket(path)] == ["ok"]
        if kind is socket.SOCK_DGRAM:
            with pytest.raises(BlockingIOError):
                listener.recv(1, socket.MSG_DONTWAIT)
    [gone] = check_wazuh_socket(path)
    assert (gone.level, "no process listens on it" in gone.text) == ("warning", True)
    assert "systemctl status wazuh-manager" in gone.remedy


def test_wazuhs_socket_may_be_absent_or_closed_to_us(site):
    path = site.folder / "queue"
    assert "does not exist" in check_wazuh_socket(path)[0].text
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        path.chmod(0)
        with as_ordinary_user():
            [found] = check_wazuh_socket(path)
    assert (found.level, "cannot be used by this user" in found.text) == ("warning", True)
    assert "usermod -aG wazuh" in found.remedy
