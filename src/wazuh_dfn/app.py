"""The real daemon: the pipeline on real files and a real broker, and what signals do to it."""

from __future__ import annotations

import signal

import anyio
import psutil
import structlog

from wazuh_dfn.adapters.alert_file import AlertPath
from wazuh_dfn.adapters.checkpoint_file import CheckpointFile
from wazuh_dfn.adapters.dead_letter_folder import DeadLetterFolder
from wazuh_dfn.adapters.instance_lock import exclusive_use
from wazuh_dfn.adapters.kafka_options import KafkaOptions, TlsFiles
from wazuh_dfn.adapters.kafka_producer import AiokafkaProducerFactory
from wazuh_dfn.config.model import Settings
from wazuh_dfn.pipeline import Pipeline, World
from wazuh_dfn.supervision.supervisor import Supervisor

log = structlog.get_logger(__name__)


class StoppedAtOnceError(Exception):
    """A second signal came while the first was being obeyed."""


def real_world(settings: Settings) -> World:
    """Return the adapters for real files and the broker of the settings."""
    process = psutil.Process()
    return World(
        files=AlertPath(settings.wazuh.json_alert_file),
        checkpoints=CheckpointFile(settings.wazuh.checkpoint_file),
        dead_letters=DeadLetterFolder(settings.wazuh.failed_alerts_path, settings.wazuh.max_failed_files),
        producers=AiokafkaProducerFactory(kafka_options(settings)),
        resident_bytes=lambda: process.memory_info().rss,
    )


def kafka_options(settings: Settings) -> KafkaOptions:
    """Return what the producer needs to know of the settings."""
    dfn, kafka = settings.dfn, settings.kafka
    tls = None
    if settings.uses_tls:
        tls = TlsFiles(
            ca=dfn.dfn_ca,
            certificate=dfn.dfn_cert,
            key=dfn.dfn_key,
        )
    return KafkaOptions(
        bootstrap=dfn.dfn_broker,
        topic=dfn.dfn_id or "",
        timeout_seconds=kafka.timeout,
        compression=None if kafka.compression_type == "none" else kafka.compression_type,
        idempotence=kafka.idempotence,
        max_request_size=kafka.max_request_size,
        max_batch_bytes=kafka.max_batch_bytes,
        tls=tls,
        extra=kafka.producer_config.given(),
    )


async def run_daemon(settings: Settings) -> None:
    """Run until a signal asks to stop; a first SIGTERM or SIGINT drains, a second stops at once.

    Raises:
        ConfigurationError: another daemon uses this checkpoint.
        SupervisionError: it gave up; the cause is chained.
        StoppedAtOnceError: by a second signal.
    """
    with exclusive_use(settings.wazuh.checkpoint_file):
        await _run(settings)


async def _run(settings: Settings) -> None:
    pipeline = Pipeline(settings, real_world(settings))
    supervisor = pipeline.supervisor()
    log.info("starting", alert_file=str(settings.wazuh.json_alert_file), broker=settings.dfn.dfn_broker, topic=settings.dfn.dfn_id)
    failures: list[Exception] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_obey_signals, supervisor, tasks.cancel_scope, failures)
        try:
            await supervisor.run()
        except Exception as error:  # noqa: BLE001 - raised again below, outside the task group
            failures.append(error)
        tasks.cancel_scope.cancel()
    figures = await pipeline.monitor().report()
    await pipeline.aclose()
    if failures:
        raise failures[0]
    log.info("stopped", **figures)


async def _obey_signals(supervisor: Supervisor, scope: anyio.CancelScope, failures: list[Exception]) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            if supervisor.is_draining:
                failures.append(StoppedAtOnceError(f"second signal: {number.name}"))
                scope.cancel()
                return
            log.info("stopping: what was read is delivered first; a second signal stops at once", signal=number.name)
            supervisor.drain()
