"""`wazuh-dfn replay`: sends again what old files hold, by the daemon's own pipeline."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from wazuh_dfn import exit_codes
from wazuh_dfn.adapters.alert_content import open_content
from wazuh_dfn.adapters.alert_file import AlertFile
from wazuh_dfn.adapters.kafka_producer import AiokafkaProducerFactory
from wazuh_dfn.adapters.local_disk import LocalDisk
from wazuh_dfn.app import kafka_options
from wazuh_dfn.config.load import check_paths, load_settings
from wazuh_dfn.config.model import Settings
from wazuh_dfn.delivery.ports import DeadLetter, ProducerFactory
from wazuh_dfn.errors import ConfigurationError
from wazuh_dfn.logs import configure_logs, quiet
from wazuh_dfn.messages import Position
from wazuh_dfn.resend.listed_files import ListedFiles
from wazuh_dfn.resend.period import TimedSelection, parse_time
from wazuh_dfn.resend.producers import DryRun, PacedProducers, batch_bytes
from wazuh_dfn.resend.session import Session

errors = Console(stderr=True, highlight=False, soft_wrap=True)


def replay(
    *paths: Path,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    since: str | None = None,
    until: str | None = None,
    rate: Annotated[float, Parameter(validator=Number(gte=0))] = 1_000.0,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    give_up_after: Annotated[float, Parameter(validator=Number(gte=0))] = 60.0,
) -> int:
    """Send again what old alert files hold, with the configuration's event IDs and own networks; the daemon may run meanwhile.

    The receiver gets records that it may have already. A file is read up to where it ends when its turn comes. Lines that can't be
    read or that the broker refuses are named and counted; they are not kept as dead letters.

    The first Ctrl-C delivers what was read and tells how far it came (exit code 130). Exit code 1: some lines could not be sent.

    Parameters
    ----------
    paths: Path
        Files as Wazuh writes them, plain or gzipped (.gz), the oldest first.
    config: Path
        The configuration file.
    since: str
        Only alerts from this time on: ISO 8601 (2026-01-31T12:00), or as Wazuh writes it; without a zone it is local time.
    until: str
        Only alerts before this time. Alerts without a time that can be read are always sent.
    rate: float
        Records a second, at most, from 1 on; 0 for no limit.
    dry_run: bool
        Send nothing, only count.
    give_up_after: float
        Seconds that the broker may be away.
    """
    if not paths:
        raise ConfigurationError("which files? Name at least one")
    if 0 < rate < 1:
        raise ConfigurationError(f"--rate {rate:g}: less than one record a second is not possible; 0 is no limit")
    settings = load_settings(config, environ=os.environ, to_run=not dry_run).settings
    selection = TimedSelection(settings.wazuh.event_ids, settings.misc.own_networks, _time("--since", since), _time("--until", until))
    if not dry_run:
        check_paths(settings)
    if rate:
        kafka = settings.kafka.model_copy(update={"max_batch_bytes": batch_bytes(rate, settings.kafka.max_batch_bytes)})
        settings = settings.model_copy(update={"kafka": kafka})
    producers = DryRun() if dry_run else _producers(settings, rate)

    async def run() -> int:
        return await _replay(paths, settings, selection, producers, give_up_after)

    return anyio.run(run)


class _Problems:
    """Implements `DeadLetterStore`: names each line on stderr, once."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int, str]] = set()

    async def store(self, letter: DeadLetter) -> None:
        """See `DeadLetterStore`."""
        problem = (letter.position.path, letter.position.offset, letter.stage)
        if problem not in self.seen:
            self.seen.add(problem)
            errors.print(f"{letter.position.path} at byte {letter.position.offset}: {letter.stage}: {letter.reason}", markup=False)


async def _replay(
    paths: Sequence[Path], settings: Settings, selection: TimedSelection, producers: ProducerFactory, give_up_after: float
) -> int:
    files = ListedFiles(_open(paths))
    sizes = {file.path: await file.size() for file in files.files}
    problems = _Problems()
    with _progress() as progress:
        configure_logs(quiet(settings))  # not before: its lines go above the progress bar
        session = Session(settings, files, producers, problems, selection=selection)
        bar = progress.add_task("", total=sum(sizes.values()))

        def watch(position: Position | None) -> None:
            progress.update(bar, completed=_bytes_before(sizes, position))

        try:
            ending = await session.send(watch, give_up_after)
        finally:
            configure_logs(quiet(settings))  # the bar took stderr with it
            _summarise(session, sizes, "would be sent" if isinstance(producers, DryRun) else "delivered")
    if ending == "stopped":
        return exit_codes.STOPPED_AT_ONCE
    return exit_codes.FAILED if problems.seen else exit_codes.OK


def _producers(settings: Settings, rate: float) -> ProducerFactory:
    producers = AiokafkaProducerFactory(kafka_options(settings))
    return PacedProducers(producers, rate) if rate else producers


def _open(paths: Sequence[Path]) -> list[AlertFile]:
    disk = LocalDisk()
    try:
        return [AlertFile(disk, path, open_content(disk, path)) for path in dict.fromkeys(paths)]
    except OSError as error:
        raise ConfigurationError(f"{error.filename} can't be read: {error.strerror}") from error


def _time(flag: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError:
        raise ConfigurationError(f"{flag} {text!r} is no time; write it like 2026-01-31T12:00 or 2026-01-31T12:00:00.000+0100") from None


def _progress() -> Progress:
    columns = BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(), TextColumn("[cyan]{task.description}")
    return Progress(*columns, console=errors, disable=not sys.stderr.isatty())


def _bytes_before(sizes: dict[str, int], position: Position | None) -> int:
    """Return how many bytes of all files are settled."""
    done = 0
    for path, size in sizes.items():
        if position is None:
            return 0
        if path == position.path:
            return done + position.offset
        done += size
    return done


def _summarise(session: Session, sizes: dict[str, int], what: str) -> None:
    counts, position = session.ledger.accounting, session.ledger.acked_through
    sent = session.ledger.records_delivered
    errors.print(
        f"{counts.lines_read} lines: {sum(sent.values())} records {what} ({sent['windows']} windows, {sent['fail2ban']} fail2ban), "
        f"{counts.not_relevant} not selected, {counts.dead_lettered} bad, {counts.in_flight} not settled",
        markup=False,
    )
    if position is not None and _bytes_before(sizes, position) < sum(sizes.values()):
        errors.print(f"All is settled up to {position.path} byte {position.offset} of {sizes.get(position.path)}", markup=False)
