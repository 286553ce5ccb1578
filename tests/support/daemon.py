"""The real daemon as a process: `wazuh-dfn run` with a configuration of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import tomlkit

TOPIC = "site-1"


class Daemon:
    """Files live in `folder`; `settings` are sections that override the defaults of these tests; `environment` adds variables.

    `python` is the command that runs a module: a profiler can be part of it.
    """

    def __init__(self, folder, bootstrap, *, preexec=None, **settings):
        self.folder = Path(folder)
        self.environment = {}
        self.python = [sys.executable]
        self._preexec = preexec
        self.alerts = self.folder / "alerts.json"
        self.checkpoint = self.folder / "state" / "checkpoint.json"
        self.dead_letters = self.folder / "dead-letters"
        self.socket = self.folder / "queue"
        self.log = self.folder / "daemon.log"
        self.config = self.folder / "config.toml"
        sections = {
            "dfn": {"dfn_broker": bootstrap, "dfn_id": TOPIC},
            "wazuh": {
                "json_alert_file": str(self.alerts),
                "json_alert_file_poll_interval": 0.05,
                "checkpoint_file": str(self.checkpoint),
                "failed_alerts_path": str(self.dead_letters),
                "start_at": "beginning",
                "unix_socket_path": str(self.socket),
            },
            "kafka": {"timeout": 10, "retry_interval": 0.5, "slow_retry_interval": 0.5},
            "supervisor": {"checkpoint_interval": 0.05, "shutdown_timeout": 20},
        }
        for section, values in settings.items():
            sections.setdefault(section, {}).update(values)
        self.sections = sections
        self.write_config()
        self.process = None

    def write_config(self, **settings):
        """Write the configuration anew, with these values changed in it."""
        for section, values in settings.items():
            self.sections.setdefault(section, {}).update(values)
        self.config.write_text(tomlkit.dumps(self.sections))

    def start(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("DFN_", "WAZUH_", "KAFKA_", "LOG_"))}
        environment |= self.environment
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.python, "-m", "wazuh_dfn", "run", "--config", str(self.config)],
                stderr=log,
                stdout=log,
                env=environment,
                preexec_fn=self._preexec,  # noqa: PLW1509
            )
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self, timeout=120):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def log_text(self):
        return self.log.read_text(errors="replace")

    def wait_for_log(self, text, timeout=120):
        self.wait_until(lambda: text in self.log_text(), timeout, f"{text!r} in the log")

    def wait_until(self, condition, timeout=120, what="the condition"):
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError(f"{what} did not come true; exit code {self.process.poll()}; log:\n{self.log_text()[-4000:]}")
            time.sleep(0.02)

    def peak_memory_mib(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmHWM")
