"""Who checks, and what keeps that user from a file."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from wazuh_dfn.check.findings import Finding, ok, warning


def user_name() -> str:
    """Return the name of the user that this process runs as, or its number if it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def check_user() -> list[Finding]:
    """Warn about root: what root may do says nothing about the daemon's user."""
    if os.geteuid() == 0:
        remedy = "check again as the daemon's user: runuser -u wazuh-dfn -- wazuh-dfn check --config ..."
        return [warning("user", "checked as root, whom no file permission stops", remedy)]
    return [ok("user", f"checked as {user_name()}")]


def why_denied(path: Path) -> str:
    """Return a remedy for a file that this user is not allowed to read: the folder that is closed, or the file itself."""
    closed = next((folder for folder in reversed(path.parents) if not os.access(folder, os.X_OK)), None)
    what = f"enter the folder {closed}" if closed is not None else f"read {path}"
    return f"let {user_name()} {what}, for Wazuh's files by membership in its group (usermod -aG wazuh {user_name()})"
