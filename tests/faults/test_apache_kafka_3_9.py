"""The real daemon on Apache Kafka 3.9: the release before 4.x, in its own file because its cluster must not run beside the other one."""

import pytest

from support.kafka_site import KafkaSite
from support.outage import PERFECT, append, complaints

pytestmark = [pytest.mark.integration, pytest.mark.apache_kafka]


@pytest.fixture
def site(tmp_path, apache_kafka_3_9):
    assert "Kafka version: 3.9." in apache_kafka_3_9.nodes[0].log.read_text()
    return KafkaSite(tmp_path, apache_kafka_3_9)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_kafka_3_9_takes_every_record_once_over_mutual_tls_with_write_on_the_topic(site, compression):
    with site.prepare(rights=["WRITE"], topic_settings={"min.insync.replicas": 1}, compression_type=compression):
        append(site.daemon, site.corpus, 10_000)
        assert site.finish() == PERFECT
    assert complaints(site.daemon) == []


def test_kafka_3_9_restarted_under_load_loses_and_repeats_nothing(site, apache_kafka_3_9):
    with site.prepare(topic_settings={"min.insync.replicas": 1}, timeout=30):
        with site.under_load():
            apache_kafka_3_9.nodes[0].restart()
            site.wait_for_more()
        assert site.finish() == PERFECT


def test_kafka_3_9_names_the_right_that_is_missing(site, apache_kafka_3_9):
    daemon = site.prepare(rights=["DESCRIBE"], topic_settings={"min.insync.replicas": 1})
    append(daemon, site.corpus, 500)
    with daemon:
        daemon.wait_for_log("broker unavailable")
        [complaint] = complaints(daemon)
        assert f"topic {site.topic}: the right WRITE on it is missing" in complaint
        apache_kafka_3_9.allow(site.topic, site.topic, "WRITE")
        assert site.finish() == PERFECT
