"""Certificates that run out under a running daemon: it says so, and takes new files from the disk without a restart."""

import shutil

import pytest

from support.checkpoints import settled
from support.corpus import write_corpus
from support.daemon import TOPIC, Daemon
from support.kafka_read import read_all
from support.outage import PERFECT, append, complaints, outcome, wait_until_settled

pytestmark = pytest.mark.integration


class ClientFiles:
    """The daemon's certificate and key, as an administrator replaces them."""

    def __init__(self, folder, pair):
        self.certificate, self.key = folder / "client.pem", folder / "client-key.pem"
        self.put(pair)

    def put(self, pair):
        self.put_certificate(pair)
        self.put_key(pair)

    def put_certificate(self, pair):
        shutil.copy(pair.certificate, self.certificate)

    def put_key(self, pair):
        shutil.copy(pair.key, self.key)


def daemon_with(tmp_path, address, certificates, files):
    dfn = {"dfn_ca": str(certificates.ca), "dfn_cert": str(files.certificate), "dfn_key": str(files.key)}
    return Daemon(tmp_path, address, dfn=dfn, kafka={"idempotence": False, "timeout": 6}, supervisor={"shutdown_timeout": 5})


def what_arrived(proxy, certificates, corpus):
    return read_all(proxy.address, TOPIC, expect=corpus.relevant, ssl_context=certificates.client_context())


@pytest.mark.parametrize("replaced", ["at once", "the key later", "gone in between"])
def test_an_expired_client_certificate_replaced_on_disk_is_picked_up_without_a_restart(tmp_path, proxy, certificates, replaced):
    files = ClientFiles(tmp_path, certificates.expired_client)
    daemon = daemon_with(tmp_path, proxy.address, certificates, files)
    corpus = write_corpus(daemon.alerts, 1_000)
    with daemon:
        daemon.wait_for_log("broker unavailable")
        [complaint] = complaints(daemon)
        assert "our client certificate (dfn.dfn_cert): it expired on " in complaint
        assert "needs_operator=true" in complaint
        if replaced == "the key later":
            files.put_certificate(certificates.client)
            daemon.wait_for_log("it is not the key of the certificate")
        elif replaced == "gone in between":
            files.key.unlink()
            daemon.wait_for_log("cannot read certificate file")
        assert settled(daemon) == 0
        files.put(certificates.client)
        wait_until_settled(daemon, corpus)
        assert "broker is back" in daemon.log_text()
        assert daemon.stop() == 0
    assert outcome(corpus, what_arrived(proxy, certificates, corpus)) == PERFECT


def test_a_certificate_that_runs_out_under_an_open_connection_is_told_at_the_next_one_and_can_be_renewed(tmp_path, proxy, certificates):
    files = ClientFiles(tmp_path, certificates.client)
    daemon = daemon_with(tmp_path, proxy.address, certificates, files)
    corpus = write_corpus(daemon.alerts, 500)
    with daemon:
        wait_until_settled(daemon, corpus)
        files.put(certificates.expired_client)
        begin = append(daemon, corpus, 500)
        wait_until_settled(daemon, corpus)
        assert complaints(daemon) == [], "an open connection is not asked again"
        begin = corpus.size
        proxy.refuse()
        proxy.cut()
        append(daemon, corpus, 500)
        daemon.wait_for_log("connection refused")
        proxy.accept()
        daemon.wait_for_log("it expired on")
        assert settled(daemon) == begin
        files.put(certificates.client)
        wait_until_settled(daemon, corpus)
        assert daemon.stop() == 0
    assert outcome(corpus, what_arrived(proxy, certificates, corpus)) == PERFECT
