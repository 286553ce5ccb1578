"""Checks of the alert file: existence, permissions, content, growth, and access to the rotated files."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from wazuh_dfn.check.access import user_name, why_denied
from wazuh_dfn.check.findings import Finding, failure, info, ok, warning
from wazuh_dfn.errors import MalformedLineError
from wazuh_dfn.lines.parse import parse_alert
from wazuh_dfn.messages import LINE_LIMIT_BYTES
from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.tailing.names import dated_paths, slot_of

_DAY_CHANGE_SECONDS = 0.5
"""Wazuh unlinks `alerts.json` and links it again at the day change. A second look after this time is enough."""
_GROWTH_POLL_SECONDS = 0.1
_LINES = 20
_SIBLINGS = 30
"""Number of the newest dated files that must be readable.

This covers a month without rotation within the day, which is longer than most outages.
"""
_WHERE = "set wazuh.json_alert_file to the alerts.json of this Wazuh manager"


def check_alert_file(path: Path) -> list[Finding]:
    """Check that the path is a regular file that this user can read, and that it contains alerts."""
    try:
        status = _status(path)
    except FileNotFoundError:
        remedy = f"check that Wazuh is running and writes JSON alerts (<jsonout_output>yes in ossec.conf), or {_WHERE}"
        return [failure("alert-file", f"{path} does not exist", remedy)]
    except PermissionError:
        return [failure("alert-file", f"{path} cannot be accessed by {user_name()}", why_denied(path))]
    if not stat.S_ISREG(status.st_mode):
        return [failure("alert-file", f"{path} is not a regular file", _WHERE)]
    try:
        file = LocalDisk().open(path)
    except PermissionError:
        return [failure("alert-file", f"{path} cannot be read by {user_name()}", why_denied(path))]
    try:
        begin = file.read(0, LINE_LIMIT_BYTES)
    finally:
        file.close()
    readable = ok("alert-file", f"{path} is a regular file of {status.st_size:,} bytes that {user_name()} can read")
    return [readable, _check_lines(path, begin)]


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except FileNotFoundError:
        time.sleep(_DAY_CHANGE_SECONDS)
        return path.stat()


def _check_lines(path: Path, begin: bytes) -> Finding:
    """Parse the first line. If it is not an alert, a few more lines distinguish a torn line from a file of another kind."""
    lines = [line for line in begin.split(b"\n")[:-1] if line.strip()][:_LINES]
    if not lines:
        if len(begin) == LINE_LIMIT_BYTES:
            return failure("alert-content", f"the first line of {path} is longer than {LINE_LIMIT_BYTES // 2**20} MiB", _WHERE)
        return info("alert-content", f"{path} does not contain a complete line yet")
    problems = [_problem(line) for line in lines]
    if problems[0] is None:
        return ok("alert-content", "its first line is an alert in JSON")
    if None in problems:
        return warning(
            "alert-content",
            f"the first line of {path} is not an alert ({problems[0]}), but later lines are",
            "nothing to do if Wazuh crashed or the file was truncated: such a line becomes a dead letter",
        )
    return failure("alert-content", f"the first line of {path} is not an alert: {problems[0]}", f"{_WHERE} (alerts.log has another format)")


def _problem(line: bytes) -> str | None:
    try:
        parse_alert(line)
    except MalformedLineError as error:
        return str(error)
    return None


def check_growing(path: Path, seconds: float) -> list[Finding]:
    """Watch the file for that many seconds, or until it grows or is replaced.

    Returns nothing for an inaccessible file, because `check_alert_file` reports it.
    """
    try:
        before = _status(path)
    except OSError:
        return []
    try:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(_GROWTH_POLL_SECONDS, left))
            now = _status(path)
            if (now.st_ino, now.st_size) != (before.st_ino, before.st_size):
                return [ok("alert-growing", "the file is growing")]
    except OSError as error:
        return [failure("alert-growing", f"{path} disappeared while it was watched: {error.strerror}", _WHERE)]
    minutes = max(0.0, time.time() - before.st_mtime) / 60
    return [
        warning(
            "alert-growing",
            f"nothing was written to {path} within {seconds:.3g} s (last {minutes:,.0f} min ago)",
            "on a quiet system watch longer (--wait 60), otherwise check that Wazuh is running (systemctl status wazuh-manager)",
        )
    ]


def check_siblings(path: Path) -> list[Finding]:
    """Check that the dated files beside the alert file can be listed and read.

    The daemon reads from them what was rotated while it was down.
    """
    if not os.access(path, os.F_OK):
        return []
    failed: dict[Path, str] = {}
    try:
        files = sorted(
            dated_paths(LocalDisk(), path.resolve().parent, failed), key=lambda file: slot_of(file) or (0, 0, 0, 0), reverse=True
        )
    except OSError as error:
        folder = Path(error.filename or path.parent)
        return [failure("alert-siblings", f"the folder {folder} cannot be listed by {user_name()}: {error.strerror}", why_denied(folder))]
    if failed:
        folder = next(iter(failed))
        return [failure("alert-siblings", f"the folder {folder} cannot be listed by {user_name()}", why_denied(folder))]
    if not files:
        return [
            warning(
                "alert-siblings",
                f"Wazuh's dated files (YYYY/Mon/ossec-alerts-DD.json) are not in the folder of {path}",
                f"{_WHERE}, not to a link or a copy: alerts that are rotated while the daemon is down are read from the dated files",
            )
        ]
    for file in files[:_SIBLINGS]:
        if not os.access(file, os.R_OK):
            return [failure("alert-siblings", f"{file} cannot be read by {user_name()}", why_denied(file))]
    return [ok("alert-siblings", f"{len(files)} dated files are accessible, the newest is {files[0]}")]
