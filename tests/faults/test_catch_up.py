"""The daemon as a process with a backlog of both kinds, while more is written: in which order all of it arrives, and when."""

import time
from random import Random
from statistics import median

import pytest

from support.checkpoints import settled
from support.corpus import Corpus, flood, furthest_overtaken, lines_of_kinds, number_of
from support.daemon import TOPIC, Daemon
from support.kafka_read import read_all
from support.outage import PERFECT, outcome, wait_until_settled
from support.tls_proxy import TlsProxy

pytestmark = pytest.mark.integration
CHUNK_BYTES = 262_144
MAILBOX_CAPACITY = 2


def append(daemon, corpus, kinds):
    with daemon.alerts.open("ab") as file:
        file.writelines(lines_of_kinds(kinds, corpus))


def seconds_to_settlement(daemon, corpus):
    """Write one alert; returns the time until it is settled by the checkpoint, which is written some time after the acknowledgement."""
    began = time.monotonic()
    append(daemon, corpus, ["windows"])
    wait_until_settled(daemon, corpus)
    return time.monotonic() - began


def test_in_a_catch_up_no_kind_starves_what_is_written_meanwhile_follows_and_after_it_alerts_are_fast_at_once(tmp_path, broker):
    """A flood of Windows with a few bans, then one of bans with a few of Windows, towards a slow broker; new alerts queue behind both.

    No batch is overtaken by more than 2 * `mailbox_capacity` of the other kind (tests/virtual_time/test_fairness.py tells why).
    """
    random, corpus = Random(1), Corpus()
    with TlsProxy(None, broker.bootstrap, host="127.0.0.1") as proxy:
        proxy.hide(broker.bootstrap)
        proxy.delay = 0.02
        daemon = Daemon(tmp_path, proxy.address, supervisor={"mailbox_capacity": MAILBOX_CAPACITY, "read_chunk_bytes": CHUNK_BYTES})
        append(daemon, corpus, [kind for flooding in ("windows", "fail2ban") for kind in flood(random, flooding, 10_000, once_in=2_500)])
        backlog = corpus.size
        with daemon:
            for part in range(1, 5):
                daemon.wait_until(lambda goal=part * backlog // 8: settled(daemon) >= goal)
                append(daemon, corpus, ["windows", "fail2ban"] * 50)
            assert settled(daemon) < backlog, "it was too fast to show anything"
            wait_until_settled(daemon, corpus)
            proxy.delay = 0
            delays = [seconds_to_settlement(daemon, corpus) for _ in range(20)]
            assert daemon.stop() == 0
    records = read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)
    assert outcome(corpus, records) == PERFECT
    places = [(kind, corpus.offsets[number]) for kind, number in (number_of(value) for _, _, value in records)]
    assert furthest_overtaken(places) < (2 * MAILBOX_CAPACITY + 1) * CHUNK_BYTES < backlog / 4
    assert median(delays) < 2, "seconds, of which reading, sending, the checkpoint and looking at it take 0.1, and more on a busy machine"
