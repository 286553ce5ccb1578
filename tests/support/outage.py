"""What the fault tests do to a daemon and its topic, and how they judge what arrived."""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

import psutil
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from support.brokers import run_async
from support.checkpoints import settled
from support.corpus import arrived, numbered_lines
from support.daemon import TOPIC


class Outcome(NamedTuple):
    """Numbers that never arrived, how many records came more than once, and numbers whose first arrival was after a later one's."""

    lost: list[int]
    repeated: int
    misplaced: list[int]


PERFECT = Outcome([], 0, [])


def outcome(corpus, records, since=0):
    """Compare what `read_all` returned with the relevant lines from byte `since` of the corpus on."""
    lost, repeated, misplaced = [], 0, []
    for kind, numbers in (("windows", corpus.windows), ("fail2ban", corpus.fail2ban)):
        wanted = [number for number in numbers if corpus.offsets[number] >= since]
        found = arrived(records, kind)
        first = list(dict.fromkeys(found))
        seen = set(first)
        lost += [number for number in wanted if number not in seen]
        repeated += len(found) - len(first)
        misplaced += [number for former, number in pairwise(first) if number < former]
    return Outcome(lost, repeated, misplaced)


def repeated_before(corpus, records, position):
    """Return the numbers below this byte of the corpus that came more than once."""
    counts = Counter(arrived(records, "windows") + arrived(records, "fail2ban"))
    return [number for number, count in counts.items() if count > 1 and corpus.offsets[number] < position]


def append(daemon, corpus, count):
    """Write the next `count` lines; returns the byte at which they begin."""
    begin = corpus.size
    with daemon.alerts.open("ab") as file:
        file.writelines(numbered_lines(count, corpus, first=corpus.lines))
    return begin


def append_bytes(daemon, corpus, data):
    """Write something else between the numbered lines; returns the byte at which it begins."""
    begin = corpus.size
    with daemon.alerts.open("ab") as file:
        corpus.size += file.write(data)
    return begin


def wait_until_settled(daemon, corpus, timeout=120):
    daemon.wait_until(lambda: settled(daemon) == corpus.size, timeout, "everything settled")


def wait_until_mailboxes_are_full(daemon):
    """Wait until nothing is read any more although the daemon has woken up often, as it does for its checkpoints: time alone tells nothing."""
    process, former = psutil.Process(daemon.process.pid), None
    woken_before = 0

    def stands_still():
        nonlocal former, woken_before
        reads, woken = process.io_counters().read_count, process.num_ctx_switches().voluntary
        if reads != former:
            former, woken_before = reads, woken
        return woken - woken_before >= 15

    daemon.wait_until(stands_still, what="an end to the reading")


def complaints(daemon):
    """Return the log's lines that say that the broker can't be used."""
    return [line for line in daemon.log_text().splitlines() if "broker unavailable" in line]


def wait_until_nobody_is_connected(broker):
    """Wait until the broker has closed all connections whose clients are gone; by then it has handled what they had sent."""
    process, end = psutil.Process(broker.process.pid), time.monotonic() + 60
    while any(each.laddr.port == broker.port and each.raddr for each in process.net_connections("tcp")):
        assert time.monotonic() < end
        time.sleep(0.02)


def own_ports(daemon):
    """Return the ports from which the daemon is connected: another connection has another one."""
    connections = psutil.Process(daemon.process.pid).net_connections("tcp")
    return {each.laddr.port for each in connections if each.status == psutil.CONN_ESTABLISHED}


class Cost:
    """What the daemon uses up from now on: a sample with each `measure`."""

    def __init__(self, daemon):
        self._process = psutil.Process(daemon.process.pid)
        self._began = self._used()
        self._read = self._process.io_counters()
        self._woken = self._process.num_ctx_switches().voluntary
        self.descriptors = []
        self.resident = []
        """In MiB."""
        self.measure()

    def measure(self):
        self.descriptors.append(self._process.num_fds())
        self.resident.append(self._process.memory_info().rss / 2**20)

    def cores(self):
        """Return the share of one core."""
        used, clock = self._used()
        return (used - self._began[0]) / (clock - self._began[1])

    def wake_ups(self):
        """Return how many a second there are of its main thread: unlike the time used, they don't depend on the machine."""
        return (self._process.num_ctx_switches().voluntary - self._woken) / (time.monotonic() - self._began[1])

    def reads(self):
        """Return how many system calls have read something, by any thread, and how many bytes."""
        now = self._process.io_counters()
        return now.read_count - self._read.read_count, now.read_chars - self._read.read_chars

    def _used(self):
        times = self._process.cpu_times()
        return times.user + times.system, time.monotonic()


def _administer(bootstrap, action):
    async def run():
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=30_000)
        await admin.start()
        try:
            return await action(admin)
        finally:
            await admin.close()

    return run_async(run())


def delete_topic(bootstrap, name=TOPIC):
    """Delete a topic with all that it holds."""
    answer = _administer(bootstrap, lambda admin: admin.delete_topics([name]))
    assert [code for _, code in answer.topic_error_codes] == [0], answer


def create_limited_topic(bootstrap, max_message_bytes, name=TOPIC):
    """Create a topic whose broker refuses larger batches."""
    create_topic_with(bootstrap, {"max.message.bytes": str(max_message_bytes)}, name)


def create_topic_with(bootstrap, configs, name):
    """Create a topic with settings of its own."""
    topic = NewTopic(name, 1, 1, topic_configs=configs)
    answer = _administer(bootstrap, lambda admin: admin.create_topics([topic]))
    assert [each[1] for each in answer.topic_errors] == [0], answer


def forbid_new_topics(bootstrap):
    """Keep a `NoidaBroker` from making the topics that it is asked for."""
    setting = ConfigResource(ConfigResourceType.BROKER, "1", {"auto.create.topics.enable": "false"})
    answers = _administer(bootstrap, lambda admin: admin.alter_configs([setting]))
    assert [each[0] for answer in answers for each in answer.resources] == [0], answers
