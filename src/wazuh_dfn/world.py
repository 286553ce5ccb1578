"""The environment that a pipeline needs, real or simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from time import time

from wazuh_dfn.delivery.dead_letter_store import DeadLetterStore
from wazuh_dfn.kafka.record_producer import ProducerFactory
from wazuh_dfn.tailing.alert_file import AlertFolder
from wazuh_dfn.tailing.checkpoint_file import CheckpointStore
from wazuh_dfn.wazuh.queue_connection import WazuhSocket


@dataclass(frozen=True, slots=True)
class World:
    """The environment, by its protocols.

    Without `files` the pipeline needs another source, and without `wazuh` there is no feedback. `now` is the wall clock, in seconds since
    the epoch.
    """

    files: AlertFolder | None
    checkpoints: CheckpointStore
    dead_letters: DeadLetterStore
    producers: ProducerFactory
    wazuh: WazuhSocket | None = None
    now: Callable[[], float] = time
    resident_bytes: Callable[[], int] = lambda: 0
    random: Random = field(default_factory=Random)
