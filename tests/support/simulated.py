"""The world in memory, behind the protocols of `delivery.ports`: no threads, for asyncio, trio, and trio's virtual clock.

All faults are asked for beforehand (`broker.unavailable(3)`, `files.read_errors.append(OSError(...))`), each is used up once.
"""

import errno
import itertools
from collections import deque
from hashlib import sha256

import anyio
from anyio.lowlevel import checkpoint

from wazuh_dfn.delivery.ports import SavedPosition
from wazuh_dfn.errors import BrokerUnavailableError, CheckpointUnreadableError, RecordsRejectedError
from wazuh_dfn.messages import FileIdentity

FINGERPRINT_BYTES = 1024
DEVICE = 1
_ticks = itertools.count(1)
"""Stands for the seconds since the epoch: each write and each save is later than the one before, even at one moment of a virtual clock."""


class SimulatedFile:
    """What a file is without its names."""

    def __init__(self, inode, name, data=b"", device=DEVICE):
        self.device = device
        self.inode = inode
        self.name = name
        self.data = bytearray(data)
        self.modified = float(next(_ticks))
        self.is_gzipped = False

    def identity(self, length=FINGERPRINT_BYTES):
        head = bytes(self.data[:length])
        return FileIdentity(self.device, self.inode, sha256(head).hexdigest(), len(head))

    def matches(self, identity):
        own = self.identity(identity.fingerprint_length)
        return own.fingerprint == identity.fingerprint if self.is_gzipped else own == identity

    def write(self, data):
        self.data += data
        self.modified = float(next(_ticks))


class SimulatedOpenFile:
    """An `OpenAlertFile`; like a file descriptor it outlives the file's names, and is an error to use once closed."""

    def __init__(self, world, file, path):
        self.path = path
        self.file = file
        self.is_closed = False
        self._world = world

    async def identity(self):
        await self._use()
        return self.file.identity()

    async def matches(self, identity):
        await self._use()
        return self.file.matches(identity)

    async def size(self):
        await self._use()
        return len(self.file.data)

    async def modified(self):
        await self._use()
        return self.file.modified

    async def read(self, offset, limit):
        await self._use()
        self._world.reads.append((self.file.inode, offset, limit))
        if self._world.read_errors:
            raise self._world.read_errors.popleft()
        return bytes(self.file.data[offset : offset + limit])

    async def aclose(self):
        self.is_closed = True
        await checkpoint()

    async def _use(self):
        await self._world.pause()
        if self.is_closed:
            raise OSError(errno.EBADF, "this file was closed")


class SimulatedFiles:
    """`AlertFiles`: a folder in which Wazuh writes, if `data` is not None with an alerts.json in it from the start.

    `former` are the dated files that alerts.json named before, oldest first. `reads` are all reads (inode, offset, limit).
    """

    def __init__(self, data=b"", *, seconds=0.0):
        self.current = None
        self.former = []
        self.opened = []
        self.reads = []
        self.read_errors = deque()
        self.open_errors = deque()
        self.seconds = seconds
        """What each access takes."""
        self._inodes = itertools.count(1)
        self._numbers = itertools.count(1)
        if data is not None:
            self.appear(data)

    # what Wazuh and others do

    def append(self, data):
        self.current.write(data)

    def appear(self, data=b"", *, inode=None):
        """Link alerts.json to a new dated file; give an inode to reuse one."""
        inode = next(self._inodes) if inode is None else inode
        self.current = SimulatedFile(inode, f"ossec-alerts-{next(self._numbers):02d}.json", data)

    def vanish(self, *, deleted=False):
        """Unlink alerts.json; its dated file stays unless it is deleted too."""
        if not deleted:
            self.former.append(self.current)
        self.current = None

    def rotate(self, data=b"", *, inode=None):
        self.vanish()
        self.appear(data, inode=inode)

    def truncate(self, data=b""):
        """Like copytruncate: same inode, other content."""
        self.current.data.clear()
        self.current.write(data)

    def gzip(self, index=-1):
        """Replace a former file by a gzipped one: the same content, but another inode."""
        plain = self.former[index]
        made = SimulatedFile(next(self._inodes), f"{plain.name}.gz", plain.data)
        made.is_gzipped = True
        self.former[index] = made

    # AlertFiles

    async def pause(self):
        await checkpoint()
        if self.seconds:
            await anyio.sleep(self.seconds)

    async def open_current(self):
        await self.pause()
        if self.open_errors:
            raise self.open_errors.popleft()
        return self._open(self.current, "alerts.json") if self.current is not None else None

    async def is_current(self, file):
        await self.pause()
        return file.file is self.current

    async def open_former(self, identity):
        await self.pause()
        dated = [*self.former, *([self.current] if self.current is not None else [])]
        found = next((file for file in reversed(dated) if file.matches(identity)), None)
        return self._open(found, found.name) if found is not None else None

    async def open_successor(self, identity, since):
        current = await self.open_current()
        if current is None:
            return None
        dated = [*self.former, self.current]
        found = next((number for number, file in enumerate(dated) if file.matches(identity)), None)
        later = [file for file in self.former if file.modified > since] if found is None else self.former[found + 1 :]
        if not later:
            return current
        await current.aclose()
        return self._open(later[0], later[0].name)

    def _open(self, file, path):
        self.opened.append(SimulatedOpenFile(self, file, path))
        return self.opened[-1]


class SimulatedBroker:
    """What the broker has, and how it will answer. `values`: all that was written, in order; `batches`: the same, as it was delivered."""

    def __init__(self, *, seconds=0.0, max_batch_bytes=None):
        self.batches = []
        self.attempts = []
        """(time, values) of each delivery, acknowledged or not."""
        self.connections = []
        """Time of each attempt to connect."""
        self.seconds = seconds
        """What each delivery takes."""
        self.max_batch_bytes = max_batch_bytes
        self.outage = None
        """While this is a BrokerUnavailableError, neither connecting nor delivering works."""
        self.refuses = None
        """A predicate on a value: a batch with one such value is rejected."""
        self.connect_answers = deque()
        self.deliver_answers = deque()

    @property
    def values(self):
        return [value for batch in self.batches for value in batch]

    # scripts, in the order of use

    def unavailable(self, times=1, reason="no acknowledgement", *, needs_operator=False):
        """The next deliveries fail, nothing is written."""
        self.deliver_answers.extend([_fails(reason, needs_operator=needs_operator)] * times)

    def unreachable(self, times=1, reason="connection refused", *, needs_operator=False):
        """The next attempts to connect fail."""
        self.connect_answers.extend([_fails(reason, needs_operator=needs_operator)] * times)

    def acknowledge(self, times=1):
        """The next deliveries work: for a script of several steps."""
        self.deliver_answers.extend([_works] * times)

    def write_but_fail(self, times=1, reason="no acknowledgement in time"):
        """The next deliveries are written, but not acknowledged."""
        self.deliver_answers.extend([_writes_but_fails(reason)] * times)

    def hang(self, times=1):
        """The next deliveries never return."""
        self.deliver_answers.extend([_hangs] * times)

    def reject(self, predicate):
        self.refuses = predicate

    def break_down(self, reason="connection refused", *, needs_operator=False):
        self.outage = BrokerUnavailableError(reason, needs_operator=needs_operator)

    def come_back(self):
        self.outage = None

    # for SimulatedProducers

    async def connect(self):
        await checkpoint()
        self.connections.append(anyio.current_time())
        await self._answer(self.connect_answers, [])

    async def deliver(self, values):
        await checkpoint()
        self.attempts.append((anyio.current_time(), list(values)))
        await anyio.sleep(self.seconds)
        if self.max_batch_bytes is not None and len(values) > 1:
            assert sum(map(len, values)) <= self.max_batch_bytes, "the batch is over the limit"
        if self.refuses is not None and any(map(self.refuses, values)):
            raise RecordsRejectedError("refused for good")
        await self._answer(self.deliver_answers, values)

    async def _answer(self, answers, values):
        if self.outage is not None:
            raise BrokerUnavailableError(self.outage.reason, needs_operator=self.outage.needs_operator)
        await (answers.popleft() if answers else _works)(self, values)


async def _works(broker, values):
    if values:
        broker.batches.append(list(values))


async def _hangs(broker, values):
    await anyio.sleep_forever()


def _fails(reason, *, needs_operator):
    async def answer(broker, values):
        raise BrokerUnavailableError(reason, needs_operator=needs_operator)

    return answer


def _writes_but_fails(reason):
    async def answer(broker, values):
        await _works(broker, values)
        raise BrokerUnavailableError(reason)

    return answer


class SimulatedProducer:
    """A `RecordProducer` that insists on its protocol: one delivery at a time, none once it was closed or has failed."""

    def __init__(self, broker):
        self.is_closed = False
        self.is_broken = False
        self._broker = broker
        self._busy = False

    async def deliver(self, values):
        assert not self.is_closed, "used after it was closed"
        assert not self.is_broken, "used again after a failure"
        assert not self._busy, "two deliveries at a time"
        assert values, "an empty batch"
        self._busy = self.is_broken = True
        try:
            await self._broker.deliver(values)
            self.is_broken = False
        except RecordsRejectedError:
            self.is_broken = False
            raise
        finally:
            self._busy = False


class SimulatedProducers:
    """`ProducerFactory` for a SimulatedBroker; `made` keeps all producers. `close_hangs`: closing never ends by itself."""

    def __init__(self, broker):
        self.broker = broker
        self.made = []
        self.close_hangs = False

    @property
    def open(self):
        return [producer for producer in self.made if not producer.is_closed]

    async def connect(self):
        await self.broker.connect()
        self.made.append(SimulatedProducer(self.broker))
        return self.made[-1]

    async def close(self, producer):
        producer.is_closed = True
        await (anyio.sleep_forever() if self.close_hangs else checkpoint())


class SimulatedCheckpoints:
    """`CheckpointStore`; `saves` are (time, position) of all that were saved."""

    def __init__(self, position=None, *, seconds=0.0):
        self.saved = None if position is None else SavedPosition(position, float(next(_ticks)))
        self.saves = []
        self.attempts = 0
        self.save_errors = deque()
        self.is_damaged = False
        self.seconds = seconds

    async def load(self):
        await checkpoint()
        if self.is_damaged:
            raise CheckpointUnreadableError("no readable checkpoint")
        return self.saved

    async def save(self, position):
        self.attempts += 1
        await checkpoint()
        await anyio.sleep(self.seconds)
        if self.save_errors:
            raise self.save_errors.popleft()
        self.saved, self.is_damaged = SavedPosition(position, float(next(_ticks))), False
        self.saves.append((anyio.current_time(), position))


class SimulatedDeadLetters:
    """`DeadLetterStore`; `letters` without repetitions. While `has_room` is False, storing waits, as the protocol has it."""

    def __init__(self):
        self.letters = []
        self.store_errors = deque()
        self.has_room = True

    async def store(self, letter):
        await checkpoint()
        if self.store_errors:
            raise self.store_errors.popleft()
        while not self.has_room:
            await anyio.sleep(1)
        if _key(letter) not in map(_key, self.letters):
            self.letters.append(letter)

    def of(self, stage):
        return [letter for letter in self.letters if letter.stage == stage]


def _key(letter):
    return (letter.position.file.device, letter.position.file.inode, letter.position.offset, letter.stage, letter.raw)
