"""`wazuh-dfn demo`."""

from __future__ import annotations

from typing import Annotated

import anyio
from cyclopts import Parameter


def demo(*, forever: Annotated[bool, Parameter(negative=())] = False, seconds: float = 12.0, broker: str | None = None) -> int:
    """Show the whole way on this machine: an embedded broker, a growing alerts.json, the real daemon, and what arrives.

    Parameters
    ----------
    forever: bool
        Go on until Ctrl-C.
    seconds: float
        How long alerts are written.
    broker: str
        Plaintext addresses of another broker (host:port,...) instead of the embedded one. It needs an empty topic demo-site.
    """
    from wazuh_dfn.demo.run_demo import run_demo  # noqa: PLC0415 - its broker is an optional dependency

    return anyio.run(run_demo, None if forever else seconds, broker)
