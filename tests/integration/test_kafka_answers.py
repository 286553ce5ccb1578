"""Odd answers of a broker, of a proxy and of TLS, and what is told of them: the right code, once, and never an exception that nobody expects."""

import asyncio
import base64
import datetime as dt
import socket
import ssl
from dataclasses import replace

import pytest

from support.brokers import free_port
from support.certs import make_certificates
from support.http_proxy import HttpProxy
from support.scripted_broker import HANG_UP, INIT_PRODUCER_ID, METADATA, SASL_AUTHENTICATE, SASL_HANDSHAKE, ScriptedBroker
from wazuh_dfn.check.broker import check_broker
from wazuh_dfn.check.topic import check_kafka
from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka import leash
from wazuh_dfn.kafka.aiokafka_producer import AiokafkaProducerFactory
from wazuh_dfn.kafka.certificate_expiry import CertificateSeen
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode
from wazuh_dfn.kafka.ladder import Climb, explain
from wazuh_dfn.kafka.producer_options import KafkaOptions, Login, TlsFiles
from wazuh_dfn.kafka.tls_context import make_tls_contexts

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

BROKER = BrokerAddress("kafka.soc.invalid", 443)
LOGIN = Login("SCRAM-SHA-256", "site", "secret")


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certs"), "127.0.0.1")


@pytest.fixture(scope="module")
def tls(certs):
    return make_tls_contexts(TlsFiles(certs.ca, certs.client.certificate, certs.client.key))


def options(broker, **more):
    return KafkaOptions(broker.address, "alerts", **({"timeout_seconds": 4} | more))


class Told(list):
    """What was told, without certificates."""

    def __call__(self, news):
        if not isinstance(news, CertificateSeen):
            self.append(news)

    async def until(self, count, seconds=8):
        async with asyncio.timeout(seconds):
            while len(self) < count:
                await asyncio.sleep(0.02)
        return self[-1]


async def refusal(wanted):
    with pytest.raises(BrokerUnavailableError) as caught:
        await AiokafkaProducerFactory(wanted).connect()
    return caught.value.fault


async def failure(producer, *values):
    with pytest.raises(BrokerUnavailableError) as caught:
        await producer.deliver(list(values))
    return caught.value


async def check_says(broker, wanted):
    [found] = [each for each in await check_kafka(BrokerAddress("127.0.0.1", broker.port), wanted, None, 3) if each.level == "failure"]
    return found


async def test_the_broker_is_asked_for_our_topic_alone():
    async with ScriptedBroker().running() as broker:
        factory = AiokafkaProducerFactory(options(broker, extra={"metadata_max_age_ms": 200}))
        producer = await factory.connect()
        await producer.deliver([b"x"])
        await asyncio.sleep(0.5)
        await factory.close(producer)
    bodies = {body for key, body in broker.asked if key == METADATA}
    assert bodies == {b"\x00\x00\x00\x01\x00\x06alerts\x01"}


async def test_a_login_where_the_broker_wants_none():
    async with ScriptedBroker().running() as broker:
        broker.answers[SASL_HANDSHAKE] = lambda _: b"\x00\x22" + bytes(4)
        wanted = options(broker, login=LOGIN)
        assert (await refusal(wanted)).code is FaultCode.LOGIN_REFUSED
        assert "kafka.sasl_mechanism" in (await check_says(broker, wanted)).remedy


async def test_a_broker_that_wants_a_login_and_gets_none():
    async with ScriptedBroker().running() as broker:
        broker.answers[METADATA] = lambda _: HANG_UP
        fault = await refusal(options(broker))
        assert fault.code is FaultCode.CUT
        assert "it may require a login (kafka.sasl_mechanism)" in fault.text
        assert "it may require a login" in (await check_says(broker, options(broker))).text


async def test_a_broker_that_does_not_know_our_password_either():
    def answer(body):
        token = body[4:]
        nonce = token.partition(b"r=")[2]
        said = b"r=" + nonce + b"X,s=" + base64.b64encode(b"salt") + b",i=4096" if b"n=site" in token else b"v=" + base64.b64encode(b"x")
        return b"\x00\x00\xff\xff" + len(said).to_bytes(4, "big") + said

    async with ScriptedBroker().running() as broker:
        broker.answers[SASL_HANDSHAKE] = lambda _: b"\x00\x00\x00\x00\x00\x01\x00\x0dSCRAM-SHA-256"
        broker.answers[SASL_AUTHENTICATE] = answer
        fault = await refusal(options(broker, login=LOGIN))
        assert (fault.code, fault.text[:51]) == (FaultCode.LOGIN_REFUSED, "the broker does not prove that it knows our passwor")
        assert "does not prove" in (await check_says(broker, options(broker, login=LOGIN))).text


@pytest.mark.parametrize("order", [1, -1])
async def test_of_several_bootstrap_addresses_the_one_that_says_why_is_told(order):
    async with ScriptedBroker().running() as broker:
        broker.answers[SASL_HANDSHAKE] = lambda _: b"\x00\x22" + bytes(4)
        addresses = [broker.address, f"127.0.0.1:{free_port()}"][::order]
        assert (await refusal(replace(options(broker, login=LOGIN), bootstrap=addresses))).code is FaultCode.LOGIN_REFUSED


async def test_a_broker_that_never_tells_who_is_there_is_not_told_as_one_without_idempotence():
    async def never(_):
        await asyncio.sleep(60)

    async with ScriptedBroker().running() as broker:
        broker.answers[METADATA] = never
        fault = await refusal(options(broker))
    assert fault.code is FaultCode.KAFKA_SILENT


async def test_a_broker_that_gives_no_producer_id_is_told_as_that():
    async def never(_):
        await asyncio.sleep(60)

    async with ScriptedBroker().running() as broker:
        broker.answers[INIT_PRODUCER_ID] = never
        fault = await refusal(options(broker))
    assert fault.code is FaultCode.NO_PRODUCER_ID


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 99_999), ("a" * 70 + ".invalid", 9092)])
async def test_an_advertised_address_that_is_none(host, port):
    async with ScriptedBroker().running() as broker:
        broker.nodes = [(1, host, port, None)]
        assert (await refusal(options(broker))).code in {FaultCode.NO_CONNECTION, FaultCode.NAME_UNKNOWN, FaultCode.NO_PRODUCER_ID}


async def test_an_error_that_comes_with_a_quota_is_told_as_the_error():
    async with ScriptedBroker().running() as broker:
        factory = AiokafkaProducerFactory(options(broker))
        producer = await factory.connect()
        broker.throttle_ms, broker.produce_error = 20_000, 29
        assert (await failure(producer, b"x")).fault.code is FaultCode.WRITE_DENIED
        await factory.close(producer)


@pytest.mark.parametrize("idempotence", [True, False])
async def test_a_quota_holds_for_a_new_producer_too_and_is_told_in_the_same_words_each_time(idempotence):
    async with ScriptedBroker().running() as broker:
        factory = AiokafkaProducerFactory(options(broker, timeout_seconds=1, idempotence=idempotence))
        producer = await factory.connect()
        broker.throttle_ms = 60_000
        await producer.deliver([b"first"])
        errors = [await failure(producer, b"second") for _ in range(3)]
        assert {error.fault.code for error in errors} == {FaultCode.THROTTLED}
        assert len({error.reason for error in errors}) == 1
        assert all(error.in_flight for error in errors)
        await factory.close(producer)
        producer = await factory.connect()
        assert (await failure(producer, b"second")).fault.code is FaultCode.THROTTLED
        await factory.close(producer)
    assert broker.produced == 1


async def test_a_partition_that_loses_its_leader_is_told_although_all_connections_stand_and_nothing_is_to_be_sent():
    async with ScriptedBroker().running() as broker:
        told, factory = Told(), AiokafkaProducerFactory(options(broker, extra={"metadata_max_age_ms": 300}))
        producer = await factory.connect(told)
        await producer.deliver([b"x"])
        broker.leader = -1
        assert (await told.until(1)).code is FaultCode.NO_LEADER
        broker.topic_error = 3
        await asyncio.sleep(1)
        assert None not in told, "it is no better"
        broker.topic_error, broker.leader = 0, 1
        assert await told.until(2) is None
        await producer.deliver([b"y"])
        await factory.close(producer)


async def test_an_explanation_that_is_old_is_made_anew(monkeypatch):
    monkeypatch.setattr(leash, "EXPLAIN_AGAIN_SECONDS", 1.0)
    async with ScriptedBroker().running() as broker:
        told, factory = Told(), AiokafkaProducerFactory(options(broker))
        producer = await factory.connect(told)
        await producer.deliver([b"x"])

        async def never(_):
            await asyncio.sleep(60)

        broker.answers[18] = never
        broker.cut()
        assert (await told.until(1, 12)).code is FaultCode.KAFKA_SILENT
        broker.answers[18] = lambda _: HANG_UP
        async with asyncio.timeout(15):
            while told[-1].code is not FaultCode.MAY_WANT_TLS:
                await asyncio.sleep(0.05)
        await factory.close(producer)


@pytest.fixture
def proxy(certs):
    with HttpProxy(f"127.0.0.1:{free_port()}") as running:
        yield running


def status(line):
    return b"HTTP/1.1 " + line + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (status(b"403 Forbidden"), FaultCode.PROXY_REFUSED),
        (status(b"407 Proxy Authentication Required"), FaultCode.PROXY_REFUSED),
        (status(b"429 Too Many Requests"), FaultCode.PROXY_NO_WAY),
        (status(b"502 Bad Gateway"), FaultCode.PROXY_NO_WAY),
        (status(b"503 \x1b[31mService\nUnavailable"), FaultCode.PROXY_NO_WAY),
    ],
)
async def test_what_a_proxy_says_is_told_as_the_proxys_and_on_one_line(proxy, tls, answer, code):
    proxy.answer = answer
    fault = await explain([BROKER], tls, 2, BrokerAddress("127.0.0.1", proxy.port))
    assert fault.code is code
    assert fault.text.isprintable()
    assert "proxy" in fault.remedy


async def test_a_proxy_that_refuses_the_second_connection_is_a_fault_and_no_exception(tls):
    async def serve(reader, writer):
        nonlocal count
        count += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(status(b"200 OK") if count % 2 else status(b"503 Too many connections"))
        await asyncio.sleep(0.2)
        writer.close()

    count = 0
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy = BrokerAddress("127.0.0.1", server.sockets[0].getsockname()[1])
    assert (await explain([BROKER], tls, 2, proxy)).code is FaultCode.PROXY_NO_WAY
    count = 0
    assert [each.level for each in await check_broker(BROKER, tls, 2, proxy)][-1] == "failure"
    server.close()


async def test_a_proxy_that_is_silent_or_away_is_told_with_a_remedy_of_its_own(tls):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_one = BrokerAddress("127.0.0.1", silent.getsockname()[1])
        assert (await explain([BROKER], tls, 0.5, silent_one)).code is FaultCode.PROXY_NO_WAY
    for proxy in (BrokerAddress("127.0.0.1", free_port()), BrokerAddress("proxy.invalid", 3128)):
        fault = await explain([BROKER], tls, 2, proxy)
        assert fault.code is FaultCode.PROXY_UNREACHABLE
        assert "kafka.proxy" in fault.remedy


async def test_a_port_with_tls_that_speaks_first_is_no_brokers(certs, tls):
    async def serve(_, writer):
        writer.write(b"220 mail.example.org\r\n")
        await asyncio.sleep(2)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certs.server_context())
    where = BrokerAddress("127.0.0.1", server.sockets[0].getsockname()[1])
    assert (await explain([where], tls, 2)).code is FaultCode.NOT_KAFKA
    server.close()


async def test_why_a_certificate_is_not_trusted_is_told_although_nobody_lets_us_look_at_it(certs):
    async with ScriptedBroker().running(certs.server_context()) as broker:
        others = make_tls_contexts(TlsFiles(certs.other_ca, certs.client.certificate, certs.client.key))
        climb = Climb(BrokerAddress("127.0.0.1", broker.port), others, 2)
        opened, count = climb._opened, 0

        def open_slowly(context):
            nonlocal count
            count += 1
            return opened(context) if count < 3 else Never()

        climb._opened = open_slowly
        await climb.go()
    assert climb.fault.code is FaultCode.TLS_UNTRUSTED


class Never:
    async def __aenter__(self):
        await asyncio.sleep(60)

    async def __aexit__(self, *_):
        pass


@pytest.mark.parametrize("within", [0.3, 1, 3])
async def test_a_healthy_broker_with_tls_is_healthy_however_short_the_time(certs, tls, within):
    async with ScriptedBroker().running(certs.server_context()) as broker:
        assert await explain([BrokerAddress("127.0.0.1", broker.port)], tls, within) is None


@pytest.mark.parametrize("ends", ["in the handshake", "after it"])
async def test_that_our_certificate_has_expired_is_told_where_the_broker_does_not_say_why_it_hangs_up(certs, tls, ends):
    context = certs.server_context()
    if ends == "in the handshake":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES128-SHA")
        context.set_ciphers("ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA")
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    expired = replace(tls, certificates=(CertificateSeen("client", yesterday.timestamp()),))

    async def serve(_, writer):
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    fault = await explain([BrokerAddress("127.0.0.1", server.sockets[0].getsockname()[1])], expired, 2)
    assert fault.code is FaultCode.TLS_OURS_EXPIRED
    assert f"expired on {yesterday:%Y-%m-%d %H:%M} UTC" in fault.text
    server.close()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (socket.EAI_NONAME, FaultCode.NAME_UNKNOWN),
        (socket.EAI_AGAIN, FaultCode.NAME_NOT_RESOLVED),
        (socket.EAI_FAIL, FaultCode.NAME_NOT_RESOLVED),
        (socket.EAI_SYSTEM, FaultCode.NAME_NOT_RESOLVED),
    ],
)
async def test_a_name_server_that_fails_is_no_unknown_name(monkeypatch, number, code):
    def fail(*_, **__):
        raise socket.gaierror(number, "it failed")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert (await explain([BROKER], None, 2)).code is code


async def test_a_connection_is_freed_without_the_collector():
    import gc  # noqa: PLC0415
    import weakref  # noqa: PLC0415

    from wazuh_dfn.kafka.dialling import dial, hang_up  # noqa: PLC0415

    async with ScriptedBroker().running() as broker:
        connection = await dial(BrokerAddress("127.0.0.1", broker.port), options(broker), None)
        connection.heed = Fault
        seen = weakref.ref(connection)
        hang_up(connection)
        await asyncio.sleep(0.05)
        gc.disable()
        del connection
        await asyncio.sleep(0.05)
        is_freed = seen() is None
        gc.enable()
    assert is_freed
