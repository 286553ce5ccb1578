"""One daemon for one checkpoint: two would send everything twice and overwrite each other's place."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wazuh_dfn.errors import ConfigurationError


@contextmanager
def exclusive_use(checkpoint: Path) -> Iterator[None]:
    """Hold a lock beside the checkpoint as long as the block runs; the kernel frees it however the process ends.

    Raises:
        ConfigurationError: another daemon holds it (its pid is named), or the lock file can't be written.
    """
    path = checkpoint.with_name(f"{checkpoint.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    except OSError as error:
        raise ConfigurationError(f"wazuh.checkpoint_file: the lock file {path} can't be written: {error.strerror}") from error
    try:
        _lock(descriptor, checkpoint)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, checkpoint: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
        text = f"another wazuh-dfn (pid {pid}) is running on the checkpoint {checkpoint}: stop it, or set another wazuh.checkpoint_file"
        raise ConfigurationError(text) from None
