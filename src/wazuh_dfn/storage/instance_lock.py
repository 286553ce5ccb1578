"""One daemon per checkpoint.

Two would send everything twice and overwrite each other's position.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wazuh_dfn.errors import ConfigurationError

_TRIES = 5
_TRY_AGAIN_SECONDS = 0.02
"""Pause between attempts. `holder` takes the lock for a moment, and a daemon that starts just then must not give up."""


@contextmanager
def exclusive_use(checkpoint: Path) -> Iterator[None]:
    """Hold a lock beside the checkpoint for the length of the block.

    The kernel releases it however the process ends.

    Raises:
        ConfigurationError: another daemon holds the lock (its pid is named), or the lock file cannot be written.
    """
    path = lock_file(checkpoint)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    except OSError as error:
        raise ConfigurationError(f"wazuh.checkpoint_file: the lock file {path} can't be written: {error.strerror}") from error
    try:
        _lock(descriptor, checkpoint)
        with suppress(OSError):  # the lock also holds on a full disk, only its message would name no pid
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(checkpoint: Path) -> str | None:
    """Return the pid of the daemon that runs on this checkpoint, or None if there is none.

    It is "unknown" if the daemon has not written its pid yet.

    Raises:
        OSError: the lock file cannot be read.
    """
    try:
        descriptor = os.open(lock_file(checkpoint), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def lock_file(checkpoint: Path) -> Path:
    """Return the path of the lock file of a checkpoint."""
    return checkpoint.with_name(f"{checkpoint.name}.lock")


def _pid(descriptor: int) -> str:
    return os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"


def _lock(descriptor: int, checkpoint: Path) -> None:
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_TRY_AGAIN_SECONDS)
        else:
            return
    pid = _pid(descriptor)
    text = f"another wazuh-dfn (pid {pid}) is running on the checkpoint {checkpoint}: stop it, or set another wazuh.checkpoint_file"
    raise ConfigurationError(text)
