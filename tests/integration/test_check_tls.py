"""`wazuh-dfn check` and certificates, ours and the broker's: for each way to be wrong the line, the remedy and the exit code."""

import datetime as dt
import os
import ssl
import tempfile
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from support.brokers import TansuBroker, free_port
from support.checking import Site, as_ordinary_user
from support.daemon import TOPIC
from support.kafka_read import read_all
from support.tls_proxy import TlsProxy
from wazuh_dfn.check import delivery_checks as delivery

pytestmark = pytest.mark.integration

NOW = dt.datetime.now(dt.UTC)


class Folder:
    """Certificates of one authority, in a folder that another user can enter; keys are closed to others."""

    def __init__(self, path):
        self.path = path
        self.authority, self.other_authority = trustme.CA(), trustme.CA()
        self.ca = self.write("ca.pem", self.authority.cert_pem.bytes())
        self.other_ca = self.write("other-ca.pem", self.other_authority.cert_pem.bytes())
        self.client = self.issue("client", self.authority)

    def write(self, name, data, mode=0o644):
        path = self.path / name
        path.write_bytes(data)
        path.chmod(mode)
        return str(path)

    def issue(self, name, authority, **options):
        leaf = authority.issue_cert("client@example.org", **options)
        return self.write_pair(name, b"".join(blob.bytes() for blob in leaf.cert_chain_pems), leaf.private_key_pem.bytes())

    def write_pair(self, name, certificate, key, mode=0o600):
        return {"dfn_cert": self.write(f"{name}.pem", certificate), "dfn_key": self.write(f"{name}-key.pem", key, mode)}

    def server_context(self, **options):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("localhost", **options).configure_cert(context)
        context.load_verify_locations(self.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(prefix="certificates-") as path:
        Path(path).chmod(0o755)  # unlike pytest's own, so that another user gets in
        yield Folder(Path(path))


@pytest.fixture(scope="module")
def proxy(folder):
    with TlsProxy(folder.server_context()) as running, TansuBroker(advertised=running.address) as broker:
        running.upstream = broker.bootstrap
        broker.create_topic(TOPIC)
        yield running


@pytest.fixture
def check(proxy, folder):
    """Run the check against the proxy; `files` change keys of [dfn]."""

    def run(*arguments, address=proxy.address, kafka=None, **files):
        with Site(address, dfn={"dfn_ca": folder.ca} | folder.client | files, kafka={"idempotence": False} | (kafka or {})) as site:
            return site.check(*arguments)

    yield run
    proxy.serve(folder.server_context())


def read(path):
    return Path(path).read_bytes()


def test_the_right_certificates_pass_and_the_brokers_is_described(check):
    outcome = check()
    assert outcome.code == 0
    assert outcome.of("ok") >= {"ca", "certificate", "key", "key-permissions", "certificate-chain", "broker-tls", "topic"}
    shown = outcome.one("broker-certificate", "info").text
    assert "issued by " in shown
    assert shown.endswith("for localhost (TLSv1.3)")
    assert "more days" in outcome.one("broker-certificate", "ok").text


def test_a_record_is_sent_over_tls_on_request(check, proxy, folder):
    outcome = check("--send-test")
    assert outcome.code == 0
    assert "was delivered to topic" in outcome.one("send-test", "ok").text
    context = ssl.create_default_context(cafile=folder.ca)
    context.load_cert_chain(folder.client["dfn_cert"], folder.client["dfn_key"])
    assert len(read_all(proxy.address, TOPIC, expect=1, ssl_context=context)) == 1


def a_missing_file(folder):
    return {"dfn_ca": "/nonexistent/ca.pem"}


def a_folder(folder):
    return {"dfn_ca": str(folder.path)}


def a_closed_file(folder):
    client = folder.write_pair("closed", read(folder.client["dfn_cert"]), read(folder.client["dfn_key"]), 0)
    return {"dfn_key": client["dfn_key"]}


def no_pem(folder):
    return {"dfn_cert": folder.write("no.pem", b"\x30\x82\x01\x0a")}


def another_key(folder):
    return {"dfn_key": folder.issue("another", folder.authority)["dfn_key"]}


def an_encrypted_key(folder):
    key = serialization.load_pem_private_key(read(folder.client["dfn_key"]), None)
    closed = serialization.BestAvailableEncryption(b"secret")
    data = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, closed)
    return {"dfn_key": folder.write("encrypted-key.pem", data, 0o600)}


def an_open_key(folder):
    return folder.write_pair("open", read(folder.client["dfn_cert"]), read(folder.client["dfn_key"]), 0o644)


def the_wrong_order(folder):
    return {"dfn_cert": folder.write("order.pem", read(folder.ca) + read(folder.client["dfn_cert"]))}


def expired(folder):
    return folder.issue("expired", folder.authority, not_after=NOW - dt.timedelta(days=1))


def expired_authority(folder):
    return {"dfn_ca": folder.write("expired-ca.pem", expired_ca(folder))}


def expired_ca(folder):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Former CA")])
    key = serialization.load_pem_private_key(folder.authority.private_key_pem.bytes(), None)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - dt.timedelta(days=9)).not_valid_after(NOW - dt.timedelta(days=1))
    made = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def not_yet_valid(folder):
    return folder.issue("early", folder.authority, not_before=NOW + dt.timedelta(days=1))


def for_servers_only(folder):
    former = x509.load_pem_x509_certificate(read(folder.client["dfn_cert"]))
    builder = x509.CertificateBuilder(former.issuer, former.subject, former.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - dt.timedelta(days=1)).not_valid_after(NOW + dt.timedelta(days=90))
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    authority_key = serialization.load_pem_private_key(folder.authority.private_key_pem.bytes(), None)
    made = builder.sign(authority_key, hashes.SHA256())
    return folder.write_pair("servers", made.public_bytes(serialization.Encoding.PEM), read(folder.client["dfn_key"]))


@pytest.mark.parametrize(
    ("spoil", "finding", "text", "remedy"),
    [
        (a_missing_file, "ca", "the file does not exist", "put the file from DFN-CERT there"),
        (a_folder, "ca", "Is a directory", "put the file from DFN-CERT there"),
        (expired_authority, "ca", "expired on", "get the new CA's file"),
        (a_closed_file, "key", "cannot be read by", "chmod 640"),
        (no_pem, "certificate", "the file does not contain a certificate in PEM format", "in PEM format"),
        (another_key, "key", "is not the key of", "created for this certificate"),
        (an_encrypted_key, "key", "encrypted with a passphrase", "openssl pkey"),
        (an_open_key, "key-permissions", "accessible to every user of this machine (mode 0644)", "chmod o="),
        (the_wrong_order, "key", "belongs to a later certificate", "put our own certificate first"),
        (expired, "certificate", "expired on ", "get a new one"),
        (not_yet_valid, "certificate", "is not valid before ", "timedatectl"),
        (for_servers_only, "certificate", "not a TLS client certificate", "client authentication"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_file_of_ours_that_is_wrong_is_a_failure(check, folder, spoil, finding, text, remedy):
    files = spoil(folder)
    if spoil is a_closed_file:
        check()  # all modules are loaded
        with as_ordinary_user():
            outcome = check(**files)
    else:
        outcome = check(**files)
    assert outcome.code == 1
    found = outcome.one(finding, "failure")
    assert text in found.text
    assert remedy in found.remedy


def test_an_expired_authority_beside_the_one_that_followed_it_is_as_it_should_be(check, folder):
    outcome = check(dfn_ca=folder.write("both.pem", expired_ca(folder) + read(folder.ca)))
    assert outcome.code == 0
    assert "(one of 2 in dfn.dfn_ca)" in outcome.one("ca", "ok").text


def test_a_file_system_that_hangs_ends_in_time(check, folder, monkeypatch):
    """Opening a pipe that nobody writes to waits like a file server that is gone."""
    monkeypatch.setattr(delivery, "DISK_SECONDS", 0.2)
    pipe = folder.path / "pipe"
    os.mkfifo(pipe)
    try:
        outcome = check(dfn_ca=str(pipe))
    finally:
        os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))  # frees the thread
    assert outcome.code == 1
    found = outcome.one("certificates", "failure")
    assert found.text == "no result within 0.2 s"
    assert "the file system" in found.remedy


def test_a_certificate_with_few_days_left_is_a_warning(check, folder):
    outcome = check(**folder.issue("soon", folder.authority, not_after=NOW + dt.timedelta(days=10, hours=12)))
    assert outcome.code == 0
    assert "is valid for 10 more days" in outcome.one("certificate", "warning").text


def test_a_chain_with_an_authority_between_is_followed(check, folder):
    between = folder.authority.create_child_ca()
    pair = folder.issue("chained", between)
    assert "through intermediate certificates" in check(**pair).one("certificate-chain", "ok").text
    first, *_ = read(pair["dfn_cert"]).split(b"-----END CERTIFICATE-----\n")
    alone = folder.write("alone.pem", first + b"-----END CERTIFICATE-----\n")
    outcome = check(dfn_cert=alone, dfn_key=pair["dfn_key"])
    assert "add the intermediate certificates" in outcome.one("certificate-chain", "warning").remedy
    assert "refused our client certificate" in outcome.one("broker-tls", "failure").text


@pytest.mark.parametrize("kind", ["another CA", "expired", "another name", "our certificate refused", "none of ours"])
def test_what_tls_fails_for_is_a_failure(check, proxy, folder, kind):
    files, address = {}, proxy.address
    if kind == "another CA":
        files = {"dfn_ca": folder.other_ca}
        text, remedy = "is not signed by the configured CA (dfn.dfn_ca)", "set dfn.dfn_ca to the CA file"
    elif kind == "expired":
        proxy.serve(folder.server_context(not_after=NOW - dt.timedelta(days=1)))
        text, remedy = "the broker's certificate expired on", "ask DFN-CERT to renew it"
    elif kind == "another name":
        address = f"127.0.0.1:{proxy.port}"
        text, remedy = "not valid for host name 127.0.0.1, only for localhost", "set dfn.dfn_broker to one of the names"
    elif kind == "our certificate refused":
        files = folder.issue("untrusted", folder.other_authority)
        text, remedy = "does not trust the CA that signed it", "set dfn.dfn_cert and dfn.dfn_key to the certificate and key from DFN-CERT"
    else:
        files = {"dfn_cert": "", "dfn_key": ""}
        text, remedy = "requires one and none is configured", "set dfn.dfn_cert and dfn.dfn_key to the certificate and key from DFN-CERT"
    outcome = check(address=address, **files)
    assert outcome.code == 1
    found = outcome.one("broker-tls", "failure")
    assert text in found.text
    assert remedy in found.remedy
    assert outcome.one("broker-certificate", "info"), "what it presents is told all the same"
    if kind == "expired":
        assert "expired on" in outcome.one("broker-certificate", "failure").text


def test_a_brokers_certificate_with_few_days_left_is_a_warning(check, proxy, folder):
    proxy.serve(folder.server_context(not_after=NOW + dt.timedelta(days=10, hours=12)))
    outcome = check()
    assert outcome.code == 0
    assert "10 more days" in outcome.one("broker-certificate", "warning").text


def test_a_port_without_tls_is_a_failure(check, folder):
    with TansuBroker() as broker:
        outcome = check(address=broker.bootstrap, kafka={"timeout": 3})
    assert outcome.code == 1
    assert outcome.one("broker-tls", "failure").text.startswith("TLS to ")


def test_a_port_with_tls_and_a_configuration_without_is_a_failure(check, proxy):
    outcome = check(kafka={"security_protocol": "PLAINTEXT"})
    assert outcome.code == 1
    found = outcome.one("kafka", "failure")
    assert "TLS" in found.text
    assert "kafka.security_protocol" in found.remedy
    assert "certificates of [dfn] are not used" in outcome.one("configuration", "warning").text


def test_a_leader_out_of_reach_is_a_failure_that_names_its_address(check, folder):
    nowhere = f"localhost:{free_port()}"
    with TlsProxy(folder.server_context()) as other, TansuBroker(advertised=nowhere) as broker:
        other.upstream = broker.bootstrap
        broker.create_topic(TOPIC)
        outcome = check(address=other.address)
    assert outcome.code == 1
    found = outcome.one("topic-leader", "failure")
    assert f"its advertised address {nowhere}: connection refused" in found.text
    assert f"allow connections from this machine to {nowhere}" in found.remedy


def test_a_proxy_that_passes_nothing_on_ends_in_time(check, proxy):
    proxy.stalled = True
    try:
        outcome = check(kafka={"timeout": 3})
    finally:
        proxy.stalled = False
    assert outcome.code == 1
    assert "does not answer a Kafka request within 3 s" in outcome.one("kafka", "failure").text
