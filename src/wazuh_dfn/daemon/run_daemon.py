"""The daemon: the pipeline on real files and a real broker, as a service that handles the signals for stop and reload."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import psutil
import structlog

from wazuh_dfn.config.settings import Settings
from wazuh_dfn.daemon.reloading import Reloading
from wazuh_dfn.daemon.sd_notify import ServiceNotifier
from wazuh_dfn.daemon.service_manager import Service
from wazuh_dfn.health.monitor import log_fields
from wazuh_dfn.kafka.aiokafka_producer import AiokafkaProducerFactory
from wazuh_dfn.kafka.producer_options import KafkaOptions
from wazuh_dfn.kafka.record_producer import ProducerFactory
from wazuh_dfn.memory import keep_what_chunks_need, spare_the_collector
from wazuh_dfn.pipeline import Pipeline
from wazuh_dfn.signals import run_supervised
from wazuh_dfn.storage.dead_letter_folder import DeadLetterFolder
from wazuh_dfn.storage.instance_lock import exclusive_use
from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.supervision.failures import SupervisionError
from wazuh_dfn.tailing.alert_file import AlertFolder
from wazuh_dfn.tailing.checkpoint_file import CheckpointFile
from wazuh_dfn.wazuh.queue_socket import QueueSocket
from wazuh_dfn.world import World

if TYPE_CHECKING:
    from wazuh_dfn.api.server import HealthApi

log = structlog.get_logger(__name__)


def real_world(settings: Settings, producers: ProducerFactory | None = None) -> World:
    """Return the real files, the real Wazuh, and the configured broker, or `producers` in its place."""
    process, disk, wazuh = psutil.Process(), LocalDisk(), settings.wazuh
    return World(
        files=AlertFolder(wazuh.json_alert_file, disk),
        checkpoints=CheckpointFile(wazuh.checkpoint_file, disk),
        dead_letters=DeadLetterFolder(wazuh.failed_alerts_path, disk, wazuh.max_failed_files, wazuh.max_failed_bytes),
        producers=producers or AiokafkaProducerFactory(KafkaOptions.of(settings)),
        wazuh=QueueSocket(wazuh.unix_socket_path, wazuh.connection_timeout, wazuh.write_timeout) if wazuh.feedback else None,
        resident_bytes=lambda: process.memory_info().rss,
    )


def health_api(settings: Settings) -> HealthApi | None:
    """Return the HTTP API, or None if it is disabled. Its libraries are imported only if it is enabled."""
    if not settings.health.api.enabled:
        return None
    from wazuh_dfn.api.server import HealthApi  # noqa: PLC0415

    return HealthApi(settings.health.api)


async def run_daemon(settings: Settings, load: Callable[[], Settings] | None = None) -> None:
    """Run until a signal asks to stop. The first SIGTERM or SIGINT drains, the second one stops at once.

    Args:
        settings: The settings to start with.
        load: Reads the settings again on SIGHUP. None leaves that signal unhandled.

    Raises:
        ConfigurationError: Another daemon uses this checkpoint, or its lock file cannot be written.
        SupervisionError: The supervisor gave up. The cause is chained.
        StoppedAtOnceError: A second signal arrived.
    """
    with exclusive_use(settings.wazuh.checkpoint_file):
        await _run(settings, load)


async def _run(settings: Settings, load: Callable[[], Settings] | None) -> None:
    spare_the_collector()
    keep_what_chunks_need()
    producers, api, notifier = AiokafkaProducerFactory(KafkaOptions.of(settings)), health_api(settings), ServiceNotifier()
    pipeline = Pipeline(settings, real_world(settings, producers), serve_health=api.serve if api is not None else None)
    supervisor = pipeline.supervisor()
    service = Service(pipeline, supervisor, notifier)

    async def renew_connection(new: Settings) -> None:
        await producers.renew(KafkaOptions.of(new))

    async def renew_api_certificate() -> None:
        if api is not None:
            await api.renew_certificate()

    on_reload = Reloading(pipeline, load, renew_connection, renew_api_certificate, notifier) if load is not None else None
    log.info("starting", alert_file=str(settings.wazuh.json_alert_file), broker=settings.dfn.dfn_broker, topic=settings.dfn.dfn_id)
    try:
        await run_supervised(supervisor, [service.run], on_stop=service.stopping, on_reload=on_reload)
        log.info("stopped", **log_fields(await pipeline.observed.report()))
    except SupervisionError:
        log.error("gave up", **log_fields(await pipeline.observed.report()))  # noqa: TRY400 - the command prints the cause
        raise
    finally:
        await pipeline.aclose()
