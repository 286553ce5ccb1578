"""One run: the real pipeline lives, dies and lives again in a simulated world, until all that was written has to be settled."""

from contextlib import ExitStack
from functools import cache
from unittest.mock import patch

import trio

from simulation.broker import Client
from simulation.crashes import Crashes
from simulation.feedback import SimulatedQueue
from simulation.lines import KEPT_LINE_BYTES, LINE_LIMIT_BYTES
from simulation.oracle import CHECKPOINT, DEAD_LETTERS
from simulation.places import ALERTS
from simulation.process import Process, ProcessDisk
from simulation.seeded import run_seeded
from simulation.world import SimulatedWorld
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.delivery import ledger
from wazuh_dfn.kinds import router
from wazuh_dfn.pipeline import Pipeline
from wazuh_dfn.storage.dead_letter_folder import DeadLetterFolder
from wazuh_dfn.supervision.events import DrainCutShort, Escalated, MessagePoisoned
from wazuh_dfn.supervision.failures import SupervisionError
from wazuh_dfn.tailing import chunks
from wazuh_dfn.tailing.alert_file import AlertFolder
from wazuh_dfn.tailing.checkpoint_file import CheckpointFile
from wazuh_dfn.world import World

ACTORS = ("feedback", "monitor", "checkpointer", "kafka", "windows", "fail2ban", "router", "tailer")
SHUTDOWN_SECONDS = 30.0
PARSED_AT_ONCE = 3
"""So few relevant lines that chunks have to be divided."""


def tasks_below(task):
    """Yield all tasks that this one has started, directly or not."""
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield child
            yield from tasks_below(child)


class CheckedCheckpoints(CheckpointFile):
    """Tells the oracle before each save."""

    def __init__(self, world, disk):
        super().__init__(CHECKPOINT, disk, world.now)
        self._world = world

    async def save(self, checkpoint):
        self._world.oracle.saving(checkpoint.files)
        await super().save(checkpoint)
        self._world.oracle.saved()
        self._world.note(f"checkpoint {checkpoint.saves}")

    async def note(self, files, saves):
        self._world.oracle.saving(files)
        await super().note(files, saves)


@cache
def settings(capacity, poison_limit, poll, chunk_bytes):
    checked = Settings.model_validate(
        {
            "dfn": {"dfn_id": "site"},
            "wazuh": {"start_at": "beginning", "json_alert_file": str(ALERTS), "json_alert_file_poll_interval": poll},
            "kafka": {"max_batch_bytes": 4_000, "retry_interval": 5, "slow_retry_interval": 60},
            "supervisor": {
                "mailbox_capacity": capacity,
                "poison_limit": poison_limit,
                "max_restarts": 30,
                "progress_deadline": 60,
                "shutdown_timeout": SHUTDOWN_SECONDS,
                "checkpoint_interval": 1,
            },
        }
    )
    # smaller than what is allowed, so that a few lines fill a chunk
    return checked.model_copy(update={"supervisor": checked.supervisor.model_copy(update={"read_chunk_bytes": chunk_bytes})})


class Run:
    """`run()` raises ViolationError if a promise was broken."""

    def __init__(self, seed, lines=150, new=None):
        self.seed = seed
        self.new = new
        self.lines = lines
        self.world = None
        self.crashes = Crashes()
        self._drain_was_cut_short = False

    def run(self):
        with ExitStack() as stack:
            for module in (chunks, router):
                stack.enter_context(patch.object(module, "LINE_LIMIT_BYTES", LINE_LIMIT_BYTES))
            stack.enter_context(patch.object(chunks, "KEPT_LINE_BYTES", KEPT_LINE_BYTES))
            stack.enter_context(patch.object(chunks, "UNSETTLED_BYTES", 2 * LINE_LIMIT_BYTES))
            stack.enter_context(patch.object(ledger, "CROWDED_CHUNKS", 4))
            stack.enter_context(patch.object(router, "PARSED_AT_ONCE", PARSED_AT_ONCE))
            try:
                run_seeded(self._main, self.seed, instruments=[self.crashes], on_log=self._hear)
            finally:
                if self.world is not None and self.world.violation is not None:
                    raise self.world.violation

    async def _main(self):
        self.world = self.crashes.world = SimulatedWorld(self.seed, self.lines, self.new)
        with self.world.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.world.broker.weather)
                nursery.start_soon(self.world.change)
                nursery.start_soon(self.world.wazuh.run)
                while self.world.wazuh.left > 0:
                    await self._live()
                    await trio.sleep(self.world.random.choice([0.1, 1, 10, 100]))
                self.world.calm_down()
                await self._live_to_the_end()
                nursery.cancel_scope.cancel()

    async def _live(self):
        """One life of the daemon; ends by signal, by what the world does to it, or by giving up.

        If all is written by then, it may go on into the calm: a restart would mend what was lost within it.
        """
        process, pipeline, supervisor = self._begin()
        with process.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._supervise, supervisor, process)
                await trio.sleep(self.world.random.expovariate(1 / 60))
                if self.world.wazuh.left <= 0:
                    self.world.calm_down()
                    await self._until_quiet(pipeline)
                    self.world.oracle.check_settled()  # what is read only after a restart is read too late
                await self._stop(pipeline, supervisor)
                await pipeline.aclose()
        self._end(process, pipeline)

    async def _live_to_the_end(self):
        process, pipeline, supervisor = self._begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.run)
            await self._until_quiet(pipeline)
            await self._stop(pipeline, supervisor)
        await pipeline.aclose()
        self._end(process, pipeline)
        self.world.oracle.check_all(pipeline)

    async def _until_quiet(self, pipeline):
        """Wait until nothing changes any more, for longer than any retry takes."""
        for _ in range(100):
            before, is_over = pipeline.ledger.accounting, self.world.wazuh.is_done and not self.crashes.process.is_hindered
            await trio.sleep(100)
            if is_over and pipeline.ledger.accounting == before and not before.in_flight:
                return
        self.world.violate(f"nothing goes wrong any more, and it does not come to rest: {before}")

    async def _stop(self, pipeline, supervisor):
        self.world.note("SIGTERM")
        self.crashes.process.is_draining = True
        began = trio.current_time()
        supervisor.drain()
        for child in supervisor.children:
            await child.finished.wait()
        if trio.current_time() - began > SHUTDOWN_SECONDS + 1:
            self.world.violate(f"the stop took {trio.current_time() - began:.1f} s")
        if pipeline.ledger.accounting.in_flight and not self._drain_was_cut_short:
            self.world.violate(f"a stop that had the time to deliver all did not: {pipeline.ledger.accounting}")

    async def _supervise(self, supervisor, process):
        try:
            await supervisor.run()
        except SupervisionError as error:
            process.kill(f"gave up: {error}")

    def _begin(self):
        world, random = self.world, self.world.random
        world.between_lives()
        world.note("the daemon starts")
        world.oracle.life_begins()
        process = self.crashes.process = Process(world)
        disk, client = ProcessDisk(process), Client(process)
        outside = World(
            files=AlertFolder(world.alert_path, disk),
            checkpoints=CheckedCheckpoints(world, disk),
            dead_letters=DeadLetterFolder(DEAD_LETTERS, disk, 10_000, 2**30),
            producers=client,
            wazuh=SimulatedQueue(process),
            now=world.now,
            random=random,
        )
        chosen = settings(
            random.choice([1, 2, 4]), random.choice([3, 50]), random.choice([1, 10]), random.choice([1, 4]) * LINE_LIMIT_BYTES
        )
        pipeline = Pipeline(chosen, outside)
        supervisor = pipeline.supervisor([self.crashes.expose(spec) for spec in pipeline.specs()], [self._hear])
        self.crashes.pipeline, self._drain_was_cut_short = pipeline, False
        return process, pipeline, supervisor

    def _hear(self, event):
        self._drain_was_cut_short |= isinstance(event, DrainCutShort | Escalated)
        self.world.oracle.poisoned += isinstance(event, MessagePoisoned)
        if "statistics" not in str(event):
            self.world.note(str(event)[:200])

    def _end(self, process, pipeline):
        if process.alive:
            pipeline.world.wazuh.check(pipeline)
        process.alive = False
        self.crashes.scopes.clear()
        for handle in process.handles:
            handle.close()
        if process.power_cut:
            self.world.disk.power_cut()
            self.world.wazuh.crash()
            self.world.oracle.something_was_destroyed()
        self.world.nameless.life_ends()
        if not pipeline.ledger.accounting.is_balanced:
            self.world.violate(f"accounting: {pipeline.ledger.accounting}")
        if left := [task.name for task in tasks_below(trio.lowlevel.current_task()) if task.name in ACTORS]:
            self.world.violate(f"tasks are left after the end: {left}")
