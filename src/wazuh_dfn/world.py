"""What a pipeline needs of the outside, real or simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from time import time

from wazuh_dfn.delivery.dead_letters import DeadLetterStore
from wazuh_dfn.kafka.record_producer import ProducerFactory
from wazuh_dfn.tailing.alert_file import AlertFolder
from wazuh_dfn.tailing.checkpoint_file import CheckpointStore
from wazuh_dfn.wazuh.queue_connection import WazuhSocket


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside, by its protocols. Without `files` the pipeline is given another source, without `wazuh` there is no feedback.

    `now` is the clock on the wall, in seconds since the epoch.
    """

    files: AlertFolder | None
    checkpoints: CheckpointStore
    dead_letters: DeadLetterStore
    producers: ProducerFactory
    wazuh: WazuhSocket | None = None
    now: Callable[[], float] = time
    resident_bytes: Callable[[], int] = lambda: 0
    random: Random = field(default_factory=Random)
