"""The Kafka adapter against real brokers: order, rejection, and every way in which a broker can be away."""

import asyncio
import contextlib
import gc
import logging
import socket
import time
import warnings
import zlib
from datetime import UTC, datetime
from random import Random

import anyio
import psutil
import pytest
from aiokafka.conn import CloseReason
from aiokafka.errors import KafkaError
from confluent_kafka import Consumer

from support.alerts import windows_alert
from support.brokers import MockBroker, NoidaBroker, TansuBroker, create_topic, free_port
from support.kafka_read import read_all
from support.kinds import build
from support.tls_proxy import TlsProxy
from wazuh_dfn.kafka.aiokafka_producer import AiokafkaProducerFactory
from wazuh_dfn.kafka.broker_connection import SOURCE
from wazuh_dfn.kafka.faults import BrokerUnavailableError, RecordsRejectedError
from wazuh_dfn.kafka.producer_options import KafkaOptions

pytestmark = [pytest.mark.integration, pytest.mark.anyio, pytest.mark.filterwarnings("error::ResourceWarning")]

PRODUCE, METADATA, INIT_PRODUCER_ID = 0, 3, 22
BUSY_SECONDS = 10
"""What a busy machine may add to a deadline; less than the deadline of those who are not to wait for it."""


@pytest.fixture
async def tidy(anyio_backend, caplog):
    """See to it that no task, socket or unretrieved exception is left behind."""

    def tasks():
        return {task for task in asyncio.all_tasks() if "TestRunner" not in repr(task)}

    with warnings.catch_warnings(action="ignore"):
        gc.collect()  # what other tests left behind is not this one's
    before = tasks()
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    with caplog.at_level(logging.CRITICAL, "aiokafka"):
        yield
    await asyncio.sleep(0.05)
    gc.collect()
    await asyncio.sleep(0)
    assert tasks() <= before
    assert complaints == []


@pytest.fixture(scope="module")
def noida(tmp_path_factory):
    with NoidaBroker(tmp_path_factory.mktemp("noida")) as broker:
        yield broker


@pytest.fixture(scope="module")
def tansu():
    with TansuBroker() as broker:
        yield broker


@pytest.fixture
def mock():
    with MockBroker() as broker:
        broker.create_topic("alerts")
        yield broker


@contextlib.asynccontextmanager
async def connected(options):
    factory = AiokafkaProducerFactory(options)
    producer = await factory.connect()
    try:
        yield producer
    finally:
        began = time.monotonic()
        await factory.close(producer)
        assert time.monotonic() - began < BUSY_SECONDS
        await asyncio.sleep(0.02)
        assert sockets_to(*map(str, options.brokers)) == []  # now, not once a frozen broker has thawed


def sockets_to(*addresses):
    """Return the sockets that this process holds towards these ports."""
    ports = {int(address.rsplit(":", 1)[1]) for address in addresses}
    return [each for each in psutil.Process().net_connections("tcp") if each.raddr and each.raddr.port in ports]


async def unavailable(options, values=(b"x",)):
    """Return the error of connecting, or else of delivering, which comes by the deadline."""
    began = time.monotonic()
    with pytest.raises(BrokerUnavailableError) as caught:
        async with connected(options) as producer:
            await producer.deliver(values)
    assert time.monotonic() - began < options.timeout_seconds + BUSY_SECONDS
    assert "\n" not in caught.value.reason
    return caught.value


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("kind", ["noida", "tansu"])
@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
async def test_delivers_in_order_to_one_partition(request, kind, compression):
    broker = request.getfixturevalue(kind)
    topic = f"order-{compression}"
    broker.create_topic(topic, 3)
    values = [b'{"number": %d, "text": "%s"}' % (number, b"x" * 900) for number in range(5_000)]
    # The last rounds are larger than one request: they travel as several batches.
    options = KafkaOptions(broker.bootstrap, topic, compression=compression, idempotence=kind == "noida", max_request_size=1_048_576)
    async with connected(options) as producer:
        for start in range(0, 2_000, 500):
            await producer.deliver(values[start : start + 500])
        await producer.deliver(values[2_000:])
    found = read_all(broker.bootstrap, topic, expect=5_000)
    assert [value for _, _, value in found] == values
    assert {partition for partition, _, _ in found} == {zlib.crc32(topic.encode()) % 3}


def headers_of(broker, topic, count):
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    try:
        return [message.headers() for message in consumer.consume(count, timeout=30)]
    finally:
        consumer.close()


@pytest.mark.usefixtures("tidy")
async def test_with_headers_a_record_that_is_sent_again_has_the_same_id_and_the_value_is_as_without(noida):
    values = [b"one", b"two", b"one", bytes(9_700)]
    for with_headers in (True, False):
        topic = f"headers-{with_headers}"
        noida.create_topic(topic)
        async with connected(KafkaOptions(noida.bootstrap, topic, record_headers=with_headers, max_request_size=10_000)) as producer:
            await producer.deliver(values)
        assert [value for _, _, value in read_all(noida.bootstrap, topic, expect=4)] == values
        found = headers_of(noida, topic, 4)
        if with_headers:
            ids = [dict(headers)["id"] for headers in found]
            assert (len(set(ids)), ids[0]) == (3, ids[2])
            assert {dict(headers)["source"] for headers in found} == {SOURCE}
        else:
            assert not any(found)


@pytest.mark.usefixtures("tidy")
async def test_a_value_too_large_is_rejected_and_its_neighbours_still_go(noida):
    noida.create_topic("large")
    async with connected(KafkaOptions(noida.bootstrap, "large", max_request_size=10_000)) as producer:
        await producer.deliver([b"before"])
        with pytest.raises(RecordsRejectedError, match=r"takes up to 20077 bytes, kafka\.max_request_size allows 10000"):
            await producer.deliver([b"not written", bytes(20_000)])
        await producer.deliver([b"after"])
        await producer.deliver([])
        await producer.deliver([bytes(9_900)])
    found = read_all(noida.bootstrap, "large", expect=3)
    assert [value for _, _, value in found] == [b"before", b"after", bytes(9_900)]


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("compression", [None, "gzip"])
async def test_a_record_of_the_largest_line_that_wazuh_writes_is_delivered_where_the_topic_allows_it(noida, compression):
    topic = f"largest-{compression}"
    create_topic(noida.bootstrap, topic, **{"max.message.bytes": "16777216"})
    largest = build("windows", windows_alert({"text": Random(0).randbytes(1_700_000).hex()}), datetime.now(UTC))
    assert len(largest) > 10_200_000
    async with connected(KafkaOptions(noida.bootstrap, topic, compression=compression)) as producer:
        await producer.deliver([b"before"])
        await producer.deliver([largest])
        await producer.deliver([b"after"])
    noida.create_topic(f"small-{topic}")
    async with connected(KafkaOptions(noida.bootstrap, f"small-{topic}", compression=compression)) as producer:
        with pytest.raises(RecordsRejectedError, match=r"kafka\.max_request_size here, max\.message\.bytes of the topic"):
            await producer.deliver([largest])
    found = read_all(noida.bootstrap, topic, expect=3)
    assert [value for _, _, value in found] == [b"before", largest, b"after"]


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("code", [2, 10, 18])
async def test_what_the_broker_rejects_does_not_spoil_the_producer(mock, code):
    async with connected(KafkaOptions(mock.bootstrap, "alerts", timeout_seconds=30)) as producer:
        await producer.deliver([b"before"])
        mock.push_errors(PRODUCE, code)
        with pytest.raises(RecordsRejectedError) as caught:
            await producer.deliver([b"rejected"] * 10)
        settings = ("kafka.max_request_size", "max.message.bytes", "message.max.bytes", "replica.fetch.max.bytes")
        assert [setting in caught.value.reason for setting in settings] == [code in {10, 18}] * 4
        await producer.deliver([b"after"])
        # A broker that checks the numbering (this one does not) expects as many as it has written for this producer id.
        assert list(producer._connection._producer._txn_manager._sequence_numbers.values()) == [1]
    assert [value for _, _, value in read_all(mock.bootstrap, "alerts", expect=2)] == [b"before", b"after"]


@pytest.mark.usefixtures("tidy")
async def test_of_several_batches_those_before_a_rejected_one_are_told_as_written(mock):
    async with connected(KafkaOptions(mock.bootstrap, "alerts", timeout_seconds=30, max_request_size=1_100)) as producer:
        mock.push_errors(PRODUCE, 0, 0, 10)
        with pytest.raises(RecordsRejectedError) as caught:
            await producer.deliver([bytes([number]) * 500 for number in range(10)])
    assert caught.value.written == 4, "two batches of two values each"


@pytest.mark.usefixtures("tidy")
async def test_retriable_errors_are_retried_without_duplicates(mock):
    async with connected(KafkaOptions(mock.bootstrap, "alerts", timeout_seconds=30)) as producer:
        mock.push_errors(PRODUCE, 6, 5, 7, 19, 74, 89, 100)
        await producer.deliver([b"once"])
    assert len(read_all(mock.bootstrap, "alerts", expect=1)) == 1


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize(
    ("code", "reason", "needs_operator"),
    [
        (29, "not authorised to write to topic alerts: the right WRITE on it is missing", True),
        (32, "the broker refuses all records: .*INVALID_TIMESTAMP", True),
        (43, "the broker refuses all records: .*error 43", True),
        (87, "the broker refuses all records: .*INVALID_RECORD", True),
        (31, "not authorised to write idempotently to topic alerts: the right WRITE on it is missing.*kafka.idempotence = false", True),
        (76, "does not support this compression: kafka.compression_type = gzip", True),
        (45, "a new producer is needed: .*error 45", False),
        (47, "a new producer is needed", False),
        (90, "a new producer is needed: .*PRODUCER_FENCED, error 90", False),
        (97, "not delivered to .*: The broker answered with an error .PRINCIPAL_DESERIALIZATION_FAILURE, error 97", False),
        (200, "not delivered to .*: The broker answered with an error .a code of a later Kafka, error 200", False),
        (-1, "not delivered to .*: An unexpected server error .UNKNOWN, error -1", False),
    ],
)
async def test_errors_of_a_produce_request(mock, code, reason, needs_operator):
    async with connected(KafkaOptions(mock.bootstrap, "alerts", timeout_seconds=30)) as producer:
        mock.push_errors(PRODUCE, code)
        with pytest.raises(BrokerUnavailableError, match=reason) as caught:
            await producer.deliver([b"x"])
        assert caught.value.needs_operator is needs_operator
        with pytest.raises(BrokerUnavailableError, match="a new producer is needed"):
            await producer.deliver([b"x"])


@pytest.mark.usefixtures("tidy")
async def test_a_missing_topic(mock):
    mock.topic_error("nowhere", 3)
    error = await unavailable(KafkaOptions(mock.bootstrap, "nowhere", timeout_seconds=3))
    assert error.reason == "topic nowhere does not exist"
    assert error.needs_operator


@pytest.mark.usefixtures("tidy")
async def test_a_topic_that_is_not_ours(mock):
    mock.topic_error("alerts", 29)
    error = await unavailable(KafkaOptions(mock.bootstrap, "alerts", timeout_seconds=3))
    assert error.reason == "not authorised to write to topic alerts: the right DESCRIBE on it is missing (or it does not exist)"
    assert error.needs_operator


@pytest.mark.usefixtures("tidy")
async def test_a_topic_that_vanishes_while_connected(mock):
    async with connected(KafkaOptions(mock.bootstrap, "alerts", timeout_seconds=3)) as producer:
        await producer.deliver([b"x"])
        mock.topic_error("alerts", 3)
        mock.push_errors(PRODUCE, *[3] * 200)
        with pytest.raises(BrokerUnavailableError, match="topic alerts does not exist") as caught:
            await producer.deliver([b"x"])
    assert caught.value.needs_operator


@pytest.mark.usefixtures("tidy")
async def test_a_broker_without_the_request_for_idempotence(mock):
    mock.set_versions(INIT_PRODUCER_ID, -1, -1)
    error = await unavailable(KafkaOptions(mock.bootstrap, "alerts", timeout_seconds=60))
    assert error.reason == "the broker does not support idempotent producers"
    assert error.fault.remedy == "set kafka.idempotence = false"
    assert error.needs_operator


@pytest.mark.usefixtures("tidy")
async def test_a_broker_that_fails_the_request_for_idempotence(tansu):
    tansu.create_topic("alerts")
    error = await unavailable(KafkaOptions(tansu.bootstrap, "alerts", timeout_seconds=60))
    assert error.reason.startswith(f"{tansu.bootstrap} did not assign a producer id: ")
    assert error.fault.remedy == "if the broker does not support idempotent producers, set kafka.idempotence = false"
    assert error.needs_operator


@pytest.mark.usefixtures("tidy")
async def test_a_broker_that_never_gives_a_producer_id(mock):
    mock.push_errors(INIT_PRODUCER_ID, *[15] * 200)
    error = await unavailable(KafkaOptions(mock.bootstrap, "alerts", timeout_seconds=3))
    assert "did not assign a producer id within 2 s" in error.reason
    assert "kafka.idempotence = false" in error.fault.remedy


@pytest.mark.usefixtures("tidy")
async def test_nobody_listens():
    address = f"127.0.0.1:{free_port()}"
    began = time.monotonic()
    error = await unavailable(KafkaOptions(address, "alerts", timeout_seconds=60))
    assert time.monotonic() - began < BUSY_SECONDS, "that is known at once"
    assert error.reason == f"connection refused by {address}"
    assert not error.needs_operator


@pytest.mark.usefixtures("tidy")
async def test_several_addresses_of_which_one_is_right(noida):
    wanted = KafkaOptions([f"127.0.0.1:{free_port()}", noida.bootstrap], "alerts", timeout_seconds=30)
    async with connected(wanted) as producer:
        await producer.deliver([b"x"])


@contextlib.contextmanager
def silent_address(host="127.0.0.2", port=0):
    """Yield HOST:PORT of a port that drops what wants to connect, as a firewall does: nobody takes those that wait already."""
    with socket.create_server((host, port), backlog=0) as listener, contextlib.ExitStack() as stack:
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield "{}:{}".format(*listener.getsockname())


async def deliver_one(options):
    factory = AiokafkaProducerFactory(options)
    producer = await factory.connect()
    await producer.deliver([b"x"])
    await factory.close(producer)


@pytest.fixture
def name_of(monkeypatch):
    """Return a function that gives a name these IP addresses, in this order."""
    known, look_up = {}, socket.getaddrinfo

    def looked_up(host, port, *arguments, **options):
        numbers = known.get(host, [host])
        return [found for number in numbers for found in look_up(number, port, *arguments, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    return known.__setitem__


@pytest.mark.usefixtures("tidy")
async def test_of_several_bootstrap_hosts_one_that_does_not_answer_holds_up_nothing(noida):
    with silent_address() as silent:
        began = time.monotonic()
        await deliver_one(KafkaOptions([silent, noida.bootstrap], "alerts", timeout_seconds=60))
        assert time.monotonic() - began < 5


@pytest.mark.usefixtures("tidy")
async def test_of_a_name_with_two_addresses_the_one_that_answers_is_used(noida, name_of):
    port = int(noida.bootstrap.rsplit(":", 1)[1])
    with silent_address("127.0.0.2", port):
        name_of("broker.test", ["127.0.0.2", "127.0.0.1"])
        began = time.monotonic()
        await deliver_one(KafkaOptions(f"broker.test:{port}", "alerts", timeout_seconds=60))
        assert time.monotonic() - began < 5


@pytest.mark.usefixtures("tidy")
async def test_of_a_name_with_several_addresses_of_which_none_answers_each_is_named(name_of):
    name_of("broker.test", ["127.0.0.2", "127.0.0.3"])
    with silent_address("127.0.0.2", port := free_port()), silent_address("127.0.0.3", port):
        error = await unavailable(KafkaOptions(f"broker.test:{port}", "alerts", timeout_seconds=3))
    assert error.reason.startswith(f"broker.test:{port} (127.0.0.2 and 127.0.0.3) did not answer a connection attempt within ")


@pytest.mark.usefixtures("tidy")
async def test_a_name_that_does_not_resolve():
    error = await unavailable(KafkaOptions("kafka.invalid:443", "alerts", timeout_seconds=6))
    assert error.reason.startswith("the broker's name kafka.invalid ")
    assert "resolve" in error.reason


@pytest.mark.usefixtures("tidy")
async def test_an_advertised_address_that_nobody_reaches():
    nowhere = f"127.0.0.1:{free_port()}"
    with TansuBroker(advertised=nowhere) as broker:
        error = await unavailable(KafkaOptions(broker.bootstrap, "alerts", idempotence=False, timeout_seconds=3))
    assert error.reason == f"the broker refers us to its advertised address: connection refused by {nowhere}"


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("idempotence", [True, False])
async def test_a_broker_that_is_killed(tmp_path, idempotence):
    with NoidaBroker(tmp_path) as broker:
        options = KafkaOptions(broker.bootstrap, "alerts", idempotence=idempotence, timeout_seconds=3)
        async with connected(options) as producer:
            await producer.deliver([b"x"])
            broker.kill()
            began = time.monotonic()
            with pytest.raises(BrokerUnavailableError, match=f"connection refused by {broker.bootstrap}") as caught:
                await producer.deliver([b"y"])
            assert time.monotonic() - began < options.timeout_seconds + BUSY_SECONDS
            assert not caught.value.needs_operator


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("size", [1, 600_000])
async def test_a_broker_that_freezes(tmp_path, size):
    """With few bytes to send, and with more than the socket's buffers take."""
    with NoidaBroker(tmp_path) as broker:
        options = KafkaOptions(broker.bootstrap, "alerts", timeout_seconds=2, compression=None, max_request_size=8_000_000)
        async with connected(options) as producer:
            await producer.deliver([b"x"])
            broker.freeze()
            began = time.monotonic()
            with pytest.raises(BrokerUnavailableError, match="accepts connections, but does not answer a Kafka request"):
                await producer.deliver([bytes(size)] * 10)
            assert time.monotonic() - began < options.timeout_seconds + BUSY_SECONDS
        error = await unavailable(options)
        assert "accepts connections, but does not answer a Kafka request" in error.reason
        broker.thaw()


@pytest.mark.usefixtures("tidy")
async def test_a_connection_that_aiokafka_gave_up_with_unsent_bytes_is_not_leaked(tmp_path):
    with NoidaBroker(tmp_path) as broker:
        options = KafkaOptions(broker.bootstrap, "alerts", compression=None, max_request_size=8_000_000)
        async with connected(options) as producer:
            broker.freeze()
            with anyio.move_on_after(0.3):
                await producer.deliver([bytes(600_000)] * 10)
            inner = next(iter(producer._connection._producer.client._conns.values()))
            inner.close(reason=CloseReason.CONNECTION_TIMEOUT)  # as it does when a request times out
            await asyncio.sleep(0.05)
            assert sockets_to(broker.bootstrap)  # the frozen peer keeps it
        broker.thaw()


@pytest.mark.usefixtures("tidy")
async def test_a_sender_that_dies_with_several_batches_leaves_no_unread_exception(tmp_path):
    with NoidaBroker(tmp_path) as broker:
        async with connected(KafkaOptions(broker.bootstrap, "alerts", timeout_seconds=6, max_request_size=1_000)) as producer:
            broker.freeze()
            waiting = asyncio.create_task(producer.deliver([bytes(800)] * 2))  # one in flight, one queued
            await asyncio.sleep(0.2)
            producer._connection._producer._message_accumulator.fail_all(KafkaError("dead"))
            with pytest.raises(BrokerUnavailableError):
                await waiting
            del waiting
        broker.thaw()


@pytest.mark.usefixtures("tidy")
async def test_a_broker_that_was_restarted_in_between(tmp_path):
    with NoidaBroker(tmp_path) as broker:
        options = KafkaOptions(broker.bootstrap, "alerts", timeout_seconds=3)
        async with connected(options) as producer:
            await producer.deliver([b"one", b"two"])
            broker.stop()
            with pytest.raises(BrokerUnavailableError):
                await producer.deliver([b"three"])
            broker.start()
        async with connected(options) as producer:
            await producer.deliver([b"three"])
        found = read_all(broker.bootstrap, "alerts", expect=3)
    assert [value for _, _, value in found] == [b"one", b"two", b"three"]


@pytest.mark.usefixtures("tidy")
async def test_an_outage_shorter_than_the_deadline_goes_unnoticed(mock):
    async with connected(KafkaOptions(mock.bootstrap, "alerts", timeout_seconds=30)) as producer:
        await producer.deliver([b"one"])
        mock.down()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(producer.deliver, [b"two"])
            await anyio.sleep(0.6)
            mock.up()
    assert [value for _, _, value in read_all(mock.bootstrap, "alerts", expect=2)] == [b"one", b"two"]


@pytest.mark.usefixtures("tidy")
async def test_a_cancelled_deliver_ends_promptly(tmp_path):
    with NoidaBroker(tmp_path) as broker:
        async with connected(KafkaOptions(broker.bootstrap, "alerts")) as producer:
            await producer.deliver([b"x"])
            broker.freeze()
            began = time.monotonic()
            with anyio.move_on_after(0.3) as scope:
                await producer.deliver([bytes(1_000_000)] * 4)
            assert scope.cancelled_caught
            assert time.monotonic() - began < BUSY_SECONDS
            with pytest.raises(BrokerUnavailableError, match="a new producer is needed"):
                await producer.deliver([b"y"])
        broker.thaw()


@pytest.mark.usefixtures("tidy")
async def test_a_cancelled_connect_ends_promptly(tmp_path):
    with NoidaBroker(tmp_path) as broker:
        broker.freeze()
        began = time.monotonic()
        with anyio.move_on_after(0.3) as scope:
            await AiokafkaProducerFactory(KafkaOptions(broker.bootstrap, "alerts")).connect()
        assert scope.cancelled_caught
        assert time.monotonic() - began < BUSY_SECONDS
        broker.thaw()


@pytest.mark.usefixtures("tidy")
async def test_cancelled_by_asyncio_too(tmp_path):
    with NoidaBroker(tmp_path) as broker:
        async with connected(KafkaOptions(broker.bootstrap, "alerts")) as producer:
            broker.freeze()
            task = asyncio.create_task(producer.deliver([b"x"]))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, BUSY_SECONDS)
        broker.thaw()


@pytest.mark.usefixtures("tidy")
async def test_close_ends_a_deliver_that_waits_and_works_when_cancelled(tmp_path):
    with NoidaBroker(tmp_path) as broker:
        factory = AiokafkaProducerFactory(KafkaOptions(broker.bootstrap, "alerts"))
        producer = await factory.connect()
        broker.freeze()
        waiting = asyncio.create_task(producer.deliver([bytes(100_000)] * 20))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await factory.close(producer)
        assert time.monotonic() - began < BUSY_SECONDS
        with pytest.raises(BrokerUnavailableError, match="closed before the broker acknowledged"):
            await asyncio.wait_for(waiting, BUSY_SECONDS)
        await factory.close(producer)
        broker.thaw()


@pytest.mark.usefixtures("tidy")
async def test_close_with_a_dead_broker(tmp_path):
    with NoidaBroker(tmp_path) as broker:
        async with connected(KafkaOptions(broker.bootstrap, "alerts")) as producer:
            broker.kill()
            with anyio.move_on_after(0.5):
                await producer.deliver([b"x"])


@pytest.mark.usefixtures("tidy")
async def test_a_slow_broker_is_waited_for():
    with TlsProxy(None, host="127.0.0.1") as proxy, TansuBroker(advertised=proxy.address) as broker:
        proxy.upstream = broker.bootstrap
        async with connected(KafkaOptions(proxy.address, "alerts", idempotence=False, timeout_seconds=30)) as producer:
            proxy.delay = 0.2
            await producer.deliver([b"x"] * 100)
            proxy.cut()
            proxy.delay = 0
            await producer.deliver([b"y"] * 100)
        assert len(read_all(proxy.address, "alerts", expect=200)) == 200


async def test_extra_arguments_reach_aiokafka_save_for_those_that_carry_promises(noida):
    options = KafkaOptions(noida.bootstrap, "alerts", extra={"metadata_max_age_ms": 1234, "acks": 0, "max_batch_size": 1})
    async with connected(options) as producer:
        inner = producer._connection._producer
        assert inner.client._metadata_max_age_ms == 1234
        assert inner._sender._acks == -1
