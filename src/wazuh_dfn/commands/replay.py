"""`wazuh-dfn replay`: sends the alerts of old files again, through the daemon's own pipeline."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from wazuh_dfn import exit_codes
from wazuh_dfn.commands.settings_source import NO_FLAGS, FlaggedSettingsSource
from wazuh_dfn.commands.terminal import errors
from wazuh_dfn.config.paths import check_paths
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.delivery.dead_letter_store import DeadLetter
from wazuh_dfn.errors import ConfigurationError
from wazuh_dfn.kafka.record_producer import ProducerFactory
from wazuh_dfn.kinds.selection import Selection
from wazuh_dfn.logs import configure_logs, quiet
from wazuh_dfn.messages import Position
from wazuh_dfn.resend.period import Period, parse_time
from wazuh_dfn.resend.producers import DryRun
from wazuh_dfn.resend.replayed_files import bytes_before, open_files, producers_at, settings_at
from wazuh_dfn.resend.session import Session


def replay(
    *paths: Path,
    source: Annotated[FlaggedSettingsSource, Parameter(name="*")] = NO_FLAGS,
    since: str | None = None,
    until: str | None = None,
    rate: Annotated[float, Parameter(validator=Number(gte=0))] = 1_000.0,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    give_up_after: Annotated[float, Parameter(validator=Number(gte=0))] = 60.0,
) -> int:
    """Send the alerts of old alert files again, with the configured event IDs and own networks. The daemon can run at the same time.

    The receiver may already have these records. A file is read up to its end at the time when the replay reaches it. Lines that are
    unreadable, or that the broker refuses, are reported and counted. They are not kept as dead letters.

    The first Ctrl-C delivers what was read and shows the position (exit code 130). Exit code 1: some lines could not be sent.

    Parameters
    ----------
    paths: Path
        Files as Wazuh writes them, plain or compressed (gzip, xz, bzip2, zstd), oldest first.
    since: str
        Only alerts from this time on: ISO 8601 (2026-01-31T12:00) or the format of Wazuh. Without a time zone, local time is assumed.
    until: str
        Only alerts before this time. Alerts without a readable time are always sent.
    rate: float
        Maximum number of records per second, at least 1. 0 means no limit.
    dry_run: bool
        Only count. Nothing is sent.
    give_up_after: float
        Seconds to wait for an unavailable broker before giving up.
    """
    if not paths:
        raise ConfigurationError("no files given; expected at least one alert file")
    if 0 < rate < 1:
        raise ConfigurationError(f"--rate {rate:g}: expected at least 1 record per second, or 0 for no limit")
    settings = source.load(to_run=not dry_run).settings
    selection = Selection.of(settings, Period(_time("--since", since), _time("--until", until)).holds)
    if not dry_run:
        check_paths(settings)
    settings = settings_at(rate, settings)
    producers = DryRun() if dry_run else producers_at(rate, settings)

    async def run() -> int:
        return await _replay(paths, settings, selection, producers, give_up_after)

    return anyio.run(run)


class _Problems:
    """Implements `DeadLetterStore`. Prints each problem of a line to stderr, once."""

    problem: str | None = None

    def __init__(self) -> None:
        self.seen: set[tuple[str, int, str]] = set()

    async def counts(self) -> None:
        """See `DeadLetterStore`."""

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        """See `DeadLetterStore`."""
        for letter in letters:
            problem = (letter.position.path, letter.position.offset, letter.stage)
            if problem not in self.seen:
                self.seen.add(problem)
                errors.print(f"{letter.position.path} at byte {letter.position.offset}: {letter.stage}: {letter.reason}", markup=False)


async def _replay(paths: Sequence[Path], settings: Settings, selection: Selection, producers: ProducerFactory, give_up_after: float) -> int:
    files = open_files(paths)
    sizes = {file.path: await file.size() for file in files}
    problems = _Problems()
    with _progress() as progress:
        configure_logs(quiet(settings))  # only now, so that log lines go above the progress bar
        session = Session(settings, files, producers, problems, selection=selection)
        bar = progress.add_task("", total=sum(sizes.values()))

        def watch(position: Position | None) -> None:
            progress.update(bar, completed=bytes_before(sizes, position))

        try:
            ending = await session.send(watch, give_up_after)
        finally:
            configure_logs(quiet(settings))  # the progress bar had replaced stderr
            _summarise(session, sizes, "would be sent" if isinstance(producers, DryRun) else "delivered")
    if ending == "stopped":
        return exit_codes.STOPPED_AT_ONCE
    return exit_codes.FAILED if problems.seen else exit_codes.OK


def _time(flag: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError:
        raise ConfigurationError(
            f"{flag} {text!r} is not a valid time; expected a format like 2026-01-31T12:00 or 2026-01-31T12:00:00.000+0100"
        ) from None


def _progress() -> Progress:
    columns = BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(), TextColumn("[cyan]{task.description}")
    return Progress(*columns, console=errors, disable=not sys.stderr.isatty())


def _summarise(session: Session, sizes: dict[str, int], what: str) -> None:
    counts, position = session.ledger.accounting, session.ledger.acked_through
    sent = session.ledger.records_delivered
    errors.print(
        f"{counts.lines_read} lines: {sent.total()} records {what} ({', '.join(f'{number} {kind}' for kind, number in sent.items())}), "
        f"{counts.not_relevant} not selected, {counts.dead_lettered} bad, {counts.in_flight} not settled",
        markup=False,
    )
    if position is not None and bytes_before(sizes, position) < sum(sizes.values()):
        errors.print(f"Everything is settled up to {position.path} byte {position.offset} of {sizes.get(position.path)}", markup=False)
