"""What is measured: each function is one run with fresh processes, and returns its figures by name."""

import time
from dataclasses import replace
from itertools import dropwhile
from threading import Thread

import confluent_kafka

from bench.corpus import make_lines, write_corpus
from bench.measuring import cpu_seconds, file_bytes, peak_mib, pin
from bench.rsyslog import Rsyslog
from bench.site import SUBJECT_CORES, bench_site, make_daemon
from support.corpus import number_of

IN_TIME_SECONDS = 0.2
SHARES = (50, 95, 99)


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
        "broker_cpu_seconds": cpu_seconds(broker.pid) - broker_cpu,
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
        broker_cpu, began = cpu_seconds(broker.pid), time.monotonic()
        with daemon:
            topic.wait_for(corpus.relevant, daemon)
            return figures(began, daemon.process, corpus, broker, broker_cpu)


def peer_catch_up(options, share):
    """The same by rsyslog."""
    with bench_site(options) as (folder, broker, topic):
        corpus = write_corpus(folder / "alerts.json", options.lines, share)
        broker_cpu, began = cpu_seconds(broker.pid), time.monotonic()
        with Rsyslog(folder / "rsyslog", corpus.path, broker.bootstrap, broker.topic, options.compression, pin(SUBJECT_CORES)) as peer:
            topic.wait_for(corpus.relevant, peer)
            return figures(began, peer.process, corpus, broker, broker_cpu)


def start_up(options):
    """From the start of the process to the first record at the broker."""
    with bench_site(options) as (folder, broker, topic):
        daemon = make_daemon(folder, broker, options)
        write_corpus(daemon.alerts, 10, 1.0)
        began = time.monotonic()
        with daemon:
            topic.wait_for(1, daemon)
            return {"seconds": time.monotonic() - began, "cpu_seconds": cpu_seconds(daemon.process.pid)}


def idle(options, seconds=20):
    """CPU share (percent of a core) while nothing is written, with everything else at its defaults, and what the files grow by."""
    with bench_site(options) as (folder, broker, topic):
        daemon = make_daemon(folder, broker, as_installed(options))
        corpus = write_corpus(daemon.alerts, 1_000, 0.1)
        with daemon:
            topic.wait_for(corpus.relevant, daemon)
            time.sleep(3)
            size, cpu = file_bytes(folder), cpu_seconds(daemon.process.pid)
            time.sleep(seconds)
            return {
                "cpu_percent": (cpu_seconds(daemon.process.pid) - cpu) / seconds * 100,
                "file_growth_bytes": file_bytes(folder) - size,
                "peak_mib": peak_mib(daemon.process.pid),
            }


def delays(options, backlog, per_second=500, seconds=20):
    """Seconds from a line's last byte to its arrival at a consumer (which is after the acknowledgement), all lines relevant.

    With a backlog, of so many lines, those are left out that were written before the first that came in time, which shows its end.
    """
    begin = max(1, backlog)  # the first record shows that the daemon has started
    with bench_site(options) as (folder, broker, topic):
        daemon = make_daemon(folder, broker, as_installed(options))
        lines, _ = make_lines(begin + per_second * seconds, 1.0)
        daemon.alerts.write_bytes(b"".join(lines[:begin]))
        arrivals = {}
        reader = Thread(target=_note_arrivals, args=(broker, len(lines), arrivals), daemon=True)
        with daemon:
            topic.wait_for(1, daemon)
            reader.start()
            time.sleep(0 if backlog else 2)
            written = _write_at_rate(daemon.alerts, lines[begin:], per_second)
            reader.join()
    taken = [arrivals[begin + number] - at for number, at in enumerate(written)]
    if backlog:
        return [*dropwhile(lambda seconds: seconds > IN_TIME_SECONDS, taken)]
    return taken[per_second:]  # without the first second


def delay_figures(seconds):
    """In milliseconds: what so many percent of the alerts do not exceed, and the longest."""
    ordered = sorted(seconds)
    return {f"p{share}_ms": 1000 * ordered[int(len(ordered) * share / 100)] for share in SHARES} | {"max_ms": 1000 * ordered[-1]}


def _write_at_rate(path, lines, per_second):
    written, began = [], time.monotonic()
    with path.open("ab", buffering=0) as file:
        for number, line in enumerate(lines):
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
            file.write(line)
            written.append(time.monotonic())
    return written


def _note_arrivals(broker, count, arrivals):
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": "delay", "fetch.wait.max.ms": 2, "auto.offset.reset": "earliest"}
    )
    partitions = consumer.list_topics(broker.topic, timeout=10).topics[broker.topic].partitions
    consumer.assign([confluent_kafka.TopicPartition(broker.topic, number, 0) for number in partitions])
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
