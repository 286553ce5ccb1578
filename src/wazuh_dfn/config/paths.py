"""Whether the paths of the settings can be used by this user, found out without making or writing anything."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from wazuh_dfn.config.documents import KeyPath, dotted
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class UnusablePath:
    """What is wrong with the path of a setting, and what to do about it."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}"


def check_paths(settings: Settings) -> None:
    """Check that the files for TLS can be read, and that the folders of checkpoint and dead letters can be made and written.

    Nothing is made or written by this.

    Raises:
        ConfigurationError: The text names every path that can't be used, one a line.
    """
    problems = []
    if settings.uses_tls:
        problems += [_unreadable(("dfn", name), getattr(settings.dfn, name)) for name in ("dfn_cert", "dfn_key", "dfn_ca", "dfn_crl")]
    if settings.health.api.enabled and settings.health.api.https_enabled:
        problems += [_unreadable(("health", "api", name), getattr(settings.health.api, name)) for name in ("cert_file", "key_file")]
    problems.append(unwritable(("wazuh", "checkpoint_file"), settings.wazuh.checkpoint_file.parent))
    problems.append(unwritable(("wazuh", "failed_alerts_path"), settings.wazuh.failed_alerts_path))
    if found := [problem for problem in problems if problem]:
        raise ConfigurationError(*map(str, found))


def _unreadable(key: KeyPath, path: Path | None) -> UnusablePath | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return UnusablePath(
            f"{dotted(key)} = {str(path)!r}: can't be read ({error.strerror})", "put the file there, or let the daemon's user read it"
        )
    return None


def unwritable(key: KeyPath, folder: Path) -> UnusablePath | None:
    """Find out why the folder of a setting can't be made or written to by this user. None if it can."""
    nearest = folder
    while not _exists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        return UnusablePath(f"{dotted(key)}: {folder} can't be a folder, because {nearest} is a file", "name another place")
    if not os.access(nearest, os.W_OK | os.X_OK):
        what = "can't be written to" if nearest == folder else f"can't be made in {nearest}"
        return UnusablePath(f"{dotted(key)}: the folder {folder} {what}", "let the daemon's user write there, or name another place")
    return None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return False
