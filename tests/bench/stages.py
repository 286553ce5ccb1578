"""What each stage costs by itself, in CPU time of one core, so that a change shows where it acts."""

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from bench.corpus import write_corpus
from bench.site import bench_site
from support.kinds import select
from wazuh_dfn.config.daemon_sections import SupervisorSettings
from wazuh_dfn.kafka.aiokafka_producer import AiokafkaProducerFactory
from wazuh_dfn.kafka.batch_compression import gzip_encode
from wazuh_dfn.kafka.producer_options import KafkaOptions, TlsFiles
from wazuh_dfn.kinds import record
from wazuh_dfn.kinds.catalogue import KINDS
from wazuh_dfn.kinds.router import PARSED_AT_ONCE
from wazuh_dfn.lines.parse import parse_alert
from wazuh_dfn.memory import keep_what_chunks_need, spare_the_collector
from wazuh_dfn.messages import count_lines

CHUNK_BYTES = SupervisorSettings().read_chunk_bytes
ROUNDS = 7
RECORDS_A_BATCH = 500


@dataclass(frozen=True)
class Stage:
    """`microseconds` for each `unit`, the best of several rounds."""

    name: str
    microseconds: float
    unit: str


class Stopwatch:
    """Adds up the CPU time of each stage, and of how many things."""

    def __init__(self):
        self._seconds, self._things = Counter(), Counter()

    @contextmanager
    def __call__(self, stage, things):
        began = time.process_time()
        yield
        self._seconds[stage] += time.process_time() - began
        self._things[stage] += things

    @property
    def stages(self):
        return [*self._seconds]

    def microseconds(self, stage):
        return self._seconds[stage] / self._things[stage] * 1e6


def _chunks(data):
    start = 0
    while start < len(data):
        end = data.rfind(b"\n", start, start + CHUNK_BYTES) + 1
        yield data[start:end]
        start = end


async def _deliver(broker, batches):
    """Send the batches one by one, and return the CPU time that takes here (the broker's is not counted)."""
    producers = AiokafkaProducerFactory(KafkaOptions(broker.address, broker.topic, tls=_tls_files(**broker.credentials)))
    producer = await producers.connect()
    await producer.deliver(batches[0])  # the first also finds out about topic and producer ID
    began = time.process_time()
    for _ in range(ROUNDS):
        for batch in batches:
            await producer.deliver(batch)
    spent = time.process_time() - began
    await producers.close(producer)
    return spent / ROUNDS * 1e6


def _tls_files(dfn_ca=None, dfn_cert=None, dfn_key=None):
    """Return None for plaintext."""
    return TlsFiles(Path(dfn_ca), Path(dfn_cert), Path(dfn_key)) if dfn_ca else None


def _transform(chunks, selection, now, done):
    """Take the chunks through all stages but the last, as the daemon does: as many alerts at a time as it parses at once.

    What is `done` with the records is not counted: to keep them all, their memory would have to come from the system, which costs more.
    """
    watch = Stopwatch()
    for chunk in chunks:
        with watch(("count lines", "line"), chunk.count(b"\n")):
            count_lines(chunk)
        with watch(("scan", "line"), chunk.count(b"\n")):
            spans = [*selection.scan.candidates(chunk)]
        for part in batched(spans, PARSED_AT_ONCE, strict=False):
            with watch(("parse", "alert"), len(part)):
                alerts = [parse_alert(chunk[start:end]) for start, end in part]
            with watch(("select", "alert"), len(part)):
                kinds = [*map(selection.kinds, alerts)]
            for kind in KINDS:
                chosen = [alert for alert, its_kinds in zip(alerts, kinds, strict=True) if kind in its_kinds]
                with watch((f"build and serialise ({kind.name})", "record"), len(chosen)):
                    records = [record.build(kind, alert, now) for alert in chosen]
                done(records)
    return watch


def measure_stages(options, lines=20_000):
    """Yield the stages in the direction of the data."""
    spare_the_collector()
    keep_what_chunks_need()
    with TemporaryDirectory() as folder:
        data = write_corpus(f"{folder}/alerts.json", lines, 0.1).path.read_bytes()
    rules = select(), datetime.now().astimezone()
    rounds = [_transform([*_chunks(data)], *rules, done=len) for _ in range(ROUNDS)]
    for stage in rounds[0].stages:
        yield Stage(stage[0], min(watch.microseconds(stage) for watch in rounds), stage[1])
    built = []
    _transform([*_chunks(data)], *rules, done=built.extend)
    batches = [[*batch] for batch in batched(built, RECORDS_A_BATCH, strict=False)]
    gzip = Stopwatch()
    for batch in batches * ROUNDS:
        with gzip("gzip", len(batch)):
            gzip_encode(b"".join(batch))
    yield Stage("gzip", gzip.microseconds("gzip"), "record")
    with bench_site(options) as (_, broker, _):
        yield Stage("send, gzip and acknowledgement included", anyio.run(_deliver, broker, batches) / len(built), "record")
