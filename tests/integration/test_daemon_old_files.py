"""A configuration file of version 0.23 with every key starts the daemon unchanged, and it delivers."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.brokers import TansuBroker
from support.corpus import arrived, write_corpus
from support.daemon import TOPIC
from support.kafka_read import read_all
from support.tls_proxy import TlsProxy

pytestmark = pytest.mark.integration

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.mark.parametrize("name", ["wazuh-dfn-0.23.yaml", "wazuh-dfn-0.23.toml"])
def test_a_full_file_of_old_delivers_over_tls(tmp_path, certificates, name):
    (tmp_path / "certs").mkdir()
    for link, target in (
        ("dfn-ca", certificates.ca),
        ("dfn-cert", certificates.client.certificate),
        ("dfn-key", certificates.client.key),
    ):
        (tmp_path / "certs" / f"{link}.pem").symlink_to(target)
    with TlsProxy(certificates.server_context()) as proxy, TansuBroker(advertised=proxy.address) as broker:
        proxy.upstream = broker.bootstrap
        broker.create_topic(TOPIC)
        config = tmp_path / name
        config.write_text((FIXTURES / name).read_text().replace("@FOLDER@", str(tmp_path)).replace("@BROKER@", proxy.address))
        corpus = write_corpus(tmp_path / "alerts.json", 200)
        # what has no key in old files: where state is kept, and that the test broker refuses idempotence
        new = [f"--wazuh-checkpoint-file={tmp_path}/state/checkpoint.json", "--wazuh-start-at=beginning", "--kafka-idempotence=false"]
        process = subprocess.Popen([sys.executable, "-m", "wazuh_dfn", "--config", str(config), *new], stderr=subprocess.PIPE, text=True)
        try:
            records = read_all(proxy.address, TOPIC, expect=len(corpus.windows), ssl_context=certificates.client_context())
            assert arrived(records, "windows") == corpus.windows
            assert arrived(records, "fail2ban") == [], "own_network is set, and the addresses are not global"
        finally:
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=120)
    assert process.returncode == 0, log
    assert "misc.num_workers is not needed" in log
    assert (tmp_path / "wazuh-dfn.log").exists()
