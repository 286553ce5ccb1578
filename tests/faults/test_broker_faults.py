"""The daemon as a process while its broker is killed, frozen, cut off, slow: nothing is lost, memory stays flat, it recovers in seconds."""

import time
from pathlib import Path

import psutil
import pytest

from support.brokers import MockBroker
from support.checkpoints import has_settled_all
from support.consumer_check import lost_and_repeated
from support.corpus import Corpus, write_corpus
from support.daemon import TOPIC, Daemon
from support.kafka_read import read_all
from support.outage import Cost, append, wait_until_mailboxes_are_full, wait_until_settled

pytestmark = pytest.mark.integration


def test_a_broker_stopped_and_restarted_on_its_data_gets_all_in_order(tmp_path, broker):
    daemon = Daemon(tmp_path, broker.bootstrap, kafka={"timeout": 60})
    corpus = Corpus()
    append(daemon, corpus, 2_000)
    with daemon:
        for _ in range(3):
            wait_until_settled(daemon, corpus)
            broker.stop()
            append(daemon, corpus, 2_000)
            time.sleep(1)
            memory = daemon.peak_memory_mib()
            broker.restart()
            wait_until_settled(daemon, corpus, timeout=30)
        assert daemon.peak_memory_mib() < memory + 15
        assert daemon.stop() == 0
    records = read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)
    assert lost_and_repeated(corpus, records)[0] == []


def test_a_frozen_broker_is_noticed_waited_for_at_little_cost_and_then_served(tmp_path, broker):
    daemon = Daemon(tmp_path, broker.bootstrap, kafka={"timeout": 3, "retry_interval": 1})
    corpus = write_corpus(daemon.alerts, 1_000)
    with daemon:
        wait_until_settled(daemon, corpus)
        broker.freeze()
        append(daemon, corpus, 20_000)
        daemon.wait_for_log("broker unavailable")
        wait_until_mailboxes_are_full(daemon)
        cost = Cost(daemon)
        time.sleep(3)
        assert cost.cores() < 0.15, "of one core, while waiting"
        assert cost.wake_ups() < 100
        assert cost.reads()[0] <= 10, "system calls: nothing is read that nobody takes"
        broker.thaw()
        wait_until_settled(daemon, corpus)
        assert daemon.stop() == 0
    records = read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)
    assert lost_and_repeated(corpus, records)[0] == []


def test_a_partition_that_moves_to_another_node_is_followed(tmp_path):
    with MockBroker(num=3) as broker:
        daemon = Daemon(tmp_path, broker.bootstrap, kafka={"timeout": 4, "retry_interval": 0.5})
        corpus = Corpus()
        append(daemon, corpus, 500)
        with daemon:
            wait_until_settled(daemon, corpus)
            for node in (1, 2, 3):
                broker.down(node)
                append(daemon, corpus, 500)
                time.sleep(0.5)
                broker.up(node)
                wait_until_settled(daemon, corpus, 40)
            assert daemon.stop() == 0
        records = read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)
    assert lost_and_repeated(corpus, records)[0] == []


def test_out_of_file_descriptors_is_survived(tmp_path, broker):
    daemon = Daemon(tmp_path, broker.bootstrap, kafka={"timeout": 3})
    corpus = write_corpus(daemon.alerts, 1_000)
    with daemon:
        wait_until_settled(daemon, corpus)
        process = psutil.Process(daemon.process.pid)
        limit = process.rlimit(psutil.RLIMIT_NOFILE)
        process.rlimit(psutil.RLIMIT_NOFILE, (3, limit[1]))  # what is open stays so, and nothing more can be opened
        broker.stop()
        append(daemon, corpus, 1_000)
        broker.restart()
        daemon.wait_for_log("Too many open files")
        process.rlimit(psutil.RLIMIT_NOFILE, limit)
        wait_until_settled(daemon, corpus)
        assert daemon.stop() == 0
    records = read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)
    assert lost_and_repeated(corpus, records)[0] == []


def test_nothing_is_held_open_of_the_files_that_were_rotated_away(tmp_path, broker):
    daemon = Daemon(tmp_path, broker.bootstrap)
    corpus = Corpus()

    append(daemon, corpus, 100)
    with daemon:
        for number in range(5):
            daemon.wait_until(lambda: has_settled_all(daemon))
            daemon.alerts.rename(tmp_path / f"old-{number}")
            append(daemon, corpus, 100)
        daemon.wait_until(lambda: has_settled_all(daemon))
        held = [Path(file.path).name for file in psutil.Process(daemon.process.pid).open_files()]
        assert [name for name in held if name.startswith("old")] == []
        assert daemon.stop() == 0
    records = read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)
    assert lost_and_repeated(corpus, records) == ([], 0)
