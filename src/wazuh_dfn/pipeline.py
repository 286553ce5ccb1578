"""Wiring of the pipeline: settings and a world (real or simulated) become mailboxes, child specs and a supervisor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from wazuh_dfn.config.settings import Settings
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.delivery.poison import PoisonBurial, split_alerts, split_chunk, split_records
from wazuh_dfn.health.monitor import Monitor
from wazuh_dfn.health.observe import Observed, ServeHealth
from wazuh_dfn.health.restarts import RestartLog
from wazuh_dfn.kafka.kafka_actor import KafkaActor, KafkaActorOptions
from wazuh_dfn.kafka.kafka_status import KafkaStatus
from wazuh_dfn.kinds import catalogue
from wazuh_dfn.kinds.router import Router
from wazuh_dfn.kinds.selection import Selection
from wazuh_dfn.messages import AlertBatch, Chunk, KindName, RecordBatch
from wazuh_dfn.supervision.child import ChildSpec
from wazuh_dfn.supervision.events import Subscriber
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox, PoisonHandler
from wazuh_dfn.supervision.restart_policy import Backoff, Intensity
from wazuh_dfn.supervision.supervisor import Supervisor
from wazuh_dfn.tailing.beginning import Beginning
from wazuh_dfn.tailing.checkpoint_status import CheckpointStatus
from wazuh_dfn.tailing.checkpointer import Checkpointer
from wazuh_dfn.tailing.chunks import ChunkReader
from wazuh_dfn.tailing.open_files import OpenFiles
from wazuh_dfn.tailing.place import ReadingPlace
from wazuh_dfn.tailing.tailer import Tailer
from wazuh_dfn.wazuh.feedback_actor import FeedbackActor, FeedbackActorOptions
from wazuh_dfn.wazuh.feedback_format import FeedbackFormat
from wazuh_dfn.wazuh.feedback_queue import FeedbackQueue
from wazuh_dfn.wazuh.feedback_status import FeedbackStatus
from wazuh_dfn.world import World

KAFKA_SHUTDOWN_SECONDS = 5.0
FEEDBACK_SHUTDOWN_SECONDS = 2.0
BYSTANDER_BACKOFF_MAX_SECONDS = 60.0
RECORDS_CAPACITY_FACTOR = 4
"""Factor by which more batches may wait for the broker than in other mailboxes, because they are sent together."""


class Actor(Protocol):
    """What a child runs.

    A new one is made for each start.
    """

    async def run(self, lifeline: Lifeline[Any], /) -> None:
        """Work until the mailbox ends, or until asked to stop."""


class Pipeline:
    """The parts of one daemon that survive its actors, and the specs that start the actors.

    Must be created in a running event loop.

    Args:
        settings: the initial settings, which `reload` replaces.
        world: the environment.
        source: makes the actor that reads in place of the tailer.
        selection: the alerts to forward. None: those of the settings.
        serve_health: serves the health API. None: no health API.
        on_delivered: called with the offset of each line when a record of it was acknowledged.
    """

    def __init__(
        self,
        settings: Settings,
        world: World,
        *,
        source: Callable[[ReadingPlace, ChunkReader], Actor] | None = None,
        selection: Selection | None = None,
        serve_health: ServeHealth | None = None,
        on_delivered: Callable[[int], None] | None = None,
    ) -> None:
        self.settings, self.world, self._serve_health = settings, world, serve_health
        self._source = source or self._tailer
        self._kinds = catalogue.KINDS
        self._selection = selection or Selection.of(settings)
        self.place = ReadingPlace()
        self.ledger = Ledger(self.place.registry.settle, (kind.name for kind in self._kinds), on_delivered)
        self.kafka_status = KafkaStatus(now=world.now)
        checkpoint_status = CheckpointStatus()
        interval_seconds = settings.supervisor.checkpoint_interval
        self.checkpointer = Checkpointer(self.place.registry, world.checkpoints, checkpoint_status, interval_seconds)
        self.restarts = RestartLog(world.now)
        self.feedback_status = FeedbackStatus("off" if world.wazuh is None else "not connected")
        self.feedback = FeedbackQueue(self.feedback_status)
        burial = PoisonBurial(self.ledger, world.dead_letters)
        self.chunks: Mailbox[Chunk] = self._mailbox("router", burial.bury_chunk, split_chunk)
        self.alerts: dict[KindName, Mailbox[AlertBatch]] = {
            kind.name: self._mailbox(kind.name, burial.bury_batch, split_alerts) for kind in self._kinds
        }
        self.records: Mailbox[RecordBatch] = self._mailbox("kafka", burial.bury_batch, split_records, RECORDS_CAPACITY_FACTOR)
        self.observed = Observed(
            self.ledger,
            self.place,
            world.dead_letters,
            checkpoint_status,
            self.kafka_status,
            self.feedback_status,
            self.mailboxes,
            self.restarts,
            world.resident_bytes,
            world.now,
            settings.health,
        )

    @property
    def mailboxes(self) -> tuple[Mailbox[Any], ...]:
        """All mailboxes, in the direction of the data."""
        return (self.chunks, *self.alerts.values(), self.records)

    def specs(self) -> list[ChildSpec]:
        """Return the children in start order: bystanders, then sinks first, the source last."""
        letters = self.world.dead_letters
        kinds = {kind.name: partial(kind.actor, self.ledger, letters, self.records, self.feedback.error) for kind in self._kinds}
        return [
            *self._bystanders(),
            self._spec("monitor", lambda: Monitor(self.observed, self.settings.health.stats_interval), can_hang=False),
            self._spec("checkpointer", lambda: self.checkpointer, can_hang=False),
            self._kafka_spec(),
            *(self._spec(name, make, self.alerts[name]) for name, make in kinds.items()),
            self._spec("router", lambda: Router(lambda: self._selection, self.ledger, letters, self.alerts), self.chunks),
            self._spec("tailer", lambda: self._source(self.place, self._chunk_reader())),
        ]

    def supervisor(self, specs: Sequence[ChildSpec] | None = None, subscribers: Sequence[Subscriber] = ()) -> Supervisor:
        """Create the supervisor.

        Tests pass specs of their own that inject faults.
        """
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

    def reload(self, settings: Settings) -> None:
        """Apply these settings: the selection with the next chunk, the others with the next start of the actor that uses them."""
        self.settings, self._selection = settings, Selection.of(settings)

    async def aclose(self) -> None:
        """Close the alert files, after the supervisor is done."""
        await self.place.aclose()

    def _bystanders(self) -> list[ChildSpec]:
        """Return the children that the daemon can do without.

        The health API comes first, so that it answers until the end, then the feedback.
        """
        found, socket, serve = [], self.world.wazuh, self._serve_health
        if serve is not None:
            found.append(self._spec_of("health-api", partial(serve, self.observed), can_hang=False))
        if socket is not None:
            wazuh = self.settings.wazuh
            make = partial(
                FeedbackActor,
                socket,
                self.feedback,
                form=FeedbackFormat(wazuh.integration_name, wazuh.max_event_size),
                status=self.feedback_status,
                options=FeedbackActorOptions(wazuh.retry_interval, wazuh.max_retry_wait_time),
                random=self.world.random,
            )
            found.append(self._spec("feedback", make, shutdown_seconds=FEEDBACK_SHUTDOWN_SECONDS))
        return [
            replace(each, significant=False, backoff=replace(each.backoff, max_seconds=BYSTANDER_BACKOFF_MAX_SECONDS)) for each in found
        ]

    def _kafka_spec(self) -> ChildSpec:
        kafka, world = self.settings.kafka, self.world
        make = partial(
            KafkaActor,
            world.producers,
            self.ledger,
            world.dead_letters,
            status=self.kafka_status,
            feedback=self.feedback,
            note=self.checkpointer.note,
            options=KafkaActorOptions(kafka.max_batch_bytes, kafka.retry_interval, kafka.slow_retry_interval),
            random=world.random,
        )
        # the deadlines of one attempt must end first, because a slow broker is not a hung actor
        deadline_seconds = max(self.settings.supervisor.progress_deadline, 2 * kafka.timeout + 15)
        spec = self._spec("kafka", make, self.records, shutdown_seconds=KAFKA_SHUTDOWN_SECONDS)
        return replace(spec, progress_deadline_seconds=deadline_seconds)

    def _tailer(self, place: ReadingPlace, reader: ChunkReader) -> Tailer:
        world, wazuh = self.world, self.settings.wazuh
        assert world.files is not None, "without alert files there is another source"
        beginning = Beginning(world.files, world.checkpoints, place, wazuh.start_at, self.checkpointer.save)
        return Tailer(place, beginning, OpenFiles(world.files, place, world.now), reader, wazuh.json_alert_file_poll_interval)

    def _chunk_reader(self) -> ChunkReader:
        return ChunkReader(self.place, self.ledger, self.chunks, self.settings.supervisor.read_chunk_bytes)

    def _mailbox[T](self, name: str, on_poison: PoisonHandler[T], split: Callable[[T], Sequence[T]], factor: int = 1) -> Mailbox[T]:
        options = self.settings.supervisor
        return Mailbox(name, factor * options.mailbox_capacity, poison_limit=options.poison_limit, on_poison=on_poison, split=split)

    def _spec(
        self,
        name: str,
        make: Callable[[], Actor],
        inbox: Mailbox[Any] | None = None,
        *,
        can_hang: bool = True,
        shutdown_seconds: float = 1.0,
    ) -> ChildSpec:
        async def run(lifeline: Lifeline[Any]) -> None:
            await make().run(lifeline)

        return replace(self._spec_of(name, run, can_hang=can_hang), inbox=inbox, shutdown_timeout_seconds=shutdown_seconds)

    def _spec_of(self, name: str, body: Callable[[Lifeline[Any]], Awaitable[None]], *, can_hang: bool = True) -> ChildSpec:
        options = self.settings.supervisor
        deadline_seconds = options.progress_deadline if can_hang else None
        backoff = Backoff(options.backoff_initial, options.backoff_max)
        return ChildSpec(name, body, backoff=backoff, progress_deadline_seconds=deadline_seconds)
