"""One run of the pipeline over files that have an end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import anyio

from wazuh_dfn.config.settings import Settings
from wazuh_dfn.delivery.dead_letter_store import DeadLetterStore
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.errors import WazuhDfnError
from wazuh_dfn.kafka.record_producer import ProducerFactory
from wazuh_dfn.kinds.selection import Selection
from wazuh_dfn.messages import Position
from wazuh_dfn.pipeline import Pipeline
from wazuh_dfn.resend.listed_files import ListReader, NoCheckpoints
from wazuh_dfn.signals import run_supervised
from wazuh_dfn.tailing.alert_file import AlertFile
from wazuh_dfn.world import World

LOOK_SECONDS = 0.1
"""Time between two checks of the progress."""


class BrokerGivenUpError(WazuhDfnError):
    """The broker was unavailable for longer than a user at a terminal wants to wait."""


class Session:
    """The daemon's pipeline on listed files.

    Args:
        settings: settings of the daemon.
        files: the files to send.
        producers: makes the connection to the broker.
        dead_letters: receives what cannot be sent.
        selection: the alerts to send. None: those of the settings.
        on_delivered: called with the offset of each line when a record of it is acknowledged.
    """

    def __init__(
        self,
        settings: Settings,
        files: Sequence[AlertFile],
        producers: ProducerFactory,
        dead_letters: DeadLetterStore,
        *,
        selection: Selection | None = None,
        on_delivered: Callable[[int], None] | None = None,
    ) -> None:
        self._files = files
        self._pipeline = Pipeline(
            settings,
            World(None, NoCheckpoints(), dead_letters, producers),
            source=partial(ListReader, files),
            selection=selection,
            on_delivered=on_delivered,
        )

    @property
    def ledger(self) -> Ledger:
        """What has become of the lines."""
        return self._pipeline.ledger

    async def send(self, watch: Callable[[Position | None], None], give_up_after: float) -> Literal["done", "stopped"]:
        """Send everything.

        A signal ends it early, after the lines read by then were delivered.

        Args:
            watch: called at intervals and at the end with the position up to which everything is settled.
            give_up_after: seconds for which the broker may be unavailable.

        Returns:
            "done" if everything was settled, "stopped" if a signal ended it.

        Raises:
            BrokerGivenUpError: the broker was unavailable for longer.
            StoppedAtOnceError: a second signal arrived.
            SupervisionError: too many failures.
        """
        supervisor = self._pipeline.supervisor()
        is_complete = False

        async def look() -> None:
            nonlocal is_complete
            while not is_complete:
                await anyio.sleep(LOOK_SECONDS)
                watch(self.ledger.acked_through)
                self._check_broker(give_up_after)
                is_complete = self._pipeline.place.is_complete and self.ledger.accounting.in_flight == 0
            supervisor.drain()

        try:
            await run_supervised(supervisor, [look])
        finally:
            watch(self.ledger.acked_through)
            for file in self._files:
                await file.aclose()
        return "done" if is_complete else "stopped"

    def _check_broker(self, give_up_after: float) -> None:
        kafka = self._pipeline.kafka_status
        if kafka.state == "unavailable" and anyio.current_time() - kafka.since > give_up_after:
            raise BrokerGivenUpError(f"the broker was away for {give_up_after:g} s: {kafka.reason}")
