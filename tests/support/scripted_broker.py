"""A broker that says what a test wants it to say, in Kafka's protocol: for answers that no real broker can be brought to give."""

import asyncio
import struct
from contextlib import asynccontextmanager

from aiokafka.protocol import admin, metadata, produce, transaction

PRODUCE, METADATA, SASL_HANDSHAKE, API_VERSIONS, INIT_PRODUCER_ID, SASL_AUTHENTICATE = 0, 3, 17, 18, 22, 36
VERSIONS = [
    (PRODUCE, 3, 8),
    (METADATA, 4, 5),
    (SASL_HANDSHAKE, 0, 1),
    (API_VERSIONS, 0, 0),
    (INIT_PRODUCER_ID, 0, 0),
    (SASL_AUTHENTICATE, 0, 0),
]
HANG_UP = None


class ScriptedBroker:
    """One node with one topic of one partition.

    `leader` is the number of the partition's leader, 1 is this node. `topic_error` and `produce_error` are error codes. `throttle_ms` goes
    out with each answer to Produce. `answers` replaces what is said to a kind of request: a function of the request's body that returns
    the answer's, or HANG_UP; it may be a coroutine. `asked` has the kind and the body of each request. `produced` counts the batches.
    """

    def __init__(self, topic="alerts"):
        self.topic = topic
        self.leader, self.topic_error, self.produce_error, self.throttle_ms = 1, 0, 0, 0
        self.nodes = None
        self.answers = {}
        self.asked = []
        self.produced = 0
        self._writers = set()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self, ssl=None):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=ssl)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def cut(self):
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self._writers.add(writer)
        try:
            while True:
                data = await reader.readexactly(struct.unpack(">i", await reader.readexactly(4))[0])
                key, version, correlation, length = struct.unpack(">hhih", data[:10])
                body = data[10 + max(length, 0) :]
                self.asked.append((key, body))
                answer = await self._answer(key, version, body)
                if answer is HANG_UP:
                    return
                writer.write(struct.pack(">ii", 4 + len(answer), correlation) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, key, version, body):
        if key in self.answers:
            answer = self.answers[key](body)
            return await answer if asyncio.iscoroutine(answer) else answer
        if key == API_VERSIONS:
            return admin.ApiVersionResponse_v0(0, VERSIONS).encode()
        if key == INIT_PRODUCER_ID:
            return transaction.InitProducerIdResponse_v0(0, 0, 7, 0).encode()
        if key == METADATA:
            partitions = [] if self.topic_error else [(5 if self.leader < 0 else 0, 0, self.leader, [1], [1], [])]
            nodes = self.nodes or [(1, "127.0.0.1", self.port, None)]
            return metadata.MetadataResponse_v5(0, nodes, "cluster", 1, [(self.topic_error, self.topic, False, partitions)]).encode()
        assert key == PRODUCE
        self.produced += 1
        more = ([], None) if version >= 8 else ()
        response = {3: produce.ProduceResponse_v3, 7: produce.ProduceResponse_v7, 8: produce.ProduceResponse_v8}[version]
        return response([(self.topic, [(0, self.produce_error, self.produced - 1, -1, 0, *more)])], self.throttle_ms).encode()
