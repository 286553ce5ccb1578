"""`wazuh-dfn transform`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wazuh_dfn import exit_codes
from wazuh_dfn.commands.settings_source import NO_FLAGS, FlaggedSettingsSource
from wazuh_dfn.commands.terminal import errors
from wazuh_dfn.config.event_ids import parse_event_ids
from wazuh_dfn.errors import ConfigurationError
from wazuh_dfn.kinds.selection import Selection
from wazuh_dfn.kinds.transform_actor import local_now
from wazuh_dfn.kinds.transform_lines import transform as transform_lines


def transform(
    path: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-",
    /,
    *,
    event_ids: Annotated[tuple[str, ...], Parameter(name="--event-id", negative=())] = (),
    source: Annotated[FlaggedSettingsSource, Parameter(name="*")] = NO_FLAGS,
) -> int:
    """Print the records that would be sent for alert lines, one JSON value per line. Nothing is sent.

    Event IDs and own networks are taken from the configuration, if one is given.

    Lines that are not alerts are reported on stderr. The exit code is 1 then.

    Parameters
    ----------
    path: str
        File with alert lines, as in alerts.json. "-" reads standard input.
    event_ids: tuple
        Windows event IDs to select. +4768 adds one to the default list, -1100 removes one. IDs without a sign replace the list. Can be repeated.
    """
    if path.startswith("-") and path != "-":
        raise ConfigurationError(f"{path} is not a flag of this command, see --help; for a file of that name, write ./{path}")
    settings = source.load(to_run=False).settings
    if event_ids:
        try:
            wazuh = settings.wazuh.model_copy(update={"windows_event_ids": parse_event_ids(event_ids)})
        except ValueError as error:
            raise ConfigurationError(f"--event-id: {error}") from error
        settings = settings.model_copy(update={"wazuh": wazuh})
    selection = Selection.of(settings)
    with ExitStack() as stack:
        try:
            lines = sys.stdin.buffer if path == "-" else stack.enter_context(Path(path).open("rb"))
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
        counts = transform_lines(
            lines,
            sys.stdout.buffer,
            selection,
            on_unreadable=lambda number, reason: errors.print(f"line {number}: {reason}", markup=False),
            now=local_now,
        )
        sys.stdout.buffer.flush()
    errors.print(
        f"{counts.lines} lines: {counts.records} records, {counts.not_relevant} not relevant, {counts.unreadable} unreadable", markup=False
    )
    return exit_codes.FAILED if counts.unreadable else exit_codes.OK
