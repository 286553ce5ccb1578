"""Checks of what the daemon writes: checkpoint, dead letters and free space, and whether a daemon is already running."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from wazuh_dfn.check.access import user_name
from wazuh_dfn.check.findings import Finding, failure, info, ok, warning
from wazuh_dfn.config.documents import KeyPath, dotted
from wazuh_dfn.config.paths import unwritable
from wazuh_dfn.storage.instance_lock import holder, lock_file
from wazuh_dfn.tailing.checkpoint_file import decode, previous
from wazuh_dfn.tailing.registry import KnownFile

CHECKPOINT: KeyPath = ("wazuh", "checkpoint_file")
DEAD_LETTERS: KeyPath = ("wazuh", "failed_alerts_path")

_MIB = 1024 * 1024
_LEAST_BYTES = 16 * _MIB
"""Minimum free space in bytes in a folder. With less the check fails."""


def check_folder(check: str, key: KeyPath, folder: Path) -> list[Finding]:
    """Check that the folder is writable or can be created. It is tested by writing to an unnamed temporary file."""
    unusable = unwritable(key, folder)
    if unusable is not None:
        return [failure(check, unusable.problem, unusable.remedy)]
    if not folder.exists():
        return [ok(check, f"{folder} does not exist yet; {user_name()} can create it")]
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return [failure(check, f"{dotted(key)}: cannot write to {folder}: {error.strerror}", "free disk space, or set another folder")]
    return [ok(check, f"{user_name()} can write to {folder}")]


def check_checkpoint(checkpoint: Path) -> list[Finding]:
    """Check the files of the checkpoint: whether it is readable, its lock can be taken (root may own the file), and a daemon holds it."""
    lock = lock_file(checkpoint)
    chown = f"chown the files in {checkpoint.parent} to the daemon's user"
    try:
        if lock.exists() and not os.access(lock, os.R_OK | os.W_OK):
            return [failure("checkpoint", f"the lock file {lock} cannot be written by {user_name()}", chown)]
        pid = holder(checkpoint)
        running = f"a daemon is running with this checkpoint (pid {pid})" if pid else "no daemon is running with this checkpoint"
        return [_judge(checkpoint), info("daemon", running)]
    except PermissionError as error:
        return [failure("checkpoint", f"{error.filename or lock} cannot be read by {user_name()}", chown)]
    except OSError as error:
        return [failure("checkpoint", f"{error.filename or lock} cannot be read: {error.strerror}", "check the file system")]


def _judge(checkpoint: Path) -> Finding:
    """Read the checkpoint, or its predecessor if it is invalid, as the daemon does."""
    problem: ValueError | None = None
    for path in (checkpoint, previous(checkpoint)):
        try:
            saved = decode(path.read_bytes())
        except FileNotFoundError:
            continue
        except ValueError as error:
            problem = problem or error
            continue
        age = max(0.0, time.time() - saved.saved_at)
        said = f"saved {age:,.0f} s ago: {_described(saved.files)}"
        if problem is None:
            return ok("checkpoint", said)
        return warning(
            "checkpoint",
            f"{checkpoint} cannot be read ({problem}); the previous checkpoint was {said}",
            "nothing to do: some alerts are sent twice",
        )
    if problem is None:
        return info("checkpoint", f"no checkpoint at {checkpoint} yet: the first start creates it")
    remedy = "keep the file: the daemon starts at an earlier position and sends some alerts twice; without the file it would start at wazuh.start_at"
    return warning("checkpoint", f"{checkpoint} cannot be read ({problem}), and there is no readable previous checkpoint", remedy)


def _described(files: Sequence[KnownFile]) -> str:
    latest = max(files, key=lambda known: known.number, default=None)
    if latest is None:
        return "no file has been read yet"
    return f"{len(files)} file(s) are known, the newest is settled up to byte {latest.settled.offset:,} of {latest.path}"


def check_space(checkpoint: Path, dead_letters: Path, max_bytes: int) -> list[Finding]:
    """Check the free space for a checkpoint (a few KiB) and for the dead letters.

    Less than `_LEAST_BYTES` is a failure. Less than `max_bytes` for the dead letters is a warning.
    """
    findings = []
    wanted = {checkpoint.parent: _LEAST_BYTES, dead_letters: max(_LEAST_BYTES, max_bytes)}
    for folder, wished in wanted.items():
        place = next(each for each in (folder, *folder.parents) if os.access(each, os.F_OK))
        free = shutil.disk_usage(place).free
        said = f"{free / _MIB:,.0f} MiB free for {folder}"
        if free < _LEAST_BYTES:
            findings.append(failure("disk-space", said, "free disk space: the daemon waits while a dead letter cannot be written"))
        elif free < wished:
            text = f"{said}, and dead letters may take {wished / _MIB:,.0f} MiB (wazuh.max_failed_bytes)"
            findings.append(warning("disk-space", text, "free disk space, or lower wazuh.max_failed_bytes"))
        else:
            findings.append(ok("disk-space", said))
    return findings
