"""The daemon as a process, a real broker over TCP, real files and signals."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from support.brokers import NoidaBroker, TansuBroker, free_port
from support.checkpoints import settled
from support.corpus import Corpus, arrived, line, numbered_lines, windows_alert, write_corpus
from support.daemon import TOPIC, Daemon
from support.kafka_read import read_all
from support.outage import wait_until_nobody_is_connected, wait_until_settled
from support.tls_proxy import TlsProxy

pytestmark = pytest.mark.integration


def deliver_all(tmp_path, broker, count):
    """Run the daemon over a file of `count` lines; returns the corpus, what arrived, and the daemon's peak memory in MiB."""
    daemon = Daemon(tmp_path, broker.bootstrap)
    corpus = write_corpus(daemon.alerts, count)
    with daemon:
        wait_until_settled(daemon, corpus, 180)
        memory = daemon.peak_memory_mib()
        assert daemon.stop() == 0
    return corpus, read_all(broker.bootstrap, TOPIC, expect=corpus.relevant), memory


def test_twenty_thousand_alerts_arrive_complete_once_each_and_in_order_and_memory_stays_flat(tmp_path, broker):
    for name in ("small", "large"):
        (tmp_path / name).mkdir()
    corpus, records, memory = deliver_all(tmp_path / "small", broker, 20_000)
    assert len(records) == corpus.relevant == 2_000
    assert arrived(records, "windows") == corpus.windows
    assert arrived(records, "fail2ban") == corpus.fail2ban
    corpus, records, memory_large = deliver_all(tmp_path / "large", broker, 200_000)
    assert len(records) == 2_000 + 20_000
    assert memory_large < memory + 15, "memory in MiB, for ten times the backlog"


def test_lines_that_are_written_while_it_runs_arrive_too(tmp_path, broker):
    daemon = Daemon(tmp_path, broker.bootstrap)
    corpus = Corpus()
    with daemon, daemon.alerts.open("ab", buffering=0) as file:
        for data in numbered_lines(200, corpus):
            half = len(data) // 2
            file.write(data[:half])
            time.sleep(0.001)
            file.write(data[half:])
        wait_until_settled(daemon, corpus)
        assert daemon.stop() == 0
    records = read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)
    assert arrived(records, "windows") == corpus.windows
    assert arrived(records, "fail2ban") == corpus.fail2ban


def test_the_first_start_reads_from_the_end_and_the_next_goes_on_where_it_stopped(tmp_path, broker):
    daemon = Daemon(tmp_path, broker.bootstrap, wazuh={"start_at": "end"})
    daemon.alerts.write_bytes(line(windows_alert(1)))
    with daemon:
        daemon.wait_until(lambda: settled(daemon) > 0)
        assert daemon.stop() == 0
    with daemon.alerts.open("ab") as file:
        file.write(line(windows_alert(2)))
    with daemon:
        daemon.wait_until(lambda: settled(daemon) == daemon.alerts.stat().st_size)
        assert daemon.stop() == 0
    assert arrived(read_all(broker.bootstrap, TOPIC, expect=1), "windows") == [2]


def test_kill_9_in_mid_stream_loses_nothing_and_repeats_only_what_was_unsettled(tmp_path, broker):
    corpus = write_corpus(tmp_path / "alerts.json", 20_000)
    seen = previously_settled = 0
    with TlsProxy(None, broker.bootstrap, host="127.0.0.1") as proxy:
        proxy.hide(broker.bootstrap)
        proxy.delay = 0.005  # else it may be done before the last kill
        daemon = Daemon(tmp_path, proxy.address, kafka={"max_batch_bytes": 20_000}, supervisor={"mailbox_capacity": 2})
        for round_number in range(1, 4):
            with daemon:
                daemon.wait_until(lambda goal=round_number * corpus.size // 5: settled(daemon) >= goal, what="progress")
                daemon.kill()
            wait_until_nobody_is_connected(broker)  # what was on its way is there
            position = settled(daemon)
            assert position < corpus.size, "it was killed too late to show anything"
            records = read_all(broker.bootstrap, TOPIC, expect=seen + 1)
            before = {number for kind in ("windows", "fail2ban") for number in arrived(records[:seen], kind)}
            after = [number for kind in ("windows", "fail2ban") for number in arrived(records[seen:], kind)]
            assert len(after) == len(set(after)), "within one life nothing is sent twice"
            assert all(corpus.offsets[number] >= previously_settled for number in before & set(after)), "only what was unsettled"
            seen, previously_settled = len(records), position
        with daemon:
            wait_until_settled(daemon, corpus)
            assert daemon.stop() == 0
    records = read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)
    assert sorted(set(arrived(records, "windows"))) == corpus.windows
    assert sorted(set(arrived(records, "fail2ban"))) == corpus.fail2ban
    last_life = [number for kind in ("windows", "fail2ban") for number in arrived(records[seen:], kind)]
    assert min(corpus.offsets[number] for number in last_life) >= previously_settled


def test_a_broker_that_is_away_at_the_start_is_waited_for(tmp_path):
    folder = tmp_path / "broker"
    folder.mkdir()
    with NoidaBroker(folder) as broker:
        broker.create_topic(TOPIC)
        broker.stop()
        daemon = Daemon(tmp_path, broker.bootstrap)
        corpus = write_corpus(daemon.alerts, 100)
        with daemon:
            daemon.wait_for_log("broker unavailable")
            time.sleep(1)
            assert daemon.log_text().count("broker unavailable") == 1, "the same reason is logged once"
            broker.restart()
            wait_until_settled(daemon, corpus)
            assert daemon.stop() == 0
        assert len(read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)) == corpus.relevant


def test_a_stop_with_a_full_pipeline_and_a_dead_broker_ends_in_time_and_loses_nothing(tmp_path):
    daemon = Daemon(tmp_path, f"127.0.0.1:{free_port()}", supervisor={"shutdown_timeout": 2})
    write_corpus(daemon.alerts, 40_000)
    with daemon:
        daemon.wait_for_log("broker unavailable")
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 12, "seconds, of which 2 to wait for a broker, and a busy machine"
    said = [line for line in daemon.log_text().splitlines() if "at_most_seconds=2" in line]
    assert ["a second signal stops at once" in said[0], "what waits is sent at the next start" in said[1]] == [True, True]
    assert "connection refused" in said[1]
    assert settled(daemon) == 0, "what was not acknowledged is not checkpointed"


def test_a_second_signal_stops_at_once(tmp_path):
    daemon = Daemon(tmp_path, f"127.0.0.1:{free_port()}")
    write_corpus(daemon.alerts, 1_000)
    with daemon:
        daemon.wait_for_log("broker unavailable")
        daemon.process.send_signal(signal.SIGINT)
        daemon.wait_for_log("second signal stops at once")
        daemon.process.send_signal(signal.SIGINT)
        assert daemon.process.wait(15) == 130  # seconds, below the shutdown_timeout
    assert "stopping at once: what is not acknowledged yet is sent again at the next start" in daemon.log_text()


@pytest.mark.parametrize("signals", [1, 2])
def test_a_file_system_that_does_not_answer_holds_up_no_stop(tmp_path, broker, signals):
    """Opening a named pipe to write waits until somebody reads from it: a real call that hangs."""
    daemon = Daemon(tmp_path, broker.bootstrap, supervisor={"shutdown_timeout": 1})
    daemon.checkpoint.parent.mkdir()
    with daemon:
        daemon.wait_for_log("alerts.json does not exist")
        os.mkfifo(daemon.checkpoint.with_name(".checkpoint.json.tmp"))
        corpus = write_corpus(daemon.alerts, 100)
        time.sleep(1)
        began = time.monotonic()
        for _ in range(signals):
            daemon.process.send_signal(signal.SIGTERM)
            daemon.wait_for_log("stopping")
        assert daemon.process.wait(60) == {1: 1, 2: 130}[signals]
        assert time.monotonic() - began < 20, "seconds, of which 1 for the drain and 3 of grace; the call hangs for ever"
    daemon.checkpoint.with_name(".checkpoint.json.tmp").unlink()
    daemon.write_config(supervisor={"shutdown_timeout": 20})
    daemon.log.unlink()
    with daemon:
        daemon.wait_for_log("event=reading")
        wait_until_settled(daemon, corpus)
        assert daemon.stop() == 0
    assert len(read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)) == corpus.relevant


def test_malformed_lines_are_dead_lettered_and_cost_nothing_else_beside_a_record_of_240_kb(tmp_path, broker):
    daemon = Daemon(tmp_path, broker.bootstrap)
    huge = windows_alert(3)
    huge["data"]["win"]["eventdata"]["noise"] = os.urandom(120_000).hex()
    daemon.alerts.write_bytes(
        line(windows_alert(1)) + b'{"timestamp": "torn\n' + line(huge) + b"\x00\xff garbage\n" + line(windows_alert(2))
    )
    with daemon:
        daemon.wait_until(lambda: settled(daemon) == daemon.alerts.stat().st_size)
        assert daemon.stop() == 0
    records = read_all(broker.bootstrap, TOPIC, expect=3)
    notes = [json.loads(path.read_text()) for path in daemon.dead_letters.glob("*.json")]
    stages = sorted(note["stage"] for note in notes)
    assert (arrived(records, "windows"), stages) == ([1, 3, 2], ["junk", "malformed"])
    torn = next(note for note in notes if note["offset"] == len(line(windows_alert(1))))
    assert torn["file"] == str(daemon.alerts)


def test_a_broker_without_idempotent_producers_needs_a_setting_and_the_log_names_it(tmp_path):
    with TansuBroker() as broker:
        broker.create_topic(TOPIC)
        daemon = Daemon(tmp_path, broker.bootstrap)
        corpus = write_corpus(daemon.alerts, 100)
        with daemon:
            daemon.wait_for_log("kafka.idempotence")
            daemon.kill()
        daemon = Daemon(tmp_path, broker.bootstrap, kafka={"idempotence": False})
        with daemon:
            wait_until_settled(daemon, corpus)
            assert daemon.stop() == 0
        assert len(read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)) == corpus.relevant


def test_a_second_daemon_on_the_same_checkpoint_refuses_and_names_the_first(tmp_path):
    first = Daemon(tmp_path, f"127.0.0.1:{free_port()}", supervisor={"shutdown_timeout": 1})
    with first:
        first.wait_for_log("starting")
        second = Daemon(tmp_path, f"127.0.0.1:{free_port()}", supervisor={"shutdown_timeout": 1})
        second.log = tmp_path / "second.log"
        with second:
            assert second.process.wait(60) == 2
        assert f"pid {first.process.pid}" in second.log_text()
        first.kill()
    with first:
        first.wait_until(lambda: first.log_text().count("alerts.json does not exist") == 2)  # signals are listened to by then
        assert first.stop() == 0


@pytest.mark.parametrize("because", ["of a folder in its place", "the disk is full"])
def test_a_checkpoint_that_can_not_be_written_delays_nothing_and_is_told_once(tmp_path, broker, because):
    daemon = Daemon(tmp_path, broker.bootstrap)
    corpus = write_corpus(daemon.alerts, 100)
    in_the_way = daemon.checkpoint.with_name(".checkpoint.json.tmp")
    in_the_way.parent.mkdir()
    in_the_way.mkdir() if because == "of a folder in its place" else in_the_way.symlink_to("/dev/full")
    with daemon:
        daemon.wait_for_log("checkpoint can't be written")
        records = read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)
        assert daemon.log_text().count("checkpoint can't be written") == 1
        in_the_way.rename(tmp_path / "out of the way")
        wait_until_settled(daemon, corpus)
        assert daemon.stop() == 0
    assert len(records) == corpus.relevant


def test_a_daemon_that_gives_up_tells_its_figures_and_the_cause_and_loses_nothing(tmp_path, broker):
    daemon = Daemon(
        tmp_path, broker.bootstrap, supervisor={"max_restarts": 2, "backoff_initial": 0.01, "backoff_max": 0.01}, log={"format": "json"}
    )
    corpus = write_corpus(daemon.alerts, 100)
    program = """
import sys
from wazuh_dfn.kinds.router import Router
from wazuh_dfn.cli import main

async def fail(self, lifeline):
    lifeline.started()
    async for _ in lifeline.messages():
        raise RuntimeError("planted")

Router.run = fail
main(sys.argv[1:])
"""
    command = [sys.executable, "-c", program, "run", "--config", daemon.config]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    [figures] = [json.loads(text) for text in done.stderr.splitlines() if '"event": "gave up"' in text]
    assert (figures["lines_read"], figures["in_flight"], figures["restarts"]) == (100, 100, {"router": 3})
    assert "RuntimeError" in done.stderr.splitlines()[-1]
    with daemon:
        wait_until_settled(daemon, corpus)
    assert len(read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)) == corpus.relevant
