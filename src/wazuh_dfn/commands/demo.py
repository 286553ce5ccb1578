"""`wazuh-dfn demo`."""

from __future__ import annotations

from typing import Annotated

import anyio
from cyclopts import Parameter


def demo(*, forever: Annotated[bool, Parameter(negative=())] = False, seconds: float = 12.0, broker: str | None = None) -> int:
    """Run a complete demonstration on this machine: an embedded broker, a growing alerts.json, the real daemon, and the records that arrive.

    Parameters
    ----------
    forever: bool
        Run until Ctrl-C.
    seconds: float
        Seconds during which alerts are written.
    broker: str
        Plaintext addresses of another broker (host:port,...) instead of the embedded one. It needs an empty topic demo-site.
    """
    from wazuh_dfn.demo.run_demo import run_demo  # noqa: PLC0415 - its broker is an optional dependency

    return anyio.run(run_demo, None if forever else seconds, broker)
