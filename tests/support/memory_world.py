"""A world in memory for whole pipelines on the virtual clock: one file, one broker, checkpoints and dead letters."""

from pathlib import Path
from random import Random
from types import SimpleNamespace

import trio

from support.corpus import Corpus, numbered_lines
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode
from wazuh_dfn.messages import NO_BYTES
from wazuh_dfn.pipeline import Pipeline
from wazuh_dfn.tailing.disk import Status
from wazuh_dfn.tailing.names import Sighting
from wazuh_dfn.tailing.registry import Match
from wazuh_dfn.tailing.survey import Survey, Unread
from wazuh_dfn.world import World


class MemoryFile:
    """Both the path and the open file: one that is never replaced."""

    path = "alerts.json"
    node = (1, 1)
    is_packed = False

    def __init__(self, data):
        self.data = data
        self.number = None
        self.head = NO_BYTES
        self.content = SimpleNamespace(damage=None)

    async def survey(self, registry, held, since):
        sighting = Sighting(Path(self.path), Status(1, 1, len(self.data), 0.0, 1), is_current=True)
        return Survey([sighting], sighting, unread=[Unread(sighting, self.number, len(self.data))])

    async def open(self, path):
        return self

    async def match(self, registry, file):
        known = registry.files.get(self.number)
        return known and Match(known, known.read_to)

    @property
    def disk(self):
        return SimpleNamespace(run=self._without_old_files)

    async def _without_old_files(self, function, *args):
        return []

    async def current_node(self):
        return self.node

    async def current_path(self, since):
        return Path(self.path)

    async def is_mount_point(self):
        return False

    async def size(self):
        return len(self.data)

    async def read(self, position, limit, *, skip=0):
        await trio.sleep(0.001)
        return self.data[position.offset + skip :][:limit]

    async def begun_line(self, offset):
        return None

    async def unnamed_bytes(self):
        return 0

    async def aclose(self):
        pass


def unacknowledged(text):
    return BrokerUnavailableError(Fault(FaultCode.NOT_ACKNOWLEDGED, text))


class MemoryBroker:
    """Factory, producer and broker in one. `outage`: from and to which virtual second nothing is acknowledged; `hangs`: calls that never
    return; `error`: what is raised in an outage."""

    def __init__(self, *, outage=(0, 0), hangs=0, error=unacknowledged):
        self.error = error
        self.values = []
        self.times = []
        self.began = trio.current_time()
        self.outage = outage
        self.hangs = hangs

    async def connect(self, told=None):
        await trio.sleep(0.01)
        if self.outage[0] <= trio.current_time() - self.began < self.outage[1]:
            raise BrokerUnavailableError(Fault(FaultCode.REFUSED, "connection refused"))
        return self

    async def deliver(self, values):
        await trio.sleep(0.005)
        if self.hangs:
            self.hangs -= 1
            await trio.sleep_forever()
        if self.outage[0] <= trio.current_time() - self.began < self.outage[1]:
            raise self.error("no acknowledgement")
        self.values.extend(values)
        self.times.extend([round(trio.current_time() - self.began, 6)] * len(values))
        await trio.sleep(0.005)

    async def close(self, producer):
        await trio.sleep(0.01)


class Notes:
    """Checkpoints and dead letters."""

    problem = None

    def __init__(self):
        self.saved = None
        self.letters = []

    async def load(self):
        return None

    async def save(self, checkpoint):
        await trio.sleep(0.002)
        self.saved = checkpoint.files[0].settled if checkpoint.files else None

    async def note(self, files, saves):
        pass

    async def counts(self):
        return None

    async def store(self, letters):
        self.letters += letters


async def run_pipeline_on(file, broker, *, faults=lambda specs: specs, seconds=60, wazuh=None, serve_health=None, **supervisor):
    """Run until `seconds` of virtual time are over, then drain; returns the pipeline, its events and notes."""
    notes = Notes()
    settings = Settings.model_validate(
        {
            "dfn": {"dfn_id": "site"},
            "wazuh": {"start_at": "beginning"},
            "kafka": {"max_batch_bytes": 20_000},
            "supervisor": {"mailbox_capacity": 1, "read_chunk_bytes": 262_144, "poison_limit": 100, "max_restarts": 20, **supervisor},
        }
    )
    pipeline = Pipeline(
        settings, World(file, notes, notes, broker, wazuh, now=trio.current_time, random=Random(0)), serve_health=serve_health
    )
    events = []
    supervisor = pipeline.supervisor(faults(pipeline.specs()), [events.append])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(seconds)
        supervisor.drain()
    return pipeline, events, notes


async def run_pipeline(lines, broker, **options):
    """The same on so many numbered lines; returns their corpus too, in front."""
    corpus = Corpus()
    file = MemoryFile(b"".join(numbered_lines(lines, corpus)))
    return corpus, *await run_pipeline_on(file, broker, **options)
