"""A connection that breaks under the daemon and can't be made again: it is told soon, with its cause, and the broker is not beset."""

import time

import psutil
import pytest

from support.certs import make_certificates
from support.corpus import write_corpus
from support.daemon import TOPIC, Daemon
from support.kafka_read import read_all
from support.outage import PERFECT, append, complaints, outcome, wait_until_settled
from support.tls_proxy import TlsProxy

pytestmark = pytest.mark.integration

HOST = "127.0.0.1"
WATCHED_SECONDS = 10
MOST_ATTEMPTS = 13
"""In that time; at most 30 in a minute."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"), HOST)


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("others"), HOST)


@pytest.fixture
def proxy(broker, certificates):
    with TlsProxy(certificates.server_context(), broker.bootstrap, HOST) as running:
        running.hide(broker.bootstrap)
        yield running


def closed(proxy, certificates, others):
    """Each attempt is accepted and closed at once, so that it can be counted."""
    proxy.closing = True


def no_longer_trusted(proxy, certificates, others):
    proxy.serve(others.server_context(verify_client=False))


def refuses_us(proxy, certificates, others):
    context = others.server_context()
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)
    proxy.serve(context)


def runs_out(proxy, certificates, others):
    proxy.serve(certificates.server_context(certificates.expired_server))


FAULTS = {
    closed: "closed the connection",
    no_longer_trusted: "is not signed by the configured CA",
    refuses_us: "the broker refused our client certificate",
    runs_out: "the broker's certificate expired on",
}


@pytest.mark.parametrize(
    ("fault", "is_busy"),
    [*((fault, True) for fault in FAULTS), (closed, False), (refuses_us, False)],
    ids=lambda each: each.__name__ if callable(each) else {True: "busy", False: "idle"}[each],
)
def test_a_connection_that_breaks_is_told_within_seconds_and_dialled_with_patience(
    tmp_path, broker, proxy, certificates, others, fault, is_busy
):
    dfn = {"dfn_ca": str(certificates.ca), "dfn_cert": str(certificates.client.certificate), "dfn_key": str(certificates.client.key)}
    daemon = Daemon(tmp_path, proxy.address, dfn=dfn, kafka={"timeout": 60, "retry_interval": 5, "slow_retry_interval": 60})
    corpus = write_corpus(daemon.alerts, 1_000)
    with daemon:
        wait_until_settled(daemon, corpus)
        memory = psutil.Process(daemon.process.pid).memory_info().rss
        fault(proxy, certificates, others)
        proxy.cut()
        if is_busy:
            append(daemon, corpus, 1_000)
        before, began = proxy.connections, time.monotonic()
        daemon.wait_for_log("broker unavailable", timeout=8)
        assert time.monotonic() - began < 5 + 2, "seconds, of which two for a busy machine"
        time.sleep(WATCHED_SECONDS - (time.monotonic() - began))
        assert proxy.connections - before <= MOST_ATTEMPTS
        assert psutil.Process(daemon.process.pid).memory_info().rss < memory + 25 * 2**20, "half of it for a library that tells why, once"
        [complaint] = complaints(daemon)
        assert FAULTS[fault] in complaint
        proxy.closing = False
        proxy.serve(certificates.server_context())
        daemon.wait_for_log("broker is back", timeout=15)
        append(daemon, corpus, 1_000)
        wait_until_settled(daemon, corpus)
        assert daemon.stop() == 0
    assert outcome(corpus, read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)) == PERFECT
