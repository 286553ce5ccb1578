"""The real daemon on Apache Kafka itself: three nodes, mutual TLS, ACLs. What a site's cluster does to it, and that nothing is lost.

All tests on Apache Kafka are in this one file, as xdist gives a file to one worker (`--dist loadfile`), and only one cluster is to run.
"""

import time

import pytest

from support.outage import PERFECT, append, complaints

pytestmark = [pytest.mark.integration, pytest.mark.apache_kafka]


def test_write_and_describe_on_the_one_topic_are_enough(site):
    with site.prepare():
        append(site.daemon, site.corpus, 20_000)
        assert site.finish() == PERFECT
    assert complaints(site.daemon) == []


def test_a_killed_node(site, kafka):
    with site.prepare():
        with site.under_load():
            leader = kafka.leader(site.topic)
            leader.kill()
            print("gap", site.wait_for_more())
            leader.start()
            print("gap2", site.wait_for_more())
        print(site.finish())
    print(site.corpus.relevant, site.daemon.log_text()[-5000:])


def test_rolling(site, kafka):
    with site.prepare():
        with site.under_load():
            for node in kafka.nodes:
                t=time.monotonic()
                node.restart()
                kafka.wait_until_in_sync(site.topic)
                print("restart", time.monotonic()-t, "gap", site.wait_for_more())
            first = kafka.leader(site.topic)
            kafka.move_leader_back(site.topic)
            print(first.number, kafka.leader(site.topic).number, site.wait_for_more())
        print(site.finish())
    print(site.corpus.relevant, site.daemon.log_text()[-5000:])
