"""What is measured: each function is one run with fresh processes, and returns its figures by name."""

import os
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import dropwhile
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import confluent_kafka

from bench.corpus import write_corpus
from bench.measuring import Topic, cpu_seconds, file_bytes, peak_mib, pin
from bench.rsyslog import Rsyslog
from support.brokers import MockBroker, NoidaBroker, TansuBroker
from support.corpus import number_of
from support.daemon import TOPIC, Daemon

SUBJECT_CORES, BROKER_CORES = {0}, {1}
IN_TIME_SECONDS = 0.2


@dataclass(frozen=True)
class Options:
    """`lines` of the corpus; `kafka` and other sections go into the daemon's configuration."""

    broker: str = "noida"
    lines: int = 200_000
    compression: str = "gzip"
    sections: dict = field(default_factory=dict)


@contextmanager
def bench_site(options):
    """A folder, a broker on its own core, and the topic."""
    with TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        make = {"noida": lambda: NoidaBroker(folder / "broker"), "mock": MockBroker, "tansu": TansuBroker}[options.broker]
        broker = stack.enter_context(make())
        if len(os.sched_getaffinity(0)) > 1:
            for thread in Path(f"/proc/{broker.process.pid}/task").iterdir():
                with suppress(ProcessLookupError):  # threads come and go while it starts
                    os.sched_setaffinity(int(thread.name), BROKER_CORES)
        broker.create_topic(TOPIC)
        topic = Topic(broker.bootstrap, TOPIC)
        stack.callback(topic.close)
        yield folder, broker, topic


def make_daemon(folder, broker, options):
    sections = {"supervisor": {"checkpoint_interval": 1.0}, **options.sections}
    kafka = {"compression_type": options.compression, "idempotence": options.broker != "tansu", **sections.pop("kafka", {})}
    return Daemon(folder, broker.bootstrap, kafka=kafka, preexec=pin(SUBJECT_CORES), **sections)


def as_installed(options):
    """The default poll interval, which the tests' daemons do not have."""
    return replace(options, sections={**options.sections, "wazuh": {"json_alert_file_poll_interval": 1.0}})


def figures(began, process, corpus, broker, broker_cpu):
    seconds, cpu = time.monotonic() - began, cpu_seconds(process.pid)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "lines_per_second": corpus.lines / seconds,
        "records_per_second": corpus.relevant / seconds,
        "peak_mib": peak_mib(process.pid),
        "broker_cpu_seconds": cpu_seconds(broker.process.pid) - broker_cpu,
    }


def catch_up(options, share, rotated=0):
    """From the start of the daemon until the broker has the last record of a corpus with this share of relevant lines."""
    with bench_site(options) as (folder, broker, topic):
        daemon = make_daemon(folder, broker, options)
        for number in range(rotated):
            former = folder / "2025" / "Jan" / f"ossec-alerts-01-{number + 1:03}.json"
            former.parent.mkdir(parents=True, exist_ok=True)
            write_corpus(former, 3, 0.0, seed=number)
        corpus = write_corpus(daemon.alerts, options.lines, share)
        broker_cpu, began = cpu_seconds(broker.process.pid), time.monotonic()
        with daemon:
            topic.wait_for(corpus.relevant, daemon.process)
            return figures(began, daemon.process, corpus, broker, broker_cpu)


def peer_catch_up(options, share):
    """The same by rsyslog."""
    with bench_site(options) as (folder, broker, topic):
        corpus = write_corpus(folder / "alerts.json", options.lines, share)
        broker_cpu, began = cpu_seconds(broker.process.pid), time.monotonic()
        with Rsyslog(folder / "rsyslog", corpus.path, broker.bootstrap, TOPIC, options.compression, pin(SUBJECT_CORES)) as peer:
            topic.wait_for(corpus.relevant, peer.process)
            return figures(began, peer.process, corpus, broker, broker_cpu)


def start_up(options):
    """From the start of the process to the first record at the broker."""
    with bench_site(options) as (folder, broker, topic):
        daemon = make_daemon(folder, broker, options)
        write_corpus(daemon.alerts, 10, 1.0)
        began = time.monotonic()
        with daemon:
            topic.wait_for(1, daemon.process)
            return {"seconds": time.monotonic() - began, "cpu_seconds": cpu_seconds(daemon.process.pid)}


def idle(options, seconds=20):
    """CPU share (percent of a core) while nothing is written, with everything else at its defaults, and what the files grow by."""
    with bench_site(options) as (folder, broker, topic):
        daemon = make_daemon(folder, broker, as_installed(options))
        corpus = write_corpus(daemon.alerts, 1_000, 0.1)
        with daemon:
            topic.wait_for(corpus.relevant, daemon.process)
            time.sleep(3)
            size, cpu = file_bytes(folder), cpu_seconds(daemon.process.pid)
            time.sleep(seconds)
            return {
                "cpu_percent": (cpu_seconds(daemon.process.pid) - cpu) / seconds * 100,
                "file_growth_bytes": file_bytes(folder) - size,
                "peak_mib": peak_mib(daemon.process.pid),
            }


def delays(options, per_second=500, seconds=20, backlog=0):
    """Seconds from a line's last byte to its arrival at a consumer (which is after the acknowledgement), all lines relevant.

    With a backlog, of so many lines, those are left out that were written before the first that came in time, which shows its end.
    """
    with bench_site(options) as (folder, broker, _):
        daemon = make_daemon(folder, broker, as_installed(options))
        write_corpus(folder / "corpus", backlog + per_second * seconds, 1.0)
        lines = (folder / "corpus").read_bytes().splitlines(keepends=True)
        daemon.alerts.write_bytes(b"".join(lines[:backlog]))
        arrivals = {}
        reader = Thread(target=_note_arrivals, args=(broker.bootstrap, len(lines), arrivals))
        with daemon:
            daemon.wait_for_log("event=reading")
            reader.start()
            time.sleep(0 if backlog else 2)
            written = _write_at_rate(daemon.alerts, lines[backlog:], per_second)
            reader.join()
    taken = [arrivals[backlog + number] - at for number, at in enumerate(written)]
    if backlog:
        return [*dropwhile(lambda seconds: seconds > IN_TIME_SECONDS, taken)]
    return taken[per_second:]  # without the first second


def _write_at_rate(path, lines, per_second):
    written, began = [], time.monotonic()
    with path.open("ab", buffering=0) as file:
        for number, line in enumerate(lines):
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
            file.write(line)
            written.append(time.monotonic())
    return written


def _note_arrivals(bootstrap, count, arrivals):
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "delay", "fetch.wait.max.ms": 2, "auto.offset.reset": "earliest"}
    )
    partitions = consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
    consumer.assign([confluent_kafka.TopicPartition(TOPIC, number, 0) for number in partitions])
    end = time.monotonic() + 120
    while len(arrivals) < count and time.monotonic() < end:
        for message in consumer.consume(500, timeout=0.01):
            arrivals[number_of(message.value())[1]] = time.monotonic()
    consumer.close()


def variants(options):
    """Yield (what, run): the same catch-up with one thing changed."""
    yield f"{options.lines:,} lines", lambda: catch_up(options, 0.1)
    yield f"{4 * options.lines:,} lines", lambda: catch_up(replace(options, lines=4 * options.lines), 0.1)
    many = ",".join(f"+{number}" for number in range(10_000, 12_000))
    yield "2,000 event IDs more", lambda: catch_up(replace(options, sections={"wazuh": {"windows_event_ids": many}}), 0.1)
    yield "400 rotated files", lambda: catch_up(options, 0.1, rotated=400)
