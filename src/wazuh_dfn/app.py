"""The real daemon: the pipeline on real files and a real broker, as a service that signals stop and reload."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import psutil
import structlog

from wazuh_dfn.adapters.dead_letter_folder import DeadLetterFolder
from wazuh_dfn.adapters.instance_lock import exclusive_use
from wazuh_dfn.adapters.local_disk import LocalDisk
from wazuh_dfn.adapters.sd_notify import ServiceNotifier
from wazuh_dfn.adapters.wazuh_socket import QueueSocket
from wazuh_dfn.config.addresses import proxy_address
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.health.monitor import log_fields
from wazuh_dfn.kafka.aiokafka_producer import AiokafkaProducerFactory
from wazuh_dfn.kafka.producer_options import CLIENT_ID, KafkaOptions, Login, TlsFiles
from wazuh_dfn.kafka.record_producer import ProducerFactory
from wazuh_dfn.memory import keep_what_chunks_need, spare_the_collector
from wazuh_dfn.pipeline import Pipeline
from wazuh_dfn.reloading import Reloading
from wazuh_dfn.service import Service
from wazuh_dfn.signals import run_supervised
from wazuh_dfn.supervision.errors import SupervisionError
from wazuh_dfn.tailing.alert_file import AlertFolder
from wazuh_dfn.tailing.checkpoint_file import CheckpointFile
from wazuh_dfn.world import World

if TYPE_CHECKING:
    from wazuh_dfn.api.server import HealthApi

log = structlog.get_logger(__name__)


def real_world(settings: Settings, producers: ProducerFactory | None = None, api: HealthApi | None = None) -> World:
    """Return the adapters for real files, and the broker and the HTTP API of the settings (or `producers` and `api` in their places)."""
    process, disk = psutil.Process(), LocalDisk()
    api = api or health_api(settings)
    return World(
        files=AlertFolder(settings.wazuh.json_alert_file, disk),
        checkpoints=CheckpointFile(settings.wazuh.checkpoint_file, disk),
        dead_letters=DeadLetterFolder(
            settings.wazuh.failed_alerts_path, disk, settings.wazuh.max_failed_files, settings.wazuh.max_failed_bytes
        ),
        producers=producers or AiokafkaProducerFactory(kafka_options(settings)),
        wazuh=queue_socket(settings),
        serve_health=api.serve if api else None,
        resident_bytes=lambda: process.memory_info().rss,
    )


def queue_socket(settings: Settings) -> QueueSocket | None:
    """Return Wazuh's queue socket; None if feedback is turned off."""
    wazuh = settings.wazuh
    return QueueSocket(wazuh.unix_socket_path, wazuh.connection_timeout, wazuh.write_timeout) if wazuh.feedback else None


def health_api(settings: Settings) -> HealthApi | None:
    """Return the HTTP API; None if it is turned off, and then its libraries are not even imported."""
    if not settings.health.api.enabled:
        return None
    from wazuh_dfn.api.server import HealthApi  # noqa: PLC0415

    return HealthApi(settings.health.api)


def kafka_options(settings: Settings) -> KafkaOptions:
    """Return what the producer needs to know of the settings."""
    dfn, kafka = settings.dfn, settings.kafka
    tls = TlsFiles(dfn.dfn_ca, dfn.dfn_cert, dfn.dfn_key, dfn.dfn_crl, dfn.dfn_key_password) if settings.uses_tls else None
    login = None
    if kafka.sasl_mechanism is not None:
        login = Login(kafka.sasl_mechanism, kafka.sasl_username or "", kafka.sasl_password or "")
    return KafkaOptions(
        bootstrap=dfn.dfn_broker,
        topic=dfn.dfn_id or "",
        client_id=kafka.producer_config.client_id or CLIENT_ID,
        timeout_seconds=kafka.timeout,
        compression=None if kafka.compression_type == "none" else kafka.compression_type,
        idempotence=kafka.idempotence,
        record_headers=kafka.record_headers,
        max_request_size=kafka.max_request_size,
        longest_pause_seconds=kafka.retry_interval,
        tls=tls,
        login=login,
        proxy=proxy_address(kafka.proxy) if kafka.proxy is not None else None,
        extra=kafka.producer_config.given(),
    )


async def run_daemon(settings: Settings, load: Callable[[], Settings] | None = None) -> None:
    """Run until a signal asks to stop; a first SIGTERM or SIGINT drains, a second stops at once.

    Args:
        settings: to start with.
        load: reads the settings again for SIGHUP; None leaves that signal alone.

    Raises:
        ConfigurationError: another daemon uses this checkpoint.
        SupervisionError: it gave up; the cause is chained.
        StoppedAtOnceError: by a second signal.
    """
    with exclusive_use(settings.wazuh.checkpoint_file):
        await _run(settings, load)


async def _run(settings: Settings, load: Callable[[], Settings] | None) -> None:
    spare_the_collector()
    keep_what_chunks_need()
    producers, api, notifier = AiokafkaProducerFactory(kafka_options(settings)), health_api(settings), ServiceNotifier()
    pipeline = Pipeline(settings, real_world(settings, producers, api))
    supervisor = pipeline.supervisor()
    service = Service(pipeline, supervisor, notifier)

    async def renew_connection(new: Settings) -> None:
        await producers.renew(kafka_options(new))

    async def renew_api_certificate() -> None:
        if api is not None:
            await api.renew_certificate()

    on_reload = Reloading(pipeline, load, renew_connection, renew_api_certificate, notifier) if load is not None else None
    log.info("starting", alert_file=str(settings.wazuh.json_alert_file), broker=settings.dfn.dfn_broker, topic=settings.dfn.dfn_id)
    try:
        await run_supervised(supervisor, [service.run], on_stop=service.stopping, on_reload=on_reload)
        log.info("stopped", **log_fields(await pipeline.observed.report()))
    except SupervisionError:
        log.error("gave up", **log_fields(await pipeline.observed.report()))  # noqa: TRY400 - the command tells the cause
        raise
    finally:
        await pipeline.aclose()
