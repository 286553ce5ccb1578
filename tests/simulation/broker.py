"""The simulated broker and its clients: they refuse, cut off, answer late, twice or never, and say they did not when they did."""

import trio

from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode, RecordsRejectedError


class SimulatedBroker:
    """One partition. `is_up` follows the weather; `refused` are values that it takes for invalid."""

    def __init__(self, world):
        self.world = world
        self.is_up = True
        self.is_slow = False
        self.log = []

    async def weather(self):
        random = self.world.random
        while True:
            await trio.sleep(random.expovariate(1 / 15))
            self.is_up = not self.world.happens("outage")
            self.is_slow = self.world.happens("slow")
            if not self.is_up:
                self.world.note("broker is away")
                await trio.sleep(random.choice([0.5, 5, 60, 600]))
                self.is_up = True
                self.world.note("broker is back")

    def append(self, value):
        self.log.append(value)
        self.world.oracle.record_arrived(value)


class Client:
    """Implements `ProducerFactory` and `RecordProducer` for one process."""

    def __init__(self, process):
        self._process = process
        self._world = process.world
        self._broker = process.world.broker

    async def connect(self, told=None):
        await self._trouble("connect_fails", "connect_hangs")
        if not self._broker.is_up:
            code = FaultCode.TLS_REFUSED if self._world.happens("needs_operator") else FaultCode.REFUSED
            raise BrokerUnavailableError(Fault(code, "connection refused"))
        return Connection(self)

    async def close(self, producer):
        await self._process.breathe(0.01)
        if self._world.happens("close_hangs"):
            await trio.sleep_forever()

    async def deliver(self, values):
        """Write all, some or nothing; then acknowledge, or not."""
        random = self._world.random
        await self._trouble("deliver_fails", "deliver_hangs")
        if not self._broker.is_up:
            raise BrokerUnavailableError(Fault(FaultCode.NOT_ACKNOWLEDGED, "no acknowledgement"))
        if any(self._world.oracle.is_refused(value) for value in values):
            raise RecordsRejectedError("too large for this broker")
        written = random.randint(0, len(values)) if self._world.happens("cut_off") else len(values)
        for value in values[:written]:
            self._broker.append(value)
        self._world.oracle.answer_is_open(values[:written])
        if written < len(values):
            raise BrokerUnavailableError(Fault(FaultCode.NOT_DELIVERED, "connection lost"))
        await self._trouble("answer_lost", "answer_hangs")
        self._world.oracle.acknowledged(values)

    async def _trouble(self, fails, hangs):
        await self._process.breathe(5.0 if self._broker.is_slow else 0.01)
        if self._world.happens(hangs):
            self._world.note(hangs)
            await trio.sleep_forever()
        if self._world.happens(fails):
            self._world.note(fails)
            raise self._world.random.choice([BrokerUnavailableError(Fault(FaultCode.NOT_DELIVERED, fails)), RuntimeError(fails)])


class Connection:
    """Implements `RecordProducer`; refuses to be used after an error or when closed."""

    def __init__(self, client):
        self._client = client
        self._is_broken = False

    async def deliver(self, values):
        assert not self._is_broken, "a producer was used again after an error"
        self._is_broken = True
        try:
            await self._client.deliver(values)
        except RecordsRejectedError:
            self._is_broken = False
            raise
        self._is_broken = False
