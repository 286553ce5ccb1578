"""What brokers do to daemons: slow, moved, killed, refusing, forgetful. Nothing is lost, the order holds, it costs little."""

import json
import os
import time

import pytest

from support.brokers import MockBroker, NoidaBroker
from support.checkpoints import settled
from support.corpus import line, windows_alert, write_corpus
from support.daemon import TOPIC, Daemon
from support.kafka_read import read_all
from support.outage import (
    PERFECT,
    Cost,
    append,
    append_bytes,
    complaints,
    create_limited_topic,
    delete_topic,
    forbid_new_topics,
    outcome,
    own_ports,
    repeated_before,
    wait_until_mailboxes_are_full,
    wait_until_settled,
)
from support.tls_proxy import TlsProxy

pytestmark = pytest.mark.integration

PRODUCE = 0


@pytest.fixture
def proxy(broker):
    with TlsProxy(None, broker.bootstrap, host="127.0.0.1") as running:
        running.hide(broker.bootstrap)
        yield running


def what_arrived(broker, corpus):
    return read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)


def assert_only_what_was_in_doubt_is_repeated(corpus, records, begin):
    lost, _, misplaced = outcome(corpus, records)
    assert (lost, misplaced) == ([], [])
    assert repeated_before(corpus, records, begin) == []


def test_connections_cut_in_mid_batch_lose_and_repeat_nothing(tmp_path, broker, proxy):
    daemon = Daemon(tmp_path, proxy.address, kafka={"max_batch_bytes": 20_000})
    corpus = write_corpus(daemon.alerts, 20_000)
    proxy.delay = 0.02  # else a fast machine is done before the last cut
    with daemon:
        for part in range(1, 6):
            daemon.wait_until(lambda goal=part * corpus.size // 8: settled(daemon) >= goal)
            before = proxy.connections
            proxy.cut()
            daemon.wait_until(lambda before=before: proxy.connections > before, what="another connection")
        wait_until_settled(daemon, corpus)
        assert daemon.stop() == 0
    assert outcome(corpus, what_arrived(broker, corpus)) == PERFECT


def test_a_slow_broker_gets_all_once_in_order_and_memory_stays_flat(tmp_path, broker, proxy):
    """Each byte is read once, whatever happens meanwhile; and the slower the broker is, the less there is to do."""
    daemon = Daemon(tmp_path, proxy.address)
    corpus = write_corpus(daemon.alerts, 40_000)
    with daemon:
        wait_until_settled(daemon, corpus)
        memory = daemon.peak_memory_mib()
        proxy.delay = 0.05
        begin, cost = append(daemon, corpus, 80_000), Cost(daemon)
        began = time.monotonic()
        wait_until_settled(daemon, corpus)
        seconds = time.monotonic() - began
        assert seconds > 2, "it was not slow enough to show anything"
        calls, read = cost.reads()
        assert read < 1.1 * (corpus.size - begin)
        assert calls < 500 + 200 * seconds, "a few for each chunk, and whenever a file without news is looked at"
        proxy.delay = 1
        append(daemon, corpus, 20_000)
        wait_until_mailboxes_are_full(daemon)
        cost = Cost(daemon)
        time.sleep(3)
        assert cost.cores() < 0.15, "of one core"
        assert cost.wake_ups() < 100
        proxy.delay = 0
        wait_until_settled(daemon, corpus)
        assert daemon.peak_memory_mib() < memory + 15, "while the backlog grew"
        assert daemon.stop() == 0
    assert complaints(daemon) == []
    assert outcome(corpus, what_arrived(broker, corpus)) == PERFECT


def test_answers_slower_than_the_timeout_lose_nothing_and_are_caught_up(tmp_path, broker, proxy):
    daemon = Daemon(tmp_path, proxy.address, kafka={"timeout": 3, "max_batch_bytes": 50_000})
    corpus = write_corpus(daemon.alerts, 2_000)
    with daemon:
        wait_until_settled(daemon, corpus)
        proxy.delay = 1.5
        begin = append(daemon, corpus, 2_000)
        daemon.wait_for_log("broker unavailable")
        time.sleep(0.3)  # several checkpoints
        assert settled(daemon) == begin, "a record that may have arrived is not one that was acknowledged"
        proxy.delay = 0
        wait_until_settled(daemon, corpus)
        assert daemon.stop() == 0
    assert_only_what_was_in_doubt_is_repeated(corpus, what_arrived(broker, corpus), begin)


def test_a_deleted_topic_is_named_and_delivery_resumes_once_it_is_there_again(tmp_path, broker):
    daemon = Daemon(tmp_path, broker.bootstrap, kafka={"timeout": 3})
    corpus = write_corpus(daemon.alerts, 500)
    with daemon:
        wait_until_settled(daemon, corpus)
        forbid_new_topics(broker.bootstrap)
        delete_topic(broker.bootstrap)
        begin = append(daemon, corpus, 500)
        daemon.wait_for_log(f"topic {TOPIC} does not exist")
        assert any("does not exist" in complaint and "needs_operator=true" in complaint for complaint in complaints(daemon))
        append(daemon, corpus, 500)
        assert settled(daemon) == begin
        broker.create_topic(TOPIC, 3)
        wait_until_settled(daemon, corpus)
        assert daemon.stop() == 0
    records = read_all(broker.bootstrap, TOPIC, expect=100)
    assert outcome(corpus, records, since=begin) == PERFECT
    assert len({partition for partition, _, _ in records}) == 1


def test_a_topic_made_anew_behind_the_daemons_back_gets_what_follows(tmp_path, broker):
    """The new topic has never heard of the producer's numbering: a real OutOfOrderSequenceNumber, and with it a real new producer."""
    daemon = Daemon(tmp_path, broker.bootstrap)
    corpus = write_corpus(daemon.alerts, 500)
    with daemon:
        wait_until_settled(daemon, corpus)
        delete_topic(broker.bootstrap)
        broker.create_topic(TOPIC)
        begin = append(daemon, corpus, 500)
        wait_until_settled(daemon, corpus)
        [complaint] = complaints(daemon)
        assert "OUT_OF_ORDER_SEQUENCE_NUMBER" in complaint
        assert daemon.stop() == 0
    assert outcome(corpus, read_all(broker.bootstrap, TOPIC, expect=50), since=begin) == PERFECT


@pytest.mark.parametrize("code", [45, 47, 59], ids=["OutOfOrderSequence", "InvalidProducerEpoch", "UnknownProducerId"])
def test_a_producer_that_is_broken_for_good_is_replaced_and_what_was_in_flight_is_sent_again(tmp_path, code):
    with MockBroker() as broker:
        broker.create_topic(TOPIC)
        daemon = Daemon(tmp_path, broker.bootstrap)
        corpus = write_corpus(daemon.alerts, 500)
        with daemon:
            wait_until_settled(daemon, corpus)
            former = own_ports(daemon)
            broker.push_errors(PRODUCE, code)
            append(daemon, corpus, 500)
            wait_until_settled(daemon, corpus)
            assert former
            assert not former & own_ports(daemon), "a new producer has new connections"
            [complaint] = complaints(daemon)
            assert "no longer accepts this producer's sequence numbers, a new producer is needed" in complaint
            append(daemon, corpus, 500)
            wait_until_settled(daemon, corpus)
            assert daemon.stop() == 0
        assert outcome(corpus, what_arrived(broker, corpus)) == PERFECT


@pytest.mark.parametrize("former_one_is", ["stopped", "frozen"])
def test_a_broker_under_another_address_is_found_by_the_name_that_stayed(tmp_path, broker, former_one_is):
    with TlsProxy(None, broker.bootstrap, host="127.0.0.1") as name, NoidaBroker(tmp_path / "other") as other:
        daemon = Daemon(tmp_path, name.address, kafka={"timeout": 3})
        corpus = write_corpus(daemon.alerts, 500)
        with daemon:
            wait_until_settled(daemon, corpus)
            broker.stop() if former_one_is == "stopped" else broker.freeze()
            begin = append(daemon, corpus, 500)
            daemon.wait_for_log("broker unavailable")
            assert settled(daemon) == begin
            other.create_topic(TOPIC)
            name.upstream = other.bootstrap
            name.cut()
            wait_until_settled(daemon, corpus, timeout=30)
            assert daemon.stop() == 0
        records = read_all(other.bootstrap, TOPIC, expect=50)
    assert outcome(corpus, records, since=begin) == PERFECT


def test_one_record_that_the_broker_refuses_is_dead_lettered_and_the_others_keep_their_order(tmp_path):
    with NoidaBroker(tmp_path / "broker") as broker:
        create_limited_topic(broker.bootstrap, max_message_bytes=30_000)
        daemon = Daemon(tmp_path, broker.bootstrap)
        corpus = write_corpus(daemon.alerts, 2_000)
        refused = windows_alert(10**6)
        refused["data"]["win"]["eventdata"]["noise"] = os.urandom(50_000).hex()
        place = append_bytes(daemon, corpus, line(refused))
        append(daemon, corpus, 2_000)
        with daemon:
            wait_until_settled(daemon, corpus)
            assert complaints(daemon) == [], "a refusal is no outage"
            assert daemon.stop() == 0
        assert outcome(corpus, what_arrived(broker, corpus)) == PERFECT
    [note] = [json.loads(path.read_text()) for path in daemon.dead_letters.glob("*.json")]
    assert (note["stage"], note["offset"]) == ("rejected", place)
    [raw] = daemon.dead_letters.glob("*.raw")
    assert json.loads(raw.read_bytes()) == refused


def test_a_long_outage_after_kill_9_costs_next_to_nothing_and_is_over_in_seconds(tmp_path, broker):
    """What this broker acknowledged last is lost by itself when it is killed, so only what was written later is judged."""
    daemon = Daemon(tmp_path, broker.bootstrap, kafka={"timeout": 3})
    corpus = write_corpus(daemon.alerts, 20_000)
    with daemon:
        wait_until_settled(daemon, corpus)
        broker.kill()
        begin = append(daemon, corpus, 20_000)
        daemon.wait_for_log("broker unavailable")
        wait_until_mailboxes_are_full(daemon)
        cost = Cost(daemon)
        for _ in range(10):
            append(daemon, corpus, 1_000)
            time.sleep(0.5)
            cost.measure()
        assert cost.cores() < 0.15, "of one core, while waiting"
        assert cost.wake_ups() < 100
        assert cost.reads()[0] <= 10, "system calls: nothing is read that nobody takes"
        assert max(cost.descriptors) - min(cost.descriptors) <= 4
        assert max(cost.resident) - cost.resident[0] < 10, "MiB"
        assert len(complaints(daemon)) == 1, "the same reason is logged once"
        assert settled(daemon) == begin
        broker.start()
        wait_until_settled(daemon, corpus, timeout=20)
        assert daemon.stop() == 0
    assert outcome(corpus, read_all(broker.bootstrap, TOPIC, expect=3_000), since=begin) == PERFECT


def test_a_stop_while_the_broker_is_frozen_ends_in_time_and_the_next_start_delivers_the_rest(tmp_path, broker):
    daemon = Daemon(tmp_path, broker.bootstrap, kafka={"timeout": 60}, supervisor={"shutdown_timeout": 2})
    corpus = write_corpus(daemon.alerts, 2_000)
    with daemon:
        wait_until_settled(daemon, corpus)
        broker.freeze()
        begin = append(daemon, corpus, 5_000)
        time.sleep(0.5)  # until a batch is on its way
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 15, "seconds, of which 2 to wait for acknowledgements; the timeout is a minute"
    assert settled(daemon) == begin, "what was not acknowledged is not checkpointed"
    broker.thaw()
    with daemon:
        wait_until_settled(daemon, corpus)
        assert daemon.stop() == 0
    assert_only_what_was_in_doubt_is_repeated(corpus, what_arrived(broker, corpus), begin)
