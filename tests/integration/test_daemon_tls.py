"""Mutual TLS of the whole daemon: the right certificates deliver, wrong ones do not, and the log says which is wrong."""

import pytest

from support.corpus import arrived, write_corpus
from support.daemon import TOPIC, Daemon
from support.kafka_read import read_all
from support.outage import wait_until_settled

pytestmark = pytest.mark.integration


def daemon_with(tmp_path, address, certificates, *, ca=None, client=None):
    pair = client or certificates.client
    files = {"dfn_ca": str(ca or certificates.ca), "dfn_cert": str(pair.certificate), "dfn_key": str(pair.key)}
    return Daemon(tmp_path, address, dfn=files, kafka={"idempotence": False}, supervisor={"shutdown_timeout": 2})


def test_the_right_certificates_deliver(tmp_path, proxy, certificates):
    daemon = daemon_with(tmp_path, proxy.address, certificates)
    corpus = write_corpus(daemon.alerts, 1_000)
    with daemon:
        wait_until_settled(daemon, corpus)
        assert daemon.stop() == 0
    records = read_all(proxy.address, TOPIC, expect=corpus.relevant, ssl_context=certificates.client_context())
    assert arrived(records, "windows") == corpus.windows


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("ca", "dfn.dfn_ca"),
        ("expired", "expired"),
        ("host", "127.0.0.1"),
        ("client", "client certificate"),
    ],
)
def test_a_wrong_certificate_delivers_nothing_and_the_log_says_what_is_wrong(tmp_path, proxy, certificates, wrong, said):
    address, options = proxy.address, {}
    if wrong == "ca":
        options["ca"] = certificates.other_ca
    elif wrong == "expired":
        proxy.serve(certificates.server_context(certificates.expired_server))
    elif wrong == "host":
        address = f"127.0.0.1:{proxy.port}"
    else:
        options["client"] = certificates.untrusted_client
    daemon = daemon_with(tmp_path, address, certificates, **options)
    write_corpus(daemon.alerts, 100)
    with daemon:
        daemon.wait_for_log("broker unavailable")
        [line] = [text for text in daemon.log_text().splitlines() if "broker unavailable" in text]
        assert said in line
        assert "needs_operator=true remedy=" in line
        assert daemon.stop() == 0
    proxy.serve(certificates.server_context())
    assert not read_all(proxy.address, TOPIC, expect=0, ssl_context=certificates.client_context())
