"""No check waits for ever: a file system, a name server or a broker that hangs is a finding, not a hanging command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from wazuh_dfn.check.findings import Finding, failure

DISK_SECONDS = 5.0
"""So long a check of files may take."""


async def in_time(check: str, seconds: float, work: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    """Return what `work` finds, or a failure after that many seconds, or if the operating system has an objection that it did not foresee."""
    try:
        with anyio.fail_after(seconds):
            return await work()
    except TimeoutError:
        return [failure(check, f"no result within {seconds:.3g} s", "look at what hangs: the file system, the name server or the broker")]
    except OSError as error:
        return [failure(check, f"the check itself failed: {error}", "look at the disk and the kernel's log (dmesg)")]
