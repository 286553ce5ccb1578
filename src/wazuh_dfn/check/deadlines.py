"""Deadlines of the checks. A hanging file system, name server or broker gives a finding instead of a hanging command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from wazuh_dfn.check.findings import Finding, failure

DISK_SECONDS = 5.0
"""Maximum time in seconds for a check of files."""


async def in_time(check: str, seconds: float, work: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    """Return the findings of `work`, or a failure if it exceeds `seconds` or raises an unexpected OSError."""
    try:
        with anyio.fail_after(seconds):
            return await work()
    except TimeoutError:
        return [failure(check, f"no result within {seconds:.3g} s", "check what hangs: the file system, the name server or the broker")]
    except OSError as error:
        return [failure(check, f"the check itself failed: {error}", "check the disk and the kernel log (dmesg)")]
