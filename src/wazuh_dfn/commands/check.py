"""`wazuh-dfn check`."""

from __future__ import annotations

from typing import Annotated

import anyio
from cyclopts import Parameter
from cyclopts.validators import Number

from wazuh_dfn.commands.settings_source import NO_FLAGS, FlaggedSettingsSource


def check(
    *,
    source: Annotated[FlaggedSettingsSource, Parameter(name="*")] = NO_FLAGS,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    send_test: Annotated[bool, Parameter(negative=())] = False,
    wait: Annotated[float, Parameter(validator=Number(gte=0, lte=3_600))] = 3.0,
) -> int:
    """Find out what would go wrong: files, certificates, broker, topic. One line a finding, after "->" what to do.

    Run it as the daemon's user, before the first start and whenever something seems wrong; a running daemon is not disturbed, and
    nothing is changed or sent (but see --send-test). Exit code 1: something failed. Exit code 0: nothing failed, there may be
    warnings. Exit code 2: the configuration is wrong.

    Parameters
    ----------
    as_json: bool
        Print one JSON document instead of lines.
    send_test: bool
        Deliver one record, marked with event_format "wazuh-dfn-test", to the topic, and compare clocks with the broker.
    wait: float
        How long the alert file is watched for growth, in seconds.
    """
    from wazuh_dfn.check.run_checks import CheckOptions, run_checks  # noqa: PLC0415 - its imports would slow each start of the daemon by 0.3 s

    return anyio.run(run_checks, source.load(), CheckOptions(as_json=as_json, send_test=send_test, wait=wait))
