"""The user running the check, and what denies that user access to a file."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from wazuh_dfn.check.findings import Finding, ok, warning


def user_name() -> str:
    """Return the name of the effective user, or the numeric id if it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def check_user() -> list[Finding]:
    """Warn if running as root, because root's permissions say nothing about those of the daemon's user."""
    if os.geteuid() == 0:
        remedy = "repeat the check as the daemon's user: runuser -u wazuh-dfn -- wazuh-dfn check --config ..."
        return [warning("user", "running as root: file permissions are not tested", remedy)]
    return [ok("user", f"running as {user_name()}")]


def why_denied(path: Path) -> str:
    """Return a remedy for a file that this user cannot read.

    It names the topmost folder that this user cannot enter, or the file itself.
    """
    closed = next((folder for folder in reversed(path.parents) if not os.access(folder, os.X_OK)), None)
    what = f"enter the folder {closed}" if closed is not None else f"read {path}"
    return f"allow {user_name()} to {what}; for Wazuh's files, add the user to its group (usermod -aG wazuh {user_name()})"
