"""What a pipeline needs of the outside, real or simulated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from time import time

from wazuh_dfn.delivery.ports import DeadLetterStore, WazuhSocket
from wazuh_dfn.health.observe import Observed
from wazuh_dfn.kafka.record_producer import ProducerFactory
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.tailing.alert_file import AlertFolder
from wazuh_dfn.tailing.checkpoint_file import CheckpointStore

type ServeHealth = Callable[[Observed, Lifeline[None]], Awaitable[None]]
"""Answers those who ask for the state, until the lifeline says stop."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside, by its protocols. Without `files` the pipeline is given others to read, without `wazuh` there is no feedback, without `serve_health` no HTTP API.

    `now` is the clock on the wall, in seconds since the epoch.
    """

    files: AlertFolder | None
    checkpoints: CheckpointStore
    dead_letters: DeadLetterStore
    producers: ProducerFactory
    wazuh: WazuhSocket | None = None
    serve_health: ServeHealth | None = None
    now: Callable[[], float] = time
    resident_bytes: Callable[[], int] = lambda: 0
    random: Random = field(default_factory=Random)
