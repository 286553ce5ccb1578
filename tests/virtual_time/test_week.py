"""A week of the whole pipeline on the virtual clock: what it holds after the second day is all that it ever holds."""

import gc
import json
import re
import sys
from collections import Counter, deque
from datetime import timedelta
from itertools import chain
from pathlib import Path

import trio

from simulation.disk import Inode
from simulation.process import Process, ProcessDisk
from simulation.seeded import run_seeded
from simulation.wazuh import ALERTS, FIRST_DAY, FOLDER, MONTHS
from simulation.world import SimulatedWorld
from support.corpus import alert, fail2ban_alert, line, windows_alert
from support.faults import crash_some_lives
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.delivery.durations import RECENT_SLOTS
from wazuh_dfn.errors import WazuhUnavailableError
from wazuh_dfn.kafka.faults import BrokerUnavailableError
from wazuh_dfn.pipeline import Pipeline
from wazuh_dfn.storage.dead_letter_folder import DeadLetterFolder
from wazuh_dfn.tailing import registry
from wazuh_dfn.tailing.alert_file import AlertFolder
from wazuh_dfn.tailing.checkpoint_file import CheckpointFile
from wazuh_dfn.wazuh.feedback_queue import CAPACITY_BYTES
from wazuh_dfn.world import World

DAYS, DAY, HOUR, BURST = 7, 86_400, 3_600, 300
FILES_KNOWN = 30
"""Instead of the real number, so that the registry is full before the second day is over."""
"""The last three in seconds."""
LINES = 4
"""Of a burst, at most."""
GROWTH_BYTES = 8 * 1024
"""Less than a list takes that gets one entry with each burst from the second day on: 1,440 pointers."""
CHECKPOINT, DEAD_LETTERS = Path("/state/checkpoint.json"), Path("/dead-letters")
HISTORY_POINTS, DEAD_LETTERS_KEPT, MAX_RESTARTS = 20, 5, 20
SETTINGS = Settings.model_validate(
    {
        "dfn": {"dfn_id": "site"},
        # as seldom as may be: with the defaults, a week takes minutes
        "wazuh": {"start_at": "beginning", "json_alert_file_poll_interval": 60},
        "kafka": {"retry_interval": 60},
        "supervisor": {"checkpoint_interval": 60, "progress_deadline": HOUR, "max_restarts": MAX_RESTARTS},
        "health": {"max_history_entries": HISTORY_POINTS},
    }
)


class Outside:
    """The broker or Wazuh; it keeps nothing, and is away for one hour of each day."""

    def __init__(self, away_at, error):
        self.taken = 0
        self._away_at = away_at
        self._error = error

    async def connect(self, told=None):
        await trio.sleep(0.01)
        if trio.current_time() % DAY // HOUR == self._away_at:
            raise self._error("connection refused")
        return self

    async def deliver(self, values):
        await self.connect()
        self.taken += len(values)

    async def send(self, message):
        await self.deliver([message])

    async def close(self, producer):
        await trio.sleep(0.01)

    async def aclose(self):
        await trio.sleep(0.01)


class QuickProcess(Process):
    """Its calls take no time, and it keeps no list of all files that it ever opened."""

    def __init__(self, world):
        super().__init__(world)
        self.handles = deque(maxlen=0)

    async def breathe(self, seconds):
        await trio.lowlevel.checkpoint()


async def ask_for_health(observed, lifeline):
    lifeline.started()
    while True:
        await trio.sleep(HOUR / 6)
        await observed.report()


def make_pipeline(world, broker, wazuh):
    disk = ProcessDisk(QuickProcess(world))
    outside = World(
        files=AlertFolder(ALERTS, disk),
        checkpoints=CheckpointFile(CHECKPOINT, disk, world.now),
        dead_letters=DeadLetterFolder(DEAD_LETTERS, disk, DEAD_LETTERS_KEPT, 2**30),
        producers=broker,
        wazuh=wazuh,
        now=world.now,
        random=world.random,
    )
    return Pipeline(SETTINGS, outside, serve_health=ask_for_health)


async def write_a_day(world, date, files):
    """A new file each hour, with one torn line in it; those of the last day are kept."""
    for hour in range(24):
        suffix = f"-{hour:03}" if hour else ""
        files.append(FOLDER / f"{date:%Y}" / MONTHS[date.month - 1] / f"ossec-alerts-{date:%d}{suffix}.json")
        inode = world.disk.create(files[-1])
        world.disk.unlink(ALERTS)
        world.disk.link(ALERTS, inode)
        if len(files) > 24:
            world.disk.unlink(files.popleft())
        for number in range(HOUR // BURST):
            await trio.sleep(BURST)
            lines = [line(alert(number)), line(windows_alert(number)), line(fail2ban_alert(number))]
            world.disk.append(inode, b"".join(lines) if number else b"".join(lines) + lines[1][:-9] + b"\n")


async def look_for_too_much(world, pipeline, supervisor, found):
    """Note of all that could grow what is larger than its bound, looking again and again."""
    feedback, kafka, restarts = pipeline.feedback, pipeline.kafka_status, pipeline.restarts
    while True:
        await trio.sleep(BURST)
        own_files = {path: inode for path, inode in world.disk.names.items() if FOLDER not in path.parents}
        contents = pipeline.world.dead_letters._contents
        kept = sum(contents.index.counts.values()) if contents is not None else 0
        sizes = {
            "open chunks": (len(pipeline.ledger._chunks), sum(mailbox.capacity for mailbox in pipeline.mailboxes)),
            # after a crash, each line of a burst is a message by itself
            **{mailbox.name: (mailbox.depth, LINES * mailbox.capacity) for mailbox in pipeline.mailboxes},
            "points of the history": (len(pipeline.observed.history._points), HISTORY_POINTS),
            "slots of durations": (max(len(kafka.batches._recent), len(kafka.delays._recent)), RECENT_SLOTS),
            "bytes of feedback": (CAPACITY_BYTES - feedback._free_bytes, CAPACITY_BYTES),
            "kinds of errors": (len(feedback._errors.keys() | feedback._told_at), 3),
            "problems of reading": (len(pipeline.place.problems), 3),
            "actors that failed": (len(restarts.failures.keys() | restarts.last), len(supervisor.children)),
            "restarts in the window": (len(supervisor._counter._times), MAX_RESTARTS),
            "dead letters": (kept, DEAD_LETTERS_KEPT),
            "files": (len(own_files), 4 + 2 * DEAD_LETTERS_KEPT),
            "bytes of a file": (max((len(inode.data) for inode in own_files.values()), default=0), 512 * FILES_KNOWN),
            "open files": (sum(inode.opened for inode in world.disk.inodes), 2),
        }
        found |= {what: size for what, (size, most) in sizes.items() if size > most}


def bytes_by_type():
    """Of all objects that the garbage collector knows, and what they refer to; tracemalloc would make the week last three times as long."""
    gc.collect()
    known = gc.get_objects()
    found = {id(each): each for each in chain(known, chain.from_iterable(map(gc.get_referents, known)))}
    files = {
        id(data) for each in known if isinstance(each, Inode) for data in (each.data, each.durable)
    }  # bounded, see `look_for_too_much`
    sizes = Counter()
    # the collector comes to see the patterns of modules that other tests have imported at any time; the daemon makes none as it runs
    for each in (each for key, each in found.items() if key not in files and not isinstance(each, re.Pattern)):
        sizes[f"{type(each).__module__}.{type(each).__qualname__}"] += sys.getsizeof(each, 0)
    return sizes


async def week(folder, too_much):
    """Write to `folder` what is in memory after the second and the last day; returns the pipeline, and the records and messages taken."""
    world = SimulatedWorld(0, 0)
    world.rates = dict.fromkeys(world.rates, 0)
    world.set_clock(FIRST_DAY)
    broker, wazuh, files = Outside(3, BrokerUnavailableError), Outside(5, WazuhUnavailableError), deque()
    pipeline = make_pipeline(world, broker, wazuh)
    supervisor = pipeline.supervisor(
        [crash_some_lives(spec, world.random, lives=100, longest_seconds=DAY / 2) for spec in pipeline.specs()]
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        nursery.start_soon(look_for_too_much, world, pipeline, supervisor, too_much)
        for day in range(DAYS):
            await write_a_day(world, FIRST_DAY + timedelta(days=day), files)
            if day in (1, DAYS - 1):
                (folder / f"{day}.json").write_text(json.dumps(bytes_by_type()))
        await trio.sleep(BURST)
        nursery.cancel_scope.cancel()
    await pipeline.aclose()
    return pipeline, broker.taken, wazuh.taken


def test_in_a_week_of_alerts_rotations_outages_and_crashes_nothing_grows_after_the_second_day(tmp_path, monkeypatch):
    too_much, bursts = {}, DAYS * DAY // BURST
    monkeypatch.setattr(registry, "KEPT_FILES", FILES_KNOWN)
    pipeline, records, messages = run_seeded(lambda: week(tmp_path, too_much), 0)
    counts = pipeline.ledger.accounting
    assert (counts.lines_read, counts.delivered, counts.dead_lettered) == (3 * bursts + 24 * DAYS, 2 * bursts, 24 * DAYS)
    assert records == 2 * bursts <= messages
    assert min(pipeline.restarts.failures.values()) > DAYS
    assert too_much == {}
    early, late = (Counter(json.loads((tmp_path / f"{day}.json").read_text())) for day in (1, DAYS - 1))
    grown = late - early
    assert grown.total() <= GROWTH_BYTES, f"more bytes in use, by type: {grown.most_common(10)}"
