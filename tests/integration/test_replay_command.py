"""`wazuh-dfn replay` as a process: plain and gzipped files, a real broker, Ctrl-C."""

import gzip
import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from support.brokers import free_port
from support.command_line import run_here
from support.corpus import Corpus, arrived, fail2ban_alert, line, numbered_lines, windows_alert, write_corpus
from support.daemon import Daemon
from support.kafka_read import read_all

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def broker(shared_broker):
    return shared_broker


@pytest.fixture
def site(tmp_path, broker, request):
    """A configuration with a topic of its own; its daemon does not run."""
    topic = f"replay-{abs(hash(request.node.name))}"
    broker.create_topic(topic)
    return Daemon(tmp_path, broker.bootstrap, dfn={"dfn_id": topic})


def arguments_of(site, *arguments):
    return [sys.executable, "-m", "wazuh_dfn", "replay", *map(str, arguments), "--config", str(site.config)]


def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(("DFN_", "WAZUH_", "KAFKA_", "LOG_"))}


def replay(site, *arguments, timeout=300):
    command = arguments_of(site, *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment())


def records_of(site, broker, expect):
    return read_all(broker.bootstrap, site.sections["dfn"]["dfn_id"], expect=expect)


def test_plain_and_gzipped_files_arrive_once_each_and_in_order_without_touching_the_daemons_state(site, broker, tmp_path):
    corpus = Corpus()
    first, second, third = tmp_path / "ossec-alerts-01.json.gz", tmp_path / "ossec-alerts-02.json", tmp_path / "ossec-alerts-03.json"
    first.write_bytes(gzip.compress(b"".join(numbered_lines(2_000, corpus))))
    second.write_bytes(b"".join(numbered_lines(2_000, corpus, 2_000)))
    third.write_bytes(b"".join(numbered_lines(21, corpus, 4_000)).rstrip(b"\n"))
    done = replay(site, first, second, third, "--rate", "0")
    assert done.returncode == 0, done.stderr
    assert f"{corpus.lines} lines: {corpus.relevant} records delivered" in done.stderr
    records = records_of(site, broker, corpus.relevant)
    assert (arrived(records, "windows"), arrived(records, "fail2ban")) == (corpus.windows, corpus.fail2ban)
    assert not site.checkpoint.exists()
    assert not site.dead_letters.exists()


def test_a_period_is_from_since_on_and_before_until(site, broker, tmp_path):
    path = tmp_path / "alerts.json"
    times = ["2026-01-02T03:00:00.000+0100", "2026-01-02T04:00:00.000+0100", "2026-01-02T05:00:00.000+0100", "2026-01-02T06:00:00.000+0100"]
    alerts = [windows_alert(number) | {"timestamp": moment} for number, moment in enumerate(times)]
    alerts += [fail2ban_alert(9) | {"timestamp": times[0]}, windows_alert(5) | {"timestamp": "unreadable"}]
    path.write_bytes(b"".join(map(line, alerts)))
    assert replay(site, path, "--since", "2026-01-02T03:00:00Z", "--until", times[3]).returncode == 0
    records = records_of(site, broker, 3)
    assert (arrived(records, "windows"), arrived(records, "fail2ban")) == ([1, 2, 5], []), "a time that can't be read leaves nothing out"


def test_a_dry_run_counts_and_needs_no_broker(tmp_path):
    site = Daemon(tmp_path, f"127.0.0.1:{free_port()}")
    corpus = write_corpus(site.alerts, 1_000)
    done = replay(site, site.alerts, "--dry-run", "--rate", "1")
    assert done.returncode == 0, done.stderr
    assert f"1000 lines: {corpus.relevant} records would be sent" in done.stderr


def test_the_flag_of_a_key_wins_over_the_file(tmp_path):
    site = Daemon(tmp_path, f"127.0.0.1:{free_port()}")
    corpus = write_corpus(site.alerts, 100)
    done = replay(site, site.alerts, "--dry-run", "--misc-own-network", "203.0.113.0/24")
    assert done.returncode == 0, done.stderr
    assert f"({len(corpus.windows)} windows, 0 fail2ban)" in done.stderr


def test_bad_lines_are_named_counted_and_no_dead_letters(site, broker, tmp_path):
    path = tmp_path / "alerts.json"
    path.write_bytes(line(windows_alert(1)) + b"garbage\n" + b"x" * 5_000_000 + b"\n" + line(windows_alert(2)))
    done = replay(site, path)
    assert done.returncode == 1
    start = len(line(windows_alert(1)))
    assert f"{path} at byte {start}: junk: " in done.stderr
    assert f"{path} at byte {start + 8}: oversize: " in done.stderr
    assert "2 records delivered" in done.stderr
    assert "2 bad" in done.stderr
    assert arrived(records_of(site, broker, 2), "windows") == [1, 2]
    assert not site.dead_letters.exists()


def test_the_rate_is_kept_and_ctrl_c_ends_cleanly_with_how_far_it_came(site, broker, tmp_path):
    path = tmp_path / "alerts.json"
    corpus = write_corpus(path, 60_000)
    process = subprocess.Popen(arguments_of(site, path, "--rate", "200"), stderr=subprocess.PIPE, text=True, env=environment())
    assert records_of(site, broker, 1), "it has begun"
    assert process.poll() is None, "6,000 records at 200 a second take 30 s"
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=120)
    assert process.returncode == 130, text
    [told] = re.findall(rf"Everything is settled up to {re.escape(str(path))} byte (\d+) of {corpus.size}", text)
    assert 0 < int(told) < corpus.size
    records = records_of(site, broker, 1)
    assert len(records) < 6_000
    numbers = {*arrived(records, "windows"), *arrived(records, "fail2ban")}
    assert {number for number, offset in corpus.offsets.items() if offset < int(told)} <= numbers


def test_a_broker_that_is_away_is_given_up_and_the_reason_told(tmp_path):
    site = Daemon(tmp_path, f"127.0.0.1:{free_port()}")
    write_corpus(site.alerts, 100)
    done = replay(site, site.alerts, "--give-up-after", "1")
    assert done.returncode == 1
    assert "the broker was away for 1 s" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [(), ("/nonexistent",), ("PATH", "--since", "yesterday"), ("PATH", "--rate", "-1"), ("/tmp",)])
def test_wrong_usage_is_exit_code_2(tmp_path, arguments):
    site = Daemon(tmp_path, "127.0.0.1:1")
    site.alerts.touch()
    done = run_here("replay", *(site.alerts if argument == "PATH" else argument for argument in arguments), "--config", site.config)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


def test_on_a_terminal_there_is_a_progress_bar_and_elsewhere_none(site, tmp_path):
    path = tmp_path / "alerts.json"
    write_corpus(path, 2_000)
    assert "━" not in replay(site, path, "--dry-run").stderr
    ours, theirs = pty.openpty()
    process = subprocess.Popen(arguments_of(site, path, "--dry-run"), stderr=theirs, env=environment() | {"TERM": "xterm"})
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:  # the other end was closed
            break
        shown += data
    assert process.wait(120) == 0
    os.close(ours)
    assert "━" in shown.decode()
    assert "1.0/1.0" in shown.decode() or "MB" in shown.decode() or "kB" in shown.decode()
