"""The real daemon on Apache Kafka itself: three nodes, mutual TLS, ACLs. What a site's cluster does to it, and that nothing is lost.

All tests on Apache Kafka are in this one file: xdist gives a file to one worker (`--dist loadfile`), and only one cluster is to run.
"""

import datetime as dt
import json
import os
import time
from typing import ClassVar

import pytest
import trustme

from support.checking import run_check
from support.checkpoints import settled
from support.corpus import line, windows_alert
from support.kafka_read import read_all_with_times
from support.kafka_site import KafkaSite
from support.outage import PERFECT, append, append_bytes, complaints
from support.wrong_clock import set_clock

pytestmark = [pytest.mark.integration, pytest.mark.apache_kafka]


class TestKafka39:
    """The release before 4.x. These tests come first: their cluster has ended before that of the others starts."""

    SETTINGS: ClassVar = {"min.insync.replicas": 1}
    """There is one node."""

    @pytest.fixture
    def site(self, tmp_path, apache_kafka_3_9):
        assert "Kafka version: 3.9." in apache_kafka_3_9.nodes[0].log.read_text()
        return KafkaSite(tmp_path, apache_kafka_3_9)

    @pytest.mark.parametrize("compression", ["gzip", "zstd"])
    def test_write_on_the_one_topic_is_all_that_an_idempotent_producer_needs_on_3_9(self, site, compression):
        with site.prepare(rights=["WRITE"], topic_settings=self.SETTINGS, compression_type=compression):
            append(site.daemon, site.corpus, 10_000)
            assert site.finish() == PERFECT
        assert complaints(site.daemon) == []

    def test_a_right_that_is_missing_is_named_on_3_9(self, site, apache_kafka_3_9):
        daemon = site.prepare(rights=["DESCRIBE"], topic_settings=self.SETTINGS)
        append(daemon, site.corpus, 500)
        with daemon:
            daemon.wait_for_log("broker unavailable")
            [complaint] = complaints(daemon)
            assert f"topic {site.topic}: the right WRITE on it is missing" in complaint
            apache_kafka_3_9.allow(site.topic, site.topic, "WRITE")
            assert site.finish() == PERFECT

    def test_a_node_of_3_9_restarted_under_load_loses_and_repeats_nothing(self, site, apache_kafka_3_9):
        with site.prepare(topic_settings=self.SETTINGS, timeout=30):
            with site.under_load():
                apache_kafka_3_9.nodes[0].restart()
                site.wait_for_more()
            assert site.finish() == PERFECT


def test_write_and_describe_on_the_one_topic_are_all_that_an_idempotent_producer_needs(site):
    with site.prepare():
        append(site.daemon, site.corpus, 20_000)
        assert site.finish() == PERFECT
    assert complaints(site.daemon) == []


def test_write_includes_describe(site):
    with site.prepare(rights=["WRITE"]):
        append(site.daemon, site.corpus, 500)
        assert site.finish() == PERFECT
    assert complaints(site.daemon) == []


@pytest.mark.parametrize("idempotence", [True, False], ids=["idempotent", "plain"])
@pytest.mark.parametrize(
    ("rights", "denied", "missing"), [(["DESCRIBE"], [], "WRITE"), ([], [], "DESCRIBE"), (["WRITE"], ["DESCRIBE"], "DESCRIBE")]
)
def test_a_right_that_is_missing_is_named_and_once_it_is_granted_all_arrives(site, kafka, rights, denied, missing, idempotence):
    daemon = site.prepare(rights=rights, idempotence=idempotence)
    kafka.deny(site.topic, site.topic, *denied)
    append(daemon, site.corpus, 500)
    with daemon:
        daemon.wait_for_log("broker unavailable")
        [complaint] = complaints(daemon)
        assert f"topic {site.topic}: the right {missing} on it is missing" in complaint
        assert "needs_operator=true" in complaint
        assert settled(daemon) == 0
        kafka.forget_acls()
        kafka.allow(site.topic, site.topic, "WRITE")
        assert site.finish() == PERFECT


@pytest.mark.parametrize("rights", [["WRITE"], ["WRITE", "CREATE"]])
def test_a_topic_that_does_not_exist_and_may_not_be_made_is_named_and_delivery_begins_once_it_is_there(site, kafka, rights):
    daemon = site.prepare(rights=rights, topic=False, timeout=4)
    append(daemon, site.corpus, 500)
    with daemon:
        daemon.wait_for_log("broker unavailable")
        [complaint] = complaints(daemon)
        assert f"topic {site.topic} does not exist" in complaint
        assert "needs_operator=true" in complaint
        assert site.topic not in kafka.admin.list_topics(timeout=10).topics
        kafka.create_topic(site.topic)
        assert site.finish() == PERFECT


def test_without_enough_replicas_in_sync_it_waits_and_then_goes_on(site, kafka):
    """Two of three are enough. With one the broker refuses all records (NOT_ENOUGH_REPLICAS), until the others are back."""
    with site.prepare(timeout=40):
        with site.under_load():
            leader = kafka.leader(site.topic)
            first, second = (node for node in kafka.nodes if node is not leader)
            first.stop()
            assert site.wait_for_more() < 20
            second.stop()
            kafka.wait_until_in_sync(site.topic, 1)
            time.sleep(1)  # what was acknowledged before gets into the checkpoint
            waiting = settled(site.daemon)
            time.sleep(2)
            assert settled(site.daemon) == waiting < site.corpus.size
            kafka.start()
            assert site.wait_for_more() < 20
        assert site.finish() == PERFECT


def test_a_leader_killed_under_load_costs_seconds_and_nothing_else(site, kafka):
    """The timeout is longer than the cluster needs to notice (3 s here, 9 s by default), so nothing is sent twice."""
    with site.prepare(timeout=30):
        with site.under_load():
            former = kafka.leader(site.topic)
            former.kill()
            assert site.wait_for_more() < 20
            assert kafka.leader(site.topic) is not former
            kafka.start()
            kafka.wait_until_in_sync(site.topic)
            site.wait_for_more()
        assert site.finish() == PERFECT


def test_a_leader_frozen_under_load_is_left_after_the_timeout(site, kafka):
    """The cluster has another leader after 3 s. The daemon waits for the former one for half of its timeout, then asks who leads by now."""
    with site.prepare(timeout=8):
        with site.under_load():
            former = kafka.leader(site.topic)
            former.freeze()
            site.wait_for_more(timeout=90)
            assert kafka.leader(site.topic) is not former
            kafka.start()
            kafka.wait_until_in_sync(site.topic)
            site.wait_for_more()
        assert site.finish() == PERFECT


def test_a_killed_follower_is_waited_for_until_the_cluster_gives_it_up(site, kafka):
    with site.prepare(timeout=30):
        with site.under_load():
            leader = kafka.leader(site.topic)
            follower = next(node for node in kafka.nodes if node is not leader)
            follower.kill()
            site.wait_for_more()
            follower.start()
            kafka.wait_until_in_sync(site.topic)
        assert site.finish() == PERFECT
    assert complaints(site.daemon) == []


def test_an_outage_longer_than_the_timeout_loses_and_repeats_nothing(site, kafka):
    """A majority is killed. The daemon tells after its timeout, and goes on trying with the same producer and the same numbers."""
    with site.prepare(timeout=4):
        with site.under_load():
            for node in kafka.nodes[:2]:
                node.kill()
            site.daemon.wait_for_log("broker unavailable")
            time.sleep(3)
            kafka.start()
            assert site.wait_for_more() < 20
        assert site.finish() == PERFECT


def test_a_rolling_restart_and_the_leader_moved_back_are_hardly_noticed(site, kafka):
    gaps = []
    with site.prepare():
        with site.under_load():
            preferred = kafka.leader(site.topic)
            for node in sorted(kafka.nodes, key=lambda each: each is preferred):
                node.restart()
                kafka.wait_until_in_sync(site.topic)
                gaps.append(site.wait_for_more())
            assert kafka.leader(site.topic) is not preferred
            kafka.move_leader_back(site.topic)
            assert kafka.leader(site.topic) is preferred
            gaps.append(site.wait_for_more())
        assert site.finish() == PERFECT
    assert max(gaps) < 15
    assert complaints(site.daemon) == []


def test_a_record_larger_than_the_broker_takes_is_the_only_one_that_is_dead_lettered(site):
    daemon = site.prepare(topic_settings={"max.message.bytes": 30_000})
    append(daemon, site.corpus, 2_000)
    refused = windows_alert(10**6)
    refused["data"]["win"]["eventdata"]["noise"] = os.urandom(50_000).hex()
    place = append_bytes(daemon, site.corpus, line(refused))
    append(daemon, site.corpus, 2_000)
    with daemon:
        assert site.finish() == PERFECT
    assert complaints(daemon) == []
    [note] = [json.loads(path.read_text()) for path in daemon.dead_letters.glob("*.json")]
    assert (note["stage"], note["offset"]) == ("rejected", place)


def test_a_quota_is_obeyed_and_nothing_is_lost_or_repeated(site, kafka):
    """The broker lets three seconds' worth pass before it throttles (ten by default)."""
    rate = 150_000
    daemon = site.prepare(compression_type="none", max_batch_bytes=50_000, timeout=30)
    append(daemon, site.corpus, 12_000)
    with kafka.quota(site.topic, rate), daemon:
        began = time.monotonic()
        site.wait_until_settled()
        seconds = time.monotonic() - began
        assert site.finish() == PERFECT
    sent = sum(len(value) for _, _, value in site.records())
    assert seconds > 0.7 * (sent / rate - 3) > 2
    assert complaints(daemon) == []


def test_send_test_compares_clocks_where_the_broker_stamps_the_records(site):
    daemon = site.prepare(topic_settings={"message.timestamp.type": "LogAppendTime"})
    daemon.alerts.touch()
    said = run_check(daemon.config, "--send-test")
    assert "differ by less than" in said.one("clock", "ok").text


def test_a_quota_that_stops_us_for_longer_than_the_timeout_is_obeyed_and_told(site, kafka):
    """The first batch is worth six seconds more than the four that the broker averages over. It does not read on before."""
    rate, timeout = 4_000, 3
    daemon = site.prepare(compression_type="none", max_batch_bytes=40_000, timeout=timeout)
    append(daemon, site.corpus, 600)
    with kafka.quota(site.topic, rate), daemon:
        began = time.monotonic()
        site.wait_until_settled()
        assert time.monotonic() - began > 5
        assert all("the broker's quota is exceeded, sending resumes at" in each for each in complaints(daemon))
        assert complaints(daemon)
        assert site.finish() == PERFECT
    records = read_all_with_times(kafka.bootstrap, site.topic, expect=site.corpus.relevant)
    first_batch = sum(len(value) for _, _, value, at in records if at == records[0][3])
    assert sum(len(value) for _, _, value, _ in records) > first_batch > rate * timeout


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_kafkas_own_consumer_reads_every_compression(site, kafka, compression):
    with site.prepare(compression_type=compression):
        append(site.daemon, site.corpus, 1_000)
        assert site.finish() == PERFECT
    arguments = ("--topic", site.topic, "--from-beginning", "--max-messages", str(site.corpus.relevant), "--timeout-ms", "20000")
    lines = kafka.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", *arguments).splitlines()
    assert len([json.loads(each) for each in lines]) == site.corpus.relevant


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_login_by_password_is_used_by_the_daemon_and_by_check(site, kafka, mechanism):
    daemon = site.prepare_login(mechanism, "rightpassword")
    kafka.set_password(site.topic, "rightpassword")
    append(daemon, site.corpus, 500)
    assert run_check(daemon.config).of("ok") >= {"topic", "topic-write", "idempotence"}
    with daemon:
        assert site.finish() == PERFECT
    assert complaints(daemon) == []


def test_a_wrong_password_is_named_and_once_it_is_right_all_arrives(site, kafka):
    daemon = site.prepare_login("SCRAM-SHA-512", "rightpassword")
    kafka.set_password(site.topic, "another")
    append(daemon, site.corpus, 500)
    with daemon:
        daemon.wait_for_log("broker unavailable")
        found = run_check(daemon.config).one("kafka", "failure")
        assert "the broker refused the login (kafka.sasl_username)" in found.text
        assert "kafka.sasl_mechanism" in found.remedy
        kafka.set_password(site.topic, "rightpassword")
        assert site.finish(90) == PERFECT
    [complaint] = complaints(daemon)
    assert "the broker refused the login (kafka.sasl_username)" in complaint
    assert "code=login-refused" in complaint
    assert "rightpassword" not in daemon.log_text()


HOURS = 3600
DAYS = 24 * HOURS


@pytest.mark.parametrize(
    ("fast_by", "settings", "healed"),
    [(2 * HOURS, {}, "the clock"), (-2 * HOURS, {"message.timestamp.before.max.ms": HOURS * 1000}, "the bound")],
    ids=["fast, with Kafka's own bound", "slow, with a bound of the topic"],
)
def test_a_wrong_clock_is_named_and_once_the_clock_or_the_topics_bound_is_changed_all_arrives(site, kafka, fast_by, settings, healed):
    daemon = site.prepare(topic_settings=settings)
    set_clock(daemon, fast_by)
    append(daemon, site.corpus, 500)
    with daemon:
        daemon.wait_for_log("broker unavailable")
        [complaint] = complaints(daemon)
        assert "INVALID_TIMESTAMP" in complaint
        assert "check this machine's clock" in complaint
        assert "needs_operator=true" in complaint
        append(daemon, site.corpus, 500)
        time.sleep(1)
        assert settled(daemon) == 0
        if healed == "the clock":
            set_clock(daemon, 0)
        else:
            kafka.configure_topic(site.topic, **{"message.timestamp.before.max.ms": DAYS * 1000})
        assert site.finish() == PERFECT
    assert list(daemon.dead_letters.glob("*")) == []


@pytest.mark.parametrize("fast_by", [-2 * DAYS, 2 * DAYS], ids=["slow", "fast"])
def test_where_the_broker_stamps_the_records_a_wrong_clock_does_not_matter(site, kafka, fast_by):
    bounds = {f"message.timestamp.{bound}.max.ms": 1000 for bound in ("before", "after")}
    daemon = site.prepare(topic_settings={"message.timestamp.type": "LogAppendTime"} | bounds)
    set_clock(daemon, fast_by)
    append(daemon, site.corpus, 500)
    began = time.time()
    with daemon:
        assert site.finish() == PERFECT
    assert complaints(daemon) == []
    times = [record[3] for record in read_all_with_times(kafka.bootstrap, site.topic, expect=site.corpus.relevant)]
    assert began - 1 < min(times) <= max(times) < time.time() + 1


def test_a_batch_that_has_become_too_old_for_the_topics_bound_is_stamped_again(site, kafka):
    """The leader is frozen for less time than the cluster needs to notice. When it reads the batch, that is older than the bound."""
    daemon = site.prepare(topic_settings={"message.timestamp.before.max.ms": 500}, timeout=30)
    with daemon:
        append(daemon, site.corpus, 500)
        site.wait_until_settled()
        kafka.leader(site.topic).freeze()
        append(daemon, site.corpus, 500)
        time.sleep(1.5)
        kafka.start()
        assert site.finish() == PERFECT
    assert "INVALID_TIMESTAMP" in complaints(daemon)[-1]
    assert list(daemon.dead_letters.glob("*")) == []


@pytest.mark.parametrize("how", ["after SIGHUP", "at the next attempt"])
def test_a_client_certificate_that_is_exchanged_while_connected_is_used(site, kafka, how):
    """The new certificate has another user, so the broker shows which of the two is used."""
    with site.prepare():
        with site.under_load():
            former, renewed = site.topic, f"{site.topic}-renewed"
            kafka.allow(renewed, site.topic, "WRITE")
            kafka.certificates.client_named(renewed, name=former)
            if how == "after SIGHUP":
                site.reload()
                site.wait_for_more()
            kafka.deny(former, site.topic, "WRITE")
            site.wait_for_more()
        assert site.finish() == PERFECT
    assert len(complaints(site.daemon)) == (how != "after SIGHUP")


def test_a_client_certificate_that_expires_while_the_daemon_runs_is_named_and_once_it_is_replaced_all_arrives(site, kafka):
    """The broker looks at the date in the handshake alone: the connection that there is goes on, the next one is refused."""
    daemon = site.prepare()
    expires = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=5)
    kafka.certificates.client_named(site.topic, not_after=expires)
    append(daemon, site.corpus, 500)
    with daemon:
        site.wait_until_settled()
        time.sleep(max(0, (expires - dt.datetime.now(dt.UTC)).total_seconds()) + 1)
        append(daemon, site.corpus, 500)
        site.wait_until_settled()
        assert complaints(daemon) == []
        site.reload()
        waiting = site.corpus.size
        append(daemon, site.corpus, 500)
        daemon.wait_for_log("broker unavailable")
        [complaint] = complaints(daemon)
        assert f"the broker refused our client certificate (dfn.dfn_cert): it expired on {expires:%Y-%m-%d %H:%M} UTC" in complaint
        assert "needs_operator=true" in complaint
        assert "remedy=" in complaint
        told = [
            text for text in daemon.log_text().splitlines() if "a certificate expires soon" in text or "a certificate has expired" in text
        ]
        assert len(told) == 2
        assert all(f"{expires:%Y-%m-%d %H:%M}" in text for text in told)
        assert "expired on" in run_check(daemon.config).one("certificate", "failure").text
        assert settled(daemon) == waiting
        kafka.certificates.client_named(site.topic)
        assert site.finish() == PERFECT


def test_a_broker_certificate_of_the_same_ca_is_not_noticed_and_one_of_another_ca_is_named(site, kafka):
    """In the end the CA of the configuration signs the broker's certificate again."""
    certificates, other_ca = kafka.certificates, trustme.CA()
    daemon = site.prepare()
    try:
        with daemon:
            with site.under_load():
                kafka.show_certificate(certificates.another_server("renewed"))
                site.reload()
                site.wait_for_more()
            site.wait_until_settled()
            assert complaints(daemon) == []
            kafka.show_certificate(certificates.another_server("of-another-ca", other_ca))
            site.reload()
            waiting = site.corpus.size
            append(daemon, site.corpus, 500)
            daemon.wait_for_log("broker unavailable")
            [complaint] = complaints(daemon)
            assert "the broker's certificate is not signed by the configured CA (dfn.dfn_ca)" in complaint
            assert "needs_operator=true" in complaint
            assert settled(daemon) == waiting
            kafka.show_certificate(certificates.server)
            assert site.finish() == PERFECT
    finally:
        kafka.show_certificate(certificates.server)


def test_without_an_election_of_replicas_out_of_sync_it_waits_for_the_one_that_has_all(site, kafka):
    """Two replicas: the third node is the majority of the controllers that is needed to find out that a replica is out of sync."""
    leader, follower, _ = kafka.nodes
    settings = {"unclean.leader.election.enable": "false", "min.insync.replicas": 1}
    daemon = site.prepare(replicas=[leader.number, follower.number], topic_settings=settings, timeout=4)
    with daemon:
        append(daemon, site.corpus, 500)
        site.wait_until_settled()
        follower.stop()
        append(daemon, site.corpus, 500)
        site.wait_until_settled()
        leader.kill()
        append(daemon, site.corpus, 500)
        follower.start()
        kafka.wait_until_without_leader(site.topic)
        waiting = settled(daemon)
        daemon.wait_until(lambda: "has no leader at the moment" in daemon.log_text(), what="a log line that says what is missing")
        assert "broker is back" not in daemon.log_text().rsplit("has no leader at the moment", 1)[1]
        time.sleep(2)
        assert "broker is back" not in daemon.log_text().rsplit("has no leader at the moment", 1)[1]
        assert kafka.leader_number(site.topic) < 0
        assert settled(daemon) == waiting < site.corpus.size
        leader.start()
        assert site.finish() == PERFECT
