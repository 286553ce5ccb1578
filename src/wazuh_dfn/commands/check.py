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
    """Check files, certificates, broker and topic. Prints one line per finding, with the remedy after "->".

    Run it as the daemon's user, before the first start and whenever something seems wrong. It does not disturb a running daemon. It
    changes nothing, and sends nothing without --send-test. Exit code 0: nothing failed, there may be warnings. Exit code 1: at least one
    check failed. Exit code 2: the configuration is invalid.

    Parameters
    ----------
    as_json: bool
        Print one JSON document instead of lines.
    send_test: bool
        Deliver one record to the topic, marked with event_format "wazuh-dfn-test", and compare the clock with the broker's.
    wait: float
        Seconds to watch the alert file for growth.
    """
    from wazuh_dfn.check.run_checks import CheckOptions, run_checks  # noqa: PLC0415 - its imports would slow each start of the daemon by 0.3 s

    return anyio.run(run_checks, source.load(), CheckOptions(as_json=as_json, send_test=send_test, wait=wait))
