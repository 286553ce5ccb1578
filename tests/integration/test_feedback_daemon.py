"""The daemon as a process, a real broker, and a real socket as Wazuh's queue: it is told everything, and delays nothing."""

import json
import re
import socket
import time

import pytest

from support.brokers import free_port
from support.checkpoints import settled
from support.corpus import line, windows_alert, write_corpus
from support.daemon import TOPIC, Daemon
from support.kafka_read import read_all
from support.outage import PERFECT, append, outcome, wait_until_settled
from support.tls_proxy import TlsProxy
from support.wazuh_queue import WazuhQueue
from wazuh_dfn.wazuh.feedback_queue import CAPACITY_BYTES

pytestmark = pytest.mark.integration
LINES = 2_000


def daemon_at(folder, bootstrap, **wazuh):
    return Daemon(folder, bootstrap, wazuh={"retry_interval": 0.2, **wazuh}, log={"format": "json"})


def last_report(daemon):
    """Return the figures that the daemon logs when it has stopped."""
    return [json.loads(text) for text in daemon.log_text().splitlines() if '"event": "stopped"' in text][-1]


def ids(corpus):
    return [f"1767319445.{number}" for number in corpus.offsets]


def deliver(daemon, broker, lines=LINES, told_to=None):
    """Run the daemon over a file of so many lines, stop it, and compare what the broker has; returns corpus and last report."""
    corpus = write_corpus(daemon.alerts, lines)
    with daemon:
        wait_until_settled(daemon, corpus)
        if told_to is not None:  # a stop waits a second for it, which is too short on a busy machine
            daemon.wait_until(lambda: len(told_to.delivered()) >= corpus.relevant)
        assert daemon.stop() == 0
    assert outcome(corpus, read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)) == PERFECT
    return corpus, last_report(daemon)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_wazuh_is_told_each_delivery_once_after_a_greeting(tmp_path, broker, kind):
    daemon = daemon_at(tmp_path, broker.bootstrap)
    with WazuhQueue(daemon.socket, kind) as queue:
        corpus, report = deliver(daemon, broker, told_to=queue)
    assert [content.get("description", "").startswith("wazuh-dfn ") for content in queue.contents()[:2]] == [True, False]
    assert sorted(queue.delivered()) == sorted(ids(corpus))
    assert (report["feedback"], report["feedback_sent"], report["feedback_dropped"]) == ("connected", corpus.relevant + 1, 0)
    assert all(re.match(rb"1:(\[001\] \(host-1\.example\.org\) 198\.51\.100\.1->)?dfn:\{", message) for message in queue.messages)


def test_a_catch_up_of_thousands_is_told(tmp_path, broker):
    """While it goes on, and not only what was kept to its end. How much is dropped depends on how soon Wazuh reads.

    The broker is as slow as this process is: when this is kept from reading what Wazuh is told, the catch-up stands still too.
    """
    lines = [line(windows_alert(number) | {"full_log": "x" * 1_000}) for number in range(8_000)]
    with TlsProxy(None, broker.bootstrap, host="127.0.0.1") as proxy:
        proxy.hide(broker.bootstrap)
        proxy.delay = 0.02
        daemon = daemon_at(tmp_path, proxy.address)
        daemon.alerts.write_bytes(b"".join(lines))
        with WazuhQueue(daemon.socket) as queue, daemon:
            daemon.wait_until(lambda: settled(daemon) == daemon.alerts.stat().st_size)
            assert daemon.stop() == 0
    report = last_report(daemon)
    told = queue.delivered()
    assert (report["feedback_sent"], report["feedback_dropped"]) == (len(told) + 1, 8_000 - len(told))
    kept_at_most = CAPACITY_BYTES // len(lines[0])
    assert len(told) > 1.5 * kept_at_most
    assert told == sorted(told, key=lambda alert_id: int(alert_id.partition(".")[2]))


def test_a_tcp_listener_is_told_too(tmp_path, broker):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        daemon = daemon_at(tmp_path, broker.bootstrap, unix_socket_path=["127.0.0.1", listener.getsockname()[1]], integration_name="soc")
        daemon.alerts.write_bytes(line(windows_alert(1)))
        with daemon:
            peer, _ = listener.accept()
            with peer, peer.makefile("rb") as lines:
                peer.settimeout(20)
                assert next(lines).startswith(b'1:soc:{"integration":"soc","description":')
                assert next(lines).startswith(
                    b'1:[001] (host-1.example.org) 198.51.100.1->soc:{"integration":"soc","alert_id":"1767319445.1"'
                )
            assert daemon.stop() == 0


def test_without_wazuh_everything_arrives_one_line_says_so_and_what_was_not_told_is_counted(tmp_path, broker):
    daemon = daemon_at(tmp_path, broker.bootstrap)
    corpus, report = deliver(daemon, broker)
    assert (report["feedback"], report["feedback_sent"], report["feedback_dropped"]) == ("absent", 0, corpus.relevant)
    assert daemon.log_text().count("cannot send feedback to Wazuh") == 1
    assert "the socket does not exist" in report["feedback_problem"]


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_wazuh_that_reads_nothing_delays_no_record_and_no_stop(tmp_path, broker, kind):
    daemon = daemon_at(tmp_path, broker.bootstrap, write_timeout=60)
    with WazuhQueue(daemon.socket, kind, reads=False) as queue:
        corpus = write_corpus(daemon.alerts, 20_000)
        with daemon:
            wait_until_settled(daemon, corpus, 60)
            append(daemon, corpus, 100)
            wait_until_settled(daemon, corpus, 30)
            began = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - began < 15, "seconds, of which 1 for the rest; below the shutdown_timeout"
        assert outcome(corpus, read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)) == PERFECT
        report = last_report(daemon)
        assert report["feedback_dropped"] > 0
        assert report["feedback_sent"] + report["feedback_dropped"] == corpus.relevant + 1
        if kind == socket.SOCK_DGRAM:
            assert len(queue.read_all()) == report["feedback_sent"]


def test_a_wazuh_that_hangs_is_noticed_and_told_again_when_it_reads(tmp_path, broker):
    daemon = daemon_at(tmp_path, broker.bootstrap, write_timeout=0.5)
    with WazuhQueue(daemon.socket, reads=False) as queue:
        corpus = write_corpus(daemon.alerts, LINES)
        with daemon:
            daemon.wait_for_log("Wazuh does not read")
            wait_until_settled(daemon, corpus)
            daemon.wait_until(lambda: len(set(queue.read_all())) > corpus.relevant)
            assert daemon.stop() == 0
        assert set(queue.delivered()) == set(ids(corpus))
        assert len(queue.delivered()) == corpus.relevant, "a datagram that was not taken in time is sent again, not twice"


def test_after_a_restart_wazuh_is_greeted_again_and_told_what_came_meanwhile(tmp_path, broker):
    daemon = daemon_at(tmp_path, broker.bootstrap)
    corpus = write_corpus(daemon.alerts, 100)
    with daemon, WazuhQueue(daemon.socket) as queue:
        daemon.wait_until(lambda: len(queue.delivered()) == corpus.relevant)
        for _ in range(2):
            queue.close()
            append(daemon, corpus, 100)
            wait_until_settled(daemon, corpus)
            queue.open()
            daemon.wait_until(lambda: len(queue.delivered()) == corpus.relevant)
        assert len(queue.greetings()) == 3
        assert sorted(queue.delivered()) == sorted(ids(corpus))
        assert daemon.stop() == 0
    assert last_report(daemon)["feedback_dropped"] == 0


def test_a_broker_that_is_away_is_told_to_wazuh_once(tmp_path):
    daemon = daemon_at(tmp_path, f"127.0.0.1:{free_port()}")
    daemon.alerts.write_bytes(line(windows_alert(1)))
    with WazuhQueue(daemon.socket) as queue, daemon:
        daemon.wait_until(queue.errors)
        time.sleep(1)
        (error,) = queue.errors()
        assert error.startswith("broker unavailable, alerts wait in the file: ")
        daemon.kill()


def test_an_event_without_payload_is_told_to_wazuh_as_an_error_and_sent(tmp_path, broker):
    daemon = daemon_at(tmp_path, broker.bootstrap)
    alert = windows_alert(1)
    del alert["data"]["win"]["eventdata"]
    with WazuhQueue(daemon.socket) as queue:
        daemon.alerts.write_bytes(line(alert))
        with daemon:
            daemon.wait_until(lambda: queue.errors() and queue.delivered())
            assert daemon.stop() == 0
    assert queue.errors() == ["Windows event without eventdata, sent without payload: alert 1767319445.1"]
    assert queue.delivered() == ["1767319445.1"]


def test_feedback_can_be_turned_off(tmp_path, broker):
    daemon = daemon_at(tmp_path, broker.bootstrap, feedback=False)
    with WazuhQueue(daemon.socket) as queue:
        _, report = deliver(daemon, broker, 100)
    assert queue.messages == []
    assert (report["feedback"], report["feedback_sent"], report["feedback_dropped"]) == ("off", 0, 0)
