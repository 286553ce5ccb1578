"""The order of the checks, and the maximum time for each."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wazuh_dfn import exit_codes
from wazuh_dfn.check.access import check_user
from wazuh_dfn.check.alert_file_checks import check_alert_file, check_growing, check_siblings
from wazuh_dfn.check.deadlines import DISK_SECONDS, in_time
from wazuh_dfn.check.delivery_checks import check_delivery
from wazuh_dfn.check.findings import Finding, has_failure, warning
from wazuh_dfn.check.findings_report import Report
from wazuh_dfn.check.state import CHECKPOINT, DEAD_LETTERS, check_checkpoint, check_folder, check_space
from wazuh_dfn.check.wazuh_socket import check_wazuh_socket
from wazuh_dfn.config.loading import LoadedSettings
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.own_thread import in_own_thread


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """Options of the command line. `wait` is the time in seconds for which the alert file is watched."""

    as_json: bool = False
    send_test: bool = False
    wait: float = 3.0


async def run_checks(loaded: LoadedSettings, options: CheckOptions) -> int:
    """Run all checks, print their findings, and return the exit code."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the findings already say it, once
    report = Report(as_json=options.as_json)
    report.add([warning("configuration", text, "see `wazuh-dfn help configuration`; the daemon starts anyway") for text in loaded.warnings])
    for name, seconds, check in _local_checks(loaded.settings, options):
        with report.working(name):
            report.add(await in_time(name, seconds, partial(in_own_thread, check)))
    await check_delivery(loaded.settings, report, send_test=options.send_test)
    report.finish()
    return exit_codes.FAILED if has_failure(report.findings) else exit_codes.OK


def _local_checks(settings: Settings, options: CheckOptions) -> list[tuple[str, float, Callable[[], list[Finding]]]]:
    """Return the local checks: a name, the maximum time in seconds, and a blocking function."""
    wazuh = settings.wazuh
    socket = wazuh.unix_socket_path
    alerts, checkpoint, letters = wazuh.json_alert_file, wazuh.checkpoint_file, wazuh.failed_alerts_path
    return [
        ("user", DISK_SECONDS, check_user),
        ("alert-file", DISK_SECONDS, lambda: check_alert_file(alerts)),
        ("alert-growing", DISK_SECONDS + options.wait, lambda: check_growing(alerts, options.wait)),
        ("alert-siblings", DISK_SECONDS, lambda: check_siblings(alerts)),
        ("checkpoint-folder", DISK_SECONDS, lambda: check_folder("checkpoint-folder", CHECKPOINT, checkpoint.parent)),
        ("checkpoint", DISK_SECONDS, lambda: check_checkpoint(checkpoint)),
        ("dead-letter-folder", DISK_SECONDS, lambda: check_folder("dead-letter-folder", DEAD_LETTERS, letters)),
        ("disk-space", DISK_SECONDS, lambda: check_space(checkpoint, letters, wazuh.max_failed_bytes)),
        *([("wazuh-socket", DISK_SECONDS, partial(check_wazuh_socket, socket))] if wazuh.feedback and isinstance(socket, Path) else []),
    ]
