"""One producer through an outage: what it was given arrives once, in order, and it says what is wrong."""

import asyncio
import time

import psutil
import pytest
from aiokafka.conn import AIOKafkaConnection

from support.brokers import MockBroker, NoidaBroker
from support.certs import make_certificates
from support.kafka_read import read_all
from support.tls_proxy import TlsProxy
from wazuh_dfn.kafka.aiokafka_producer import AiokafkaProducerFactory
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault
from wazuh_dfn.kafka.producer_options import KafkaOptions, TlsFiles

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

PRODUCE = 0


@pytest.fixture
def noida(tmp_path):
    with NoidaBroker(tmp_path) as broker:
        broker.create_topic("alerts")
        yield broker


class Sender:
    """Delivers as the actor does; `errors` are those on the way, `news` what it was told, with the time since it was made."""

    def __init__(self, options):
        self.factory = AiokafkaProducerFactory(options)
        self.errors, self.news = [], []
        self._producer = None

    async def __aenter__(self):
        self._producer = await self.factory.connect(self._hear)
        return self

    async def __aexit__(self, *_):
        await self.factory.close(self._producer)

    def _hear(self, news):
        if news is None or isinstance(news, Fault):
            self.news.append((time.monotonic(), news))

    async def deliver(self, *values):
        while True:
            try:
                return await self._producer.deliver(list(values))
            except BrokerUnavailableError as error:
                self.errors.append(error)
                if not error.in_flight:
                    await self.factory.close(self._producer)
                    self._producer = await self.factory.connect(self._hear)

    async def until_told(self, seconds):
        end = time.monotonic() + seconds
        while not self.news:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        return self.news[-1]


def values_in(broker, expect):
    return [value for _, _, value in read_all(broker.bootstrap, "alerts", expect=expect)]


@pytest.mark.parametrize("pause", [0.02, 0.05, 0.2])
async def test_of_several_batches_those_that_were_not_sent_when_the_time_was_over_are_sent_later(noida, pause):
    values = [b"%03d" % number + bytes(800) for number in range(300)]

    async def freeze_twice():
        for seconds in (3.5, 5):
            noida.freeze()
            await asyncio.sleep(seconds)
            noida.thaw()
            await asyncio.sleep(pause)

    async with Sender(KafkaOptions(noida.bootstrap, "alerts", timeout_seconds=9, max_request_size=1_000, compression=None)) as sender:
        freezing = asyncio.create_task(freeze_twice())
        await asyncio.sleep(0.05)
        await sender.deliver(*values)
        await freezing
    assert values_in(noida, 300) == values


@pytest.mark.parametrize("seconds", [5, 6.3, 7.5, 9.5])
async def test_an_acknowledgement_that_comes_while_its_lack_is_looked_into_counts(noida, seconds):
    async with Sender(KafkaOptions(noida.bootstrap, "alerts", timeout_seconds=9)) as sender:
        await sender.deliver(b"before")
        noida.freeze()
        asyncio.get_running_loop().call_later(seconds, noida.thaw)
        await sender.deliver(b"once")
    assert values_in(noida, 2) == [b"before", b"once"]
    assert all(error.in_flight for error in sender.errors)


@pytest.mark.parametrize("is_busy", [True, False], ids=["busy", "idle"])
async def test_other_certificate_files_are_used_from_the_reload_on_also_while_something_is_in_flight(noida, tmp_path, is_busy):
    ours, others = (make_certificates(tmp_path / name, "127.0.0.1") for name in ("ours", "others"))
    distrusting = others.server_context()
    distrusting.load_cert_chain(ours.server.certificate, ours.server.key)

    def options(pair):
        files = TlsFiles(ours.ca, pair.certificate, pair.key)
        return KafkaOptions(proxy.address, "alerts", timeout_seconds=6, tls=files)

    with TlsProxy(ours.server_context(), noida.bootstrap, "127.0.0.1") as proxy:
        proxy.hide(noida.bootstrap)
        async with Sender(options(ours.client)) as sender:
            await sender.deliver(b"before")
            proxy.serve(distrusting)
            proxy.cut()
            delivering = asyncio.create_task(sender.deliver(b"once")) if is_busy else None
            _, error = await sender.until_told(8)
            assert "refused our client certificate" in error.text
            await sender.factory.renew(options(others.client))
            async with asyncio.timeout(5):
                await (delivering or sender.deliver(b"once"))
    assert values_in(noida, 2) == [b"before", b"once"]


async def test_a_partition_without_a_leader_is_waited_for_with_the_same_producer_and_at_little_cost(monkeypatch):
    sent, send = [], AIOKafkaConnection.send

    def counted(connection, request, **options):
        sent.append(type(request).__name__)
        return send(connection, request, **options)

    with MockBroker() as broker:
        broker.create_topic("alerts")
        async with Sender(KafkaOptions(broker.bootstrap, "alerts", timeout_seconds=9)) as sender:
            await sender.deliver(b"before")
            broker._call("partition_set_leader", "alerts", 0, -1)
            broker.push_errors(PRODUCE, 6)
            delivering = asyncio.create_task(sender.deliver(b"once"))
            await asyncio.sleep(1)
            monkeypatch.setattr(AIOKafkaConnection, "send", counted)
            began = psutil.Process().cpu_times().user
            await asyncio.sleep(6)
            assert psutil.Process().cpu_times().user - began < 1
            assert len(sent) < 100
            broker._call("partition_set_leader", "alerts", 0, 1)
            async with asyncio.timeout(5):
                await delivering
        assert values_in(broker, 2) == [b"before", b"once"]
    assert all(error.in_flight for error in sender.errors)


@pytest.mark.parametrize(
    ("code", "reason"), [(29, "the right WRITE on it is missing"), (47, "a new producer is needed"), (87, "INVALID_RECORD")]
)
async def test_after_an_outage_an_error_of_the_broker_is_named_and_not_the_outage(code, reason):
    with MockBroker() as broker:
        broker.create_topic("alerts")
        async with Sender(KafkaOptions(broker.bootstrap, "alerts", timeout_seconds=30)) as sender:
            await sender.deliver(b"before")
            broker.down()
            delivering = asyncio.create_task(sender.deliver(b"once"))
            _, told = await sender.until_told(8)
            assert "connection refused" in told.text
            broker.push_errors(PRODUCE, code)
            broker.up()
            async with asyncio.timeout(15):
                await delivering
    [error] = sender.errors
    assert reason in error.reason


@pytest.mark.parametrize("is_busy", [True, False], ids=["busy", "idle"])
async def test_a_broker_that_accepts_connections_and_does_not_answer_is_told_within_seconds(noida, is_busy):
    with TlsProxy(None, noida.bootstrap, "127.0.0.1") as proxy:
        proxy.hide(noida.bootstrap)
        async with Sender(KafkaOptions(proxy.address, "alerts")) as sender:
            await sender.deliver(b"before")
            proxy.stalled = True
            proxy.cut()
            began = time.monotonic()
            delivering = asyncio.create_task(sender.deliver(b"once")) if is_busy else None
            at, error = await sender.until_told(9)
            assert at - began < 5 + 2, "seconds, of which two for a busy machine"
            assert "does not answer a Kafka request" in error.text
            proxy.stalled = False
            async with asyncio.timeout(30):
                await (delivering or sender.deliver(b"once"))
    assert values_in(noida, 2) == [b"before", b"once"]


async def test_no_tls_socket_to_a_frozen_broker_outlives_a_connect_that_failed(noida, tmp_path):
    certificates = make_certificates(tmp_path / "certificates", "127.0.0.1")
    with TlsProxy(certificates.server_context(), noida.bootstrap, "127.0.0.1") as proxy:
        proxy.stalled = True
        files = TlsFiles(certificates.ca, certificates.client.certificate, certificates.client.key)
        for _ in range(3):
            with pytest.raises(BrokerUnavailableError):
                await AiokafkaProducerFactory(KafkaOptions(proxy.address, "alerts", timeout_seconds=2, tls=files)).connect()
        await asyncio.sleep(0.2)
        ours = [each for each in psutil.Process().net_connections("tcp") if each.raddr and each.raddr.port == proxy.port]
        assert ours == []
        proxy.stalled = False
