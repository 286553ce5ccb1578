"""What each stage costs by itself, in CPU time of one core, so that a change shows where it acts."""

import time
from dataclasses import dataclass
from datetime import datetime
from tempfile import TemporaryDirectory

import anyio

from bench.corpus import write_corpus
from bench.scenarios import bench_site
from support.daemon import TOPIC
from wazuh_dfn.adapters.kafka_compression import gzip_encode
from wazuh_dfn.adapters.kafka_options import KafkaOptions
from wazuh_dfn.adapters.kafka_producer import AiokafkaProducerFactory
from wazuh_dfn.config.daemon_model import SupervisorSettings
from wazuh_dfn.formats import record
from wazuh_dfn.formats.candidates import CandidateScan
from wazuh_dfn.formats.parse import parse_alert
from wazuh_dfn.formats.relevance import DEFAULT_EVENT_IDS, Selection
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


def _best(function):
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        result = function()
        best = min(best, time.process_time() - began)
    return best * 1e6, result


def _chunks(data):
    start = 0
    while start < len(data):
        end = data.rfind(b"\n", start, start + CHUNK_BYTES) + 1
        yield data[start:end]
        start = end


async def _deliver(bootstrap, batches):
    """Send the batches one by one, and return the CPU time that takes here (the broker's is not counted)."""
    producers = AiokafkaProducerFactory(KafkaOptions(bootstrap, TOPIC))
    producer = await producers.connect()
    await producer.deliver(batches[0])  # the first also finds out about topic and producer ID
    began = time.process_time()
    for _ in range(ROUNDS):
        for batch in batches:
            await producer.deliver(batch)
    spent = time.process_time() - began
    await producers.close(producer)
    return spent / ROUNDS * 1e6


def measure_stages(options, lines=20_000):
    """Yield the stages in the direction of the data."""
    with TemporaryDirectory() as folder:
        corpus = write_corpus(f"{folder}/alerts.json", lines, 0.1)
        data = corpus.path.read_bytes()
    chunks, scan, selection, now = [*_chunks(data)], CandidateScan(DEFAULT_EVENT_IDS), Selection(), datetime.now().astimezone()
    spent, _ = _best(lambda: [count_lines(chunk) for chunk in chunks])
    yield Stage("count lines", spent / lines, "line")
    spent, found = _best(lambda: [chunk[start:end] for chunk in chunks for start, end in scan.candidates(chunk)])
    yield Stage("scan", spent / lines, "line")
    spent, alerts = _best(lambda: [*map(parse_alert, found)])
    yield Stage("parse", spent / len(alerts), "alert")
    spent, _ = _best(lambda: [(selection.windows(alert), selection.fail2ban(alert)) for alert in alerts])
    yield Stage("select", spent / len(alerts), "alert")
    built = []
    for kind in ("windows", "fail2ban"):
        chosen = [*filter(getattr(selection, kind), alerts)]
        spent, records = _best(lambda kind=kind, chosen=chosen: [record.build(kind, alert, now) for alert in chosen])
        yield Stage(f"build and serialise ({kind})", spent / len(chosen), "record")
        built += records
    batches = [built[start : start + RECORDS_A_BATCH] for start in range(0, len(built), RECORDS_A_BATCH)]
    spent, _ = _best(lambda: [gzip_encode(b"".join(batch)) for batch in batches])
    yield Stage("gzip", spent / len(built), "record")
    with bench_site(options) as (_, broker, _):
        yield Stage("send, gzip and acknowledgement included", anyio.run(_deliver, broker.bootstrap, batches) / len(built), "record")
