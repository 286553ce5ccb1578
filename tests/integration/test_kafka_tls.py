"""Mutual TLS to a real broker behind a proxy: the right certificates deliver, each wrong one gives its own reason."""

import datetime as dt
import shutil
import ssl
import warnings

import anyio
import pytest

from support.brokers import TansuBroker
from support.certs import make_certificates
from support.kafka_read import read_all
from support.tls_proxy import TlsProxy
from wazuh_dfn.adapters.kafka_options import KafkaOptions, TlsFiles
from wazuh_dfn.adapters.kafka_producer import AiokafkaProducerFactory
from wazuh_dfn.errors import BrokerUnavailableError

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


async def test_no_client_certificate(proxy, certs):
    reason = await refusal(options(proxy, ca=certs.ca))
    assert reason == (
        f"TLS to {proxy.address} failed: the broker refused our client certificate: it demands one and none is configured (dfn.dfn_cert)"
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
    assert "the broker refused our client certificate (dfn.dfn_cert): it has expired" in await refusal(wanted)

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
    with pytest.raises(BrokerUnavailableError, match=r"speaks TLS, but the configuration says plaintext|does this port want TLS"):
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
