"""Parts of `replay` besides the session: opening files, progress, and the rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from wazuh_dfn.config.settings import Settings
from wazuh_dfn.errors import CannotUnpackError, ConfigurationError
from wazuh_dfn.kafka.aiokafka_producer import AiokafkaProducerFactory
from wazuh_dfn.kafka.producer_options import KafkaOptions
from wazuh_dfn.kafka.record_producer import ProducerFactory
from wazuh_dfn.messages import Position
from wazuh_dfn.resend.producers import PacedProducers, batch_bytes
from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.tailing.alert_file import AlertFile
from wazuh_dfn.tailing.contents import open_content


def open_files(paths: Sequence[Path]) -> list[AlertFile]:
    """Open each file once, plain or packed, in this order.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    disk = LocalDisk()
    try:
        return [AlertFile(disk, path, open_content(disk, path)) for path in dict.fromkeys(paths)]
    except CannotUnpackError as error:
        raise ConfigurationError(str(error)) from error
    except OSError as error:
        raise ConfigurationError(f"{error.filename} can't be read: {error.strerror}") from error


def bytes_before(sizes: Mapping[str, int], position: Position | None) -> int:
    """Return the number of settled bytes of all files.

    Args:
        sizes: size of each file by path, in reading order.
        position: the position up to which everything is settled.
    """
    done = 0
    for path, size in sizes.items():
        if position is None:
            return 0
        if path == position.path:
            return done + position.offset
        done += size
    return done


def settings_at(rate: float, settings: Settings) -> Settings:
    """Return the settings with batches of about one second at this rate, in records per second.

    0 means no limit.
    """
    if not rate:
        return settings
    kafka = settings.kafka.model_copy(update={"max_batch_bytes": batch_bytes(rate, settings.kafka.max_batch_bytes)})
    return settings.model_copy(update={"kafka": kafka})


def producers_at(rate: float, settings: Settings) -> ProducerFactory:
    """Return the factory of producers that keep to this rate, in records per second.

    0 means no limit.
    """
    producers = AiokafkaProducerFactory(KafkaOptions.of(settings))
    return PacedProducers(producers, rate) if rate else producers
