"""Brokers that are within reach of an HTTP proxy alone: names that this machine can't look up, behind CONNECT."""

from dataclasses import replace

import pytest

from support.brokers import free_port
from support.certs import make_certificates
from support.checking import Site
from support.daemon import TOPIC
from support.http_proxy import HttpProxy
from support.kafka_read import read_all
from support.tls_proxy import TlsProxy
from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.aiokafka_producer import AiokafkaProducerFactory
from wazuh_dfn.kafka.faults import BrokerUnavailableError, FaultCode
from wazuh_dfn.kafka.producer_options import KafkaOptions, TlsFiles

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

BROKER = "kafka.soc.invalid:443"


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certs"), "kafka.soc.invalid")


@pytest.fixture(scope="module")
def broker(shared_broker):
    return shared_broker


@pytest.fixture(scope="module")
def server_context(certs):
    context = certs.server_context()
    certs.authority.issue_cert(BROKER.split(":", maxsplit=1)[0], "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(params=["TLS", "plaintext"])
def tls(request, certs):
    return TlsFiles(certs.ca, certs.client.certificate, certs.client.key) if request.param == "TLS" else None


@pytest.fixture
def proxy(broker, tls, server_context):
    with TlsProxy(server_context if tls else None, broker.bootstrap) as terminating, HttpProxy(terminating.address) as running:
        yield running


def options(proxy, tls):
    address = BrokerAddress("127.0.0.1", proxy.port)
    return KafkaOptions(BROKER, TOPIC, idempotence=False, timeout_seconds=3, tls=tls, proxy=address)


async def refusal(wanted):
    with pytest.raises(BrokerUnavailableError) as caught:
        await AiokafkaProducerFactory(wanted).connect()
    return caught.value.fault


async def test_what_only_the_proxy_can_reach_is_delivered(proxy, tls, broker):
    topic = "tls" if tls else "plaintext"
    broker.create_topic(topic)
    factory = AiokafkaProducerFactory(replace(options(proxy, tls), topic=topic))
    producer = await factory.connect()
    await producer.deliver([b"alert"])
    await factory.close(producer)
    assert [value for _, _, value in read_all(broker.bootstrap, topic, expect=1)] == [b"alert"]
    assert set(proxy.asked) == {f"CONNECT {address} HTTP/1.1" for address in (BROKER, broker.bootstrap)}


async def test_a_broker_that_the_proxy_does_not_connect_to(proxy, tls):
    proxy.answer = b"HTTP/1.1 403 Forbidden by policy\r\n\r\n"
    fault = await refusal(options(proxy, tls))
    assert fault.code is FaultCode.PROXY_REFUSED
    assert fault.text == f"the proxy {proxy.address} does not connect to {BROKER}: 403 Forbidden by policy"
    assert fault.code.needs_operator


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"", b"x" * 70_000], ids=["ssh", "nothing", "without an end"])
async def test_a_port_that_is_no_proxys(proxy, tls, answer):
    proxy.answer = answer
    fault = await refusal(options(proxy, tls))
    assert fault.text == f"{proxy.address} does not answer like an HTTP proxy (kafka.proxy)"


async def test_a_proxy_that_is_off(proxy, tls):
    proxy.refuse()
    fault = await refusal(options(proxy, tls))
    assert fault.code is FaultCode.PROXY_UNREACHABLE
    assert f"cannot connect to the proxy {proxy.address}: " in fault.text


async def test_a_proxy_that_never_answers(proxy, tls):
    proxy.answer = b"HTTP/1.1 200 "
    fault = await refusal(options(proxy, tls))
    assert fault.code is FaultCode.PROXY_NO_WAY
    assert f"the proxy {proxy.address} did not connect to {BROKER} within" in fault.text


async def test_a_proxy_whose_name_is_unknown(tls):
    fault = await refusal(KafkaOptions(BROKER, TOPIC, timeout_seconds=3, tls=tls, proxy=BrokerAddress("proxy.invalid", free_port())))
    assert fault.code is FaultCode.PROXY_UNREACHABLE
    assert fault.text.startswith("cannot connect to the proxy proxy.invalid:")


def test_check_goes_through_the_proxy_too(proxy, tls):
    files = {} if tls is None else {"dfn_ca": str(tls.ca), "dfn_cert": str(tls.certificate), "dfn_key": str(tls.key)}
    kafka = {"idempotence": False, "proxy": f"http://{proxy.address}"} | ({} if tls else {"security_protocol": "PLAINTEXT"})
    with Site(BROKER, dfn=files, kafka=kafka) as site:
        outcome = site.check("--send-test")
    assert outcome.one("broker-tcp", "ok").text == f"{BROKER} accepts connections through the proxy {proxy.address}"
    assert outcome.of("ok") >= {"broker-name", "kafka", "topic", "send-test"}
    assert not outcome.of("failure") - {"key-permissions"}, outcome.text
