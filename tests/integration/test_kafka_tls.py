"""Mutual TLS to a real broker behind a proxy: the right certificates deliver, each wrong one gives its own reason."""

import datetime as dt
import shutil
import ssl
import tempfile
import warnings

import anyio
import pytest
import trustme
from cryptography import x509

from support.brokers import TansuBroker
from support.certs import YESTERDAY, expired_copy, make_certificates, revocation_list
from support.kafka_read import read_all
from support.tls_proxy import TlsProxy
from wazuh_dfn.kafka.aiokafka_producer import AiokafkaProducerFactory
from wazuh_dfn.kafka.faults import BrokerUnavailableError
from wazuh_dfn.kafka.producer_options import KafkaOptions, TlsFiles

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def running(certs):
    with TlsProxy(certs.server_context()) as proxy, TansuBroker(advertised=proxy.address) as broker:
        proxy.upstream = broker.bootstrap
        broker.create_topic("alerts")
        yield proxy


@pytest.fixture
def proxy(running, certs):
    yield running
    running.serve(certs.server_context())


def options(proxy, *, ca, pair=None, **more):
    tls = TlsFiles(ca=ca, certificate=pair and pair.certificate, key=pair and pair.key)
    more = {"bootstrap": proxy.address, "timeout_seconds": 6} | more
    return KafkaOptions(topic="alerts", idempotence=False, tls=tls, **more)


async def refusal(wanted):
    factory = AiokafkaProducerFactory(wanted)
    with pytest.raises(BrokerUnavailableError) as caught:
        await factory.close(await factory.connect())
    assert "\n" not in caught.value.reason
    assert caught.value.needs_operator
    return caught.value.reason


async def test_the_right_certificates_deliver(proxy, certs):
    factory = AiokafkaProducerFactory(options(proxy, ca=certs.ca, pair=certs.client))
    producer = await factory.connect()
    values = [b"alert %d" % number for number in range(500)]
    await producer.deliver(values)
    await factory.close(producer)
    found = read_all(proxy.address, "alerts", expect=500, ssl_context=certs.client_context())
    assert [value for _, _, value in found] == values


async def test_a_connection_tells_when_the_certificates_run_out_that_it_was_made_with(proxy, certs):
    news, factory = [], AiokafkaProducerFactory(options(proxy, ca=certs.ca, pair=certs.client))
    await factory.close(await factory.connect(news.append))
    files = {"client": certs.client.certificate, "ca": certs.ca, "broker": certs.server.certificate}
    ends = {whose: x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp() for whose, path in files.items()}
    assert {each.whose: each.expires_at for each in news} == ends


async def test_a_wrong_ca(proxy, certs):
    reason = await refusal(options(proxy, ca=certs.other_ca, pair=certs.client))
    assert reason.startswith(f"TLS to {proxy.address} failed: the broker's certificate is not signed by the configured CA (dfn.dfn_ca)")
    assert "issuer is trustme" in reason


async def test_the_systems_cas(proxy, certs):
    reason = await refusal(options(proxy, ca=None, pair=certs.client))
    assert "is not signed by a CA that this system trusts (dfn.dfn_ca is not set)" in reason


async def test_an_expired_server_certificate(proxy, certs):
    proxy.serve(certs.server_context(certs.expired_server))
    reason = await refusal(options(proxy, ca=certs.ca, pair=certs.client))
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    assert f"TLS to {proxy.address} failed: the broker's certificate expired on {yesterday:%Y-%m-}" in reason


async def test_a_wrong_host_name(proxy, certs):
    reason = await refusal(options(proxy, ca=certs.ca, pair=certs.client, bootstrap=f"127.0.0.1:{proxy.port}"))
    assert reason == (
        f"TLS to 127.0.0.1:{proxy.port} failed: the broker's certificate is not valid for host name 127.0.0.1, only for localhost"
    )


def serve(proxy, certs, leaf, *, chain=None):
    """Let the broker show this certificate of its own, with others after it."""
    context = certs.server_context()
    with tempfile.NamedTemporaryFile() as file:
        pems = [leaf.private_key_pem, leaf.cert_chain_pems[0], *(leaf.cert_chain_pems[1:] if chain is None else ())]
        file.write(b"".join(pem.bytes() for pem in pems) + (chain or b""))
        file.flush()
        context.load_cert_chain(file.name)
    proxy.serve(context)


async def test_a_certificate_with_a_common_name_alone_is_refused(proxy, certs):
    serve(proxy, certs, certs.authority.issue_cert(common_name="localhost"))
    reason = await refusal(options(proxy, ca=certs.ca, pair=certs.client))
    assert "is not valid for host name localhost: it contains no host name as subjectAltName" in reason


@pytest.mark.parametrize("shown", ["with those above it", "alone"])
async def test_the_issuing_ca_is_enough_in_dfn_ca_whether_or_not_the_root_is_there(proxy, certs, tmp_path, shown):
    issuing = certs.authority.create_child_ca()
    serve(proxy, certs, issuing.issue_cert("localhost"), chain=None if shown == "with those above it" else b"")
    ca = tmp_path / "issuing.pem"
    issuing.cert_pem.write_to_path(ca)
    factory = AiokafkaProducerFactory(options(proxy, ca=ca, pair=certs.client))
    producer = await factory.connect()
    await producer.deliver([b"x"])
    await factory.close(producer)


async def test_of_a_chain_the_certificate_that_expired_is_named(proxy, certs):
    issuing = certs.authority.create_child_ca()
    chain = expired_copy(issuing, certs.authority)
    serve(proxy, certs, issuing.issue_cert("localhost"), chain=chain)
    reason = await refusal(options(proxy, ca=certs.ca, pair=certs.client))
    name = x509.load_pem_x509_certificate(chain).subject.rfc4514_string()
    assert f"failed: the broker's intermediate certificate {name} expired on {YESTERDAY:%Y-%m-%d}" in reason


async def test_an_expired_ca_is_named_and_not_the_brokers_certificate(proxy, certs, tmp_path):
    ca = tmp_path / "expired-ca.pem"
    ca.write_bytes(expired_copy(certs.authority, certs.authority))
    reason = await refusal(options(proxy, ca=ca, pair=certs.client))
    assert reason.endswith("the CA's certificate in dfn.dfn_ca expired")


@pytest.mark.parametrize("place", ["a file of its own", "the file of the CA"])
@pytest.mark.parametrize("is_revoked", [True, False])
async def test_a_revocation_list_is_honoured(proxy, certs, tmp_path, place, is_revoked):
    crl, ca = revocation_list(certs.authority, *([certs.server.certificate] if is_revoked else [])), tmp_path / "ca.pem"
    ca.write_bytes(certs.ca.read_bytes() + (crl if place == "the file of the CA" else b""))
    own = tmp_path / "crl.pem"
    own.write_bytes(crl)
    tls = TlsFiles(ca, certs.client.certificate, certs.client.key, own if place == "a file of its own" else None)
    wanted = KafkaOptions(proxy.address, "alerts", idempotence=False, timeout_seconds=6, tls=tls)
    if is_revoked:
        assert "the broker's certificate was revoked" in await refusal(wanted)
    else:
        await AiokafkaProducerFactory(wanted).close(await AiokafkaProducerFactory(wanted).connect())


async def test_a_revocation_list_that_is_out_of_date_or_of_another_ca_is_named(proxy, certs, tmp_path):
    crl = tmp_path / "crl.pem"
    for authority, next_update in ((certs.authority, YESTERDAY), (trustme.CA(), None)):
        crl.write_bytes(revocation_list(authority, next_update=next_update))
        tls = TlsFiles(certs.ca, certs.client.certificate, certs.client.key, crl)
        reason = await refusal(KafkaOptions(proxy.address, "alerts", idempotence=False, timeout_seconds=6, tls=tls))
        assert "the revocation list (dfn.dfn_crl) has no valid entry of the CA" in reason


async def test_no_client_certificate(proxy, certs):
    reason = await refusal(options(proxy, ca=certs.ca))
    assert reason == (
        f"TLS to {proxy.address} failed: the broker refused our client certificate: it requires one and none is configured (dfn.dfn_cert)"
    )


async def test_no_client_certificate_in_tls_1_2(proxy, certs):
    context = certs.server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    proxy.serve(context)
    reason = await refusal(options(proxy, ca=certs.ca))
    assert "client certificate" in reason


async def test_an_untrusted_client_certificate(proxy, certs):
    reason = await refusal(options(proxy, ca=certs.ca, pair=certs.untrusted_client))
    assert "the broker refused our client certificate (dfn.dfn_cert): the broker does not trust the CA that signed it" in reason


async def test_an_expired_client_certificate_replaced_on_disk_is_picked_up(proxy, certs, tmp_path):
    certificate = shutil.copy(certs.expired_client.certificate, tmp_path / "client.pem")
    key = shutil.copy(certs.expired_client.key, tmp_path / "client-key.pem")
    wanted = KafkaOptions(proxy.address, "alerts", idempotence=False, timeout_seconds=6, tls=TlsFiles(certs.ca, certificate, key))
    assert "the broker refused our client certificate (dfn.dfn_cert): it expired on " in await refusal(wanted)

    shutil.copy(certs.client.certificate, certificate)
    shutil.copy(certs.client.key, key)
    factory = AiokafkaProducerFactory(wanted)
    producer = await factory.connect()
    await producer.deliver([b"renewed"])
    await factory.close(producer)


async def test_a_server_that_knows_tls_1_1_only(proxy, certs):
    context = certs.server_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    proxy.serve(context)
    reason = await refusal(options(proxy, ca=certs.ca, pair=certs.client))
    assert reason.endswith("the broker does not speak TLS 1.2 or newer")


async def test_tls_to_a_plaintext_port(proxy, certs):
    address = f"localhost:{proxy.upstream.rsplit(':', 1)[1]}"
    with pytest.raises(BrokerUnavailableError, match=rf"TLS to {address} failed \(does this port speak TLS\?\)"):
        await AiokafkaProducerFactory(options(proxy, ca=certs.ca, bootstrap=address, timeout_seconds=3)).connect()


async def test_plaintext_to_a_tls_port(proxy):
    factory = AiokafkaProducerFactory(KafkaOptions(proxy.address, "alerts", idempotence=False, timeout_seconds=6))
    with pytest.raises(BrokerUnavailableError, match=r"uses TLS, but the configuration sets plaintext|does this port require TLS"):
        await factory.connect()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ca", "dfn.dfn_ca = .*: No such file"),
        ("certificate", "dfn.dfn_cert = .*: No such file"),
        ("key", "dfn.dfn_key = .*: No such file"),
    ],
)
async def test_a_missing_file(certs, proxy, tmp_path, name, why):
    files = {"ca": certs.ca, "certificate": certs.client.certificate, "key": certs.client.key} | {name: tmp_path / "none.pem"}
    wanted = KafkaOptions(proxy.address, "alerts", tls=TlsFiles(**files))
    with pytest.raises(BrokerUnavailableError, match="cannot read certificate file: " + why) as caught:
        await AiokafkaProducerFactory(wanted).connect()
    assert caught.value.needs_operator


async def test_a_cut_connection_heals_within_one_deliver(proxy, certs):
    factory = AiokafkaProducerFactory(options(proxy, ca=certs.ca, pair=certs.client))
    producer = await factory.connect()
    await producer.deliver([b"before"])
    proxy.cut()
    await producer.deliver([b"after"])
    await factory.close(producer)


async def test_connections_cut_again_and_again(proxy, certs, caplog):
    factory = AiokafkaProducerFactory(options(proxy, ca=certs.ca, pair=certs.client))
    producer = await factory.connect()
    for number in range(4):
        await producer.deliver([b"%d" % number])
        proxy.cut()
        await anyio.sleep(0.1)
    await factory.close(producer)
    assert not [record for record in caplog.records if "exception" in record.getMessage().lower()]
