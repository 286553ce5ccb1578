"""The wiring: settings and a world (real or simulated) to mailboxes, child specs and a supervisor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from wazuh_dfn.actors.fail2ban import Fail2BanActor
from wazuh_dfn.actors.feedback import FeedbackActor, FeedbackActorOptions
from wazuh_dfn.actors.router import AlertMailboxes, Router
from wazuh_dfn.actors.windows import WindowsActor
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.delivery.checkpoint_status import CheckpointStatus
from wazuh_dfn.delivery.feedback_queue import FeedbackQueue
from wazuh_dfn.delivery.feedback_status import FeedbackStatus
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.delivery.poison import PoisonBurial, split_alerts, split_chunk, split_records
from wazuh_dfn.delivery.ports import WazuhSocket
from wazuh_dfn.formats.candidates import CandidateScan
from wazuh_dfn.formats.feedback import FeedbackFormat
from wazuh_dfn.formats.relevance import Selection
from wazuh_dfn.health.monitor import Monitor
from wazuh_dfn.health.observe import Observed
from wazuh_dfn.health.restarts import RestartLog
from wazuh_dfn.kafka.kafka_actor import KafkaActor, KafkaActorOptions
from wazuh_dfn.kafka.kafka_status import KafkaStatus
from wazuh_dfn.messages import AlertBatch, Chunk, RecordBatch
from wazuh_dfn.supervision.child import ChildSpec
from wazuh_dfn.supervision.events import Subscriber
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox, PoisonHandler
from wazuh_dfn.supervision.restart_policy import Backoff, Intensity
from wazuh_dfn.supervision.supervisor import Supervisor
from wazuh_dfn.tailing.beginning import Beginning
from wazuh_dfn.tailing.checkpointer import Checkpointer
from wazuh_dfn.tailing.chunks import ChunkReader
from wazuh_dfn.tailing.open_files import OpenFiles
from wazuh_dfn.tailing.place import ReadingPlace
from wazuh_dfn.tailing.tailer import Tailer
from wazuh_dfn.world import World

KAFKA_SHUTDOWN_SECONDS = 5.0
FEEDBACK_SHUTDOWN_SECONDS = 2.0
BYSTANDER_BACKOFF_MAX_SECONDS = 60.0

RECORDS_CAPACITY_FACTOR = 4
"""So many times more batches may wait for the broker, which gets them together."""


class Pipeline:
    """The parts of one daemon that outlive its actors, and the specs that start the actors on them. Made in a running event loop."""

    def __init__(self, settings: Settings, world: World, ledger: Ledger | None = None) -> None:
        self.settings = settings
        self.world = world
        self.place = ReadingPlace()
        self.ledger = ledger or Ledger(self.place.registry.settle)
        self.kafka_status = KafkaStatus(now=world.now)
        self.checkpoint_status = CheckpointStatus()
        interval_seconds = settings.supervisor.checkpoint_interval
        self.checkpointer = Checkpointer(self.place.registry, world.checkpoints, self.checkpoint_status, interval_seconds)
        self.restarts = RestartLog(world.now)
        self.feedback_status = FeedbackStatus("off" if world.wazuh is None else "not connected")
        self.feedback = FeedbackQueue(self.feedback_status)
        self._present_router: Router | None = None
        burial = PoisonBurial(self.ledger, world.dead_letters)
        self.chunks: Mailbox[Chunk] = self._mailbox("router", burial.bury_chunk, split_chunk)
        self.windows_alerts: Mailbox[AlertBatch] = self._mailbox("windows", burial.bury_batch, split_alerts)
        self.fail2ban_alerts: Mailbox[AlertBatch] = self._mailbox("fail2ban", burial.bury_batch, split_alerts)
        self.records: Mailbox[RecordBatch] = self._mailbox("kafka", burial.bury_batch, split_records, RECORDS_CAPACITY_FACTOR)
        self.observed = self._observed()

    @property
    def mailboxes(self) -> tuple[Mailbox[Any], ...]:
        """All mailboxes, in the direction of the data."""
        return (self.chunks, self.windows_alerts, self.fail2ban_alerts, self.records)

    def specs(self) -> list[ChildSpec]:
        """Return the children in the order of their start: bystanders, then sinks first, the source last."""
        return [
            *self._health_api_specs(),
            *self._feedback_specs(),
            self._spec("monitor", lambda lifeline: self._monitor().run(lifeline), can_hang=False),
            self._spec("checkpointer", self.checkpointer.run, can_hang=False),
            replace(
                self._spec("kafka", lambda lifeline: self._kafka().run(lifeline), self.records, shutdown_seconds=KAFKA_SHUTDOWN_SECONDS),
                # one attempt has deadlines of its own, which must come first: a broker that is slow is not an actor that hangs
                progress_deadline_seconds=max(self.settings.supervisor.progress_deadline, 2 * self.settings.kafka.timeout + 15),
            ),
            self._spec("windows", lambda lifeline: self._windows().run(lifeline), self.windows_alerts),
            self._spec("fail2ban", lambda lifeline: self._fail2ban().run(lifeline), self.fail2ban_alerts),
            self._spec("router", lambda lifeline: self._router().run(lifeline), self.chunks),
            self._spec("tailer", self.read),
        ]

    def supervisor(self, specs: Sequence[ChildSpec] | None = None, subscribers: Sequence[Subscriber] = ()) -> Supervisor:
        """Make the supervisor; tests pass specs of their own that inject faults."""
        options = self.settings.supervisor
        supervisor = Supervisor(
            specs if specs is not None else self.specs(),
            intensity=Intensity(options.max_restarts, options.restart_window),
            drain_timeout_seconds=options.shutdown_timeout,
            subscribers=(self.restarts, *subscribers),
            random=self.world.random,
        )
        self.observed.children = supervisor.children
        return supervisor

    async def aclose(self) -> None:
        """Close the alert files; to be called when the supervisor is done."""
        await self.place.aclose()

    def selection(self) -> Selection:
        """Return which alerts are forwarded, by the present settings."""
        return Selection(self.settings.wazuh.event_ids, self.settings.misc.own_networks)

    def reload(self, settings: Settings) -> None:
        """Go on with these settings: the selection at once, the others with the next start of the actor that they are for."""
        self.settings = settings
        if self._present_router is not None:
            selection = self.selection()
            self._present_router.use(CandidateScan(selection.event_ids), selection)

    def _mailbox[T](self, name: str, on_poison: PoisonHandler[T], split: Callable[[T], Sequence[T]], factor: int = 1) -> Mailbox[T]:
        options = self.settings.supervisor
        return Mailbox(name, factor * options.mailbox_capacity, poison_limit=options.poison_limit, on_poison=on_poison, split=split)

    def _spec(
        self,
        name: str,
        body: Callable[[Lifeline[Any]], Awaitable[None]],
        inbox: Mailbox[Any] | None = None,
        *,
        can_hang: bool = True,
        shutdown_seconds: float = 1.0,
    ) -> ChildSpec:
        options = self.settings.supervisor
        return ChildSpec(
            name,
            body,
            inbox=inbox,
            backoff=Backoff(options.backoff_initial, options.backoff_max),
            progress_deadline_seconds=options.progress_deadline if can_hang else None,
            shutdown_timeout_seconds=shutdown_seconds,
        )

    def _observed(self) -> Observed:
        return Observed(
            self.ledger,
            self.place,
            self.world.dead_letters,
            self.checkpoint_status,
            self.kafka_status,
            self.feedback_status,
            self.mailboxes,
            self.restarts,
            self.world.resident_bytes,
            self.world.now,
            self.settings.health,
        )

    def _health_api_specs(self) -> list[ChildSpec]:
        """Return a child that the daemon can do without; the very first one, so that it can be asked until the end."""
        serve = self.world.serve_health
        if serve is None:
            return []
        return [_dispensable(self._spec("health-api", lambda lifeline: serve(self.observed, lifeline), can_hang=False))]

    def _feedback_specs(self) -> list[ChildSpec]:
        """Return a child that the daemon can do without; started early, so that it can tell of what is delivered at the end too."""
        socket = self.world.wazuh
        if socket is None:
            return []
        spec = self._spec("feedback", lambda lifeline: self._feedback(socket).run(lifeline), shutdown_seconds=FEEDBACK_SHUTDOWN_SECONDS)
        return [_dispensable(spec)]

    def _feedback(self, socket: WazuhSocket) -> FeedbackActor:
        wazuh = self.settings.wazuh
        return FeedbackActor(
            socket,
            self.feedback,
            form=FeedbackFormat(wazuh.integration_name, wazuh.max_event_size),
            status=self.feedback_status,
            options=FeedbackActorOptions(wazuh.retry_interval, wazuh.max_retry_wait_time),
            random=self.world.random,
        )

    def _monitor(self) -> Monitor:
        return Monitor(self.observed, self.settings.health.stats_interval)

    def _kafka(self) -> KafkaActor:
        kafka = self.settings.kafka
        options = KafkaActorOptions(kafka.max_batch_bytes, kafka.retry_interval, kafka.slow_retry_interval)
        world = self.world
        return KafkaActor(
            world.producers,
            self.ledger,
            world.dead_letters,
            status=self.kafka_status,
            feedback=self.feedback,
            note=self.checkpointer.note,
            options=options,
            random=world.random,
        )

    def _windows(self) -> WindowsActor:
        return WindowsActor(self.ledger, self.world.dead_letters, self.records, self.feedback)

    def _fail2ban(self) -> Fail2BanActor:
        return Fail2BanActor(self.ledger, self.world.dead_letters, self.records, self.feedback)

    def _router(self) -> Router:
        selection = self.selection()
        outboxes: AlertMailboxes = {"windows": self.windows_alerts, "fail2ban": self.fail2ban_alerts}
        self._present_router = Router(CandidateScan(selection.event_ids), selection, self.ledger, self.world.dead_letters, outboxes)
        return self._present_router

    async def read(self, lifeline: Lifeline[None]) -> None:
        """Read alerts until asked to stop: the body of the child `tailer`."""
        world, wazuh, place = self.world, self.settings.wazuh, self.place
        assert world.files is not None, "a pipeline without alert files has a reader of its own"
        beginning = Beginning(world.files, world.checkpoints, place, wazuh.start_at, self.checkpointer.save)
        files = OpenFiles(world.files, place, world.now)
        await Tailer(place, beginning, files, self.chunk_reader(), wazuh.json_alert_file_poll_interval).run(lifeline)

    def chunk_reader(self) -> ChunkReader:
        """Return what reads the present file into the pipeline."""
        return ChunkReader(self.place, self.ledger, self.chunks, self.settings.supervisor.read_chunk_bytes)


def _dispensable(spec: ChildSpec) -> ChildSpec:
    return replace(spec, significant=False, backoff=replace(spec.backoff, max_seconds=BYSTANDER_BACKOFF_MAX_SECONDS))
