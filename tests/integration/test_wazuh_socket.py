"""The adapter for Wazuh's queue, on real sockets: what it reaches, how it fails, and that no call takes longer than its deadline."""

import socket
import time
from resource import RUSAGE_SELF, getrusage

import anyio
import pytest

from support.wazuh_queue import WazuhQueue
from wazuh_dfn.errors import WazuhUnavailableError
from wazuh_dfn.wazuh.queue_socket import QueueSocket

pytestmark = pytest.mark.anyio
LARGEST = b"x" * 65_535


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "queue"


def queue_socket(address, *, connect=60.0, write=60.0):
    return QueueSocket(address, connect, write)


async def until(condition):
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.01)


async def fill(connection):
    """Send until nothing more is taken; returns how many were."""
    for count in range(10_000):
        with anyio.move_on_after(0.3) as scope:
            await connection.send(b"x" * 60_000)
        if scope.cancelled_caught:
            return count
    raise AssertionError("it takes everything")


@pytest.mark.parametrize("message", [b"1:dfn:{}", LARGEST], ids=["small", "largest"])
async def test_a_message_is_a_datagram(path, message):
    with WazuhQueue(path) as queue:
        connection = await queue_socket(path).connect()
        await connection.send(message)
        await connection.send(b"next")
        await until(lambda: queue.messages == [message, b"next"])
        await connection.aclose()


async def test_at_a_stream_socket_a_message_is_a_line(path):
    with WazuhQueue(path, socket.SOCK_STREAM) as queue:
        connection = await queue_socket(path).connect()
        await connection.send(LARGEST)
        await connection.send(b"next")
        await connection.aclose()
        await until(lambda: queue.messages == [LARGEST, b"next"])


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
async def test_a_message_for_which_there_is_room_takes_no_turn_of_the_event_loop(path, kind):
    with WazuhQueue(path, kind, reads=False):
        connection = await queue_socket(path).connect()
        with pytest.raises(StopIteration):
            connection.send(b"1:dfn:{}").send(None)
        await connection.aclose()


async def test_a_full_receive_buffer_holds_up_the_event_loop_for_a_small_part_of_the_time(path):
    with WazuhQueue(path, reads=False):
        connection = await queue_socket(path).connect()
        await fill(connection)
        waits = getrusage(RUSAGE_SELF).ru_nvcsw
        for _ in range(500):
            with anyio.move_on_after(0):
                await connection.send(b"x")
        assert getrusage(RUSAGE_SELF).ru_nvcsw - waits < 250, (
            "times that this process gave up the processor; it is 3 or 4 on an idle machine"
        )
        await connection.aclose()


async def test_a_host_and_a_port_are_reached_over_tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = await queue_socket(("127.0.0.1", listener.getsockname()[1])).connect()
        await connection.send(b"1:dfn:{}")
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(60)
            assert peer.recv(100) == b"1:dfn:{}\n"
        await connection.aclose()


@pytest.mark.parametrize(
    ("arrange", "reason", "is_absent"),
    [
        (lambda path: None, "the socket does not exist", True),
        (lambda path: path.write_text(""), "no process listens on it; start Wazuh", False),
        (lambda path: path.parent.joinpath("queue").mkdir(), "no process listens on it; start Wazuh", False),
        (lambda path: WazuhQueue(path, socket.SOCK_SEQPACKET, reads=False).open(), "it is not a datagram or stream socket", False),
    ],
    ids=["nothing", "a file", "a folder", "another kind of socket"],
)
async def test_what_is_no_queue_is_said_in_one_line(path, arrange, reason, is_absent):
    kept_open = arrange(path)
    with pytest.raises(WazuhUnavailableError) as caught:
        await queue_socket(path).connect()
    assert caught.value.reason.startswith(f"{path}: {reason}")
    assert caught.value.is_absent is is_absent
    del kept_open


async def test_a_path_that_is_too_long_for_a_socket_is_said_too(path):
    with pytest.raises(WazuhUnavailableError, match="too long"):
        await queue_socket(path / ("x" * 200)).connect()


async def test_nobody_at_the_tcp_port_is_said():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(WazuhUnavailableError, match=f"127.0.0.1:{port}: "):
        await queue_socket(("127.0.0.1", port)).connect()


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
async def test_a_full_receive_buffer_is_waited_for_up_to_the_deadline_and_no_processor_time_is_used(path, kind):
    queue = WazuhQueue(path, kind, reads=False)
    with queue:
        connection = await queue_socket(path, write=0.5).connect()
        await fill(connection)
        began, used = time.monotonic(), time.process_time()
        with pytest.raises(WazuhUnavailableError, match=r"buffer was full for 0\.5 s"):
            await connection.send(b"one more")
        assert 0.4 < time.monotonic() - began < 10, "seconds; only a machine that stands still takes many more than 0.5"
        assert time.process_time() - used < 0.25, "of the 0.5 s that spinning would take"
        await connection.aclose()


async def test_a_full_receive_buffer_that_gets_room_in_time_takes_the_message(path):
    queue = WazuhQueue(path, reads=False)
    with queue:
        connection = await queue_socket(path).connect()
        count = await fill(connection)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connection.send, b"waits")
            await anyio.sleep(0.1)
            await anyio.to_thread.run_sync(queue.read_all)
        assert queue.read_all()[count:] == [b"waits"]
        await connection.aclose()


async def test_a_listener_that_accepts_nobody_is_given_up_at_the_deadline_and_no_processor_time_is_used(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(0)
        first = await queue_socket(path).connect()
        began, used = time.monotonic(), time.process_time()
        with pytest.raises(WazuhUnavailableError, match=r"no connection within 0\.5 s"):
            await queue_socket(path, connect=0.5).connect()
        assert 0.4 < time.monotonic() - began < 10, "seconds; only a machine that stands still takes many more than 0.5"
        assert time.process_time() - used < 0.25, "of the 0.5 s that spinning would take"
        await first.aclose()


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
async def test_after_a_restart_the_old_connection_fails_and_a_new_one_reaches_the_new_socket(path, kind):
    queue = WazuhQueue(path, kind)
    with queue:
        old = await queue_socket(path).connect()
        await old.send(b"before")
        await until(lambda: queue.messages == [b"before"])
        if kind == socket.SOCK_STREAM:
            await old.aclose()
        queue.close()
        queue.open()
        if kind == socket.SOCK_DGRAM:
            for reason in ("no process listens on it", "no process listens on it"):
                with pytest.raises(WazuhUnavailableError, match=reason):
                    await old.send(b"lost")
        new = await queue_socket(path).connect()
        await new.send(b"after")
        await until(lambda: queue.messages == [b"before", b"after"])
        await old.aclose()
        await new.aclose()


async def test_a_socket_that_goes_while_a_message_waits_for_room_fails_the_message(path):
    queue = WazuhQueue(path, reads=False)
    queue.open()
    connection = await queue_socket(path).connect()
    await fill(connection)
    async with anyio.create_task_group() as tasks:

        async def go():
            await anyio.sleep(0.1)
            queue.close()

        tasks.start_soon(go)
        with pytest.raises(WazuhUnavailableError, match="no process listens on it"):
            await connection.send(b"x")
    await connection.aclose()


async def test_a_message_that_waits_is_cancelled_at_once(path):
    with WazuhQueue(path, reads=False):
        connection = await queue_socket(path, write=60).connect()
        await fill(connection)
        began = time.monotonic()
        with anyio.move_on_after(0.1):
            await connection.send(b"x")
        assert time.monotonic() - began < 20, "seconds, far below the minute that a message may wait"
        await connection.aclose()
