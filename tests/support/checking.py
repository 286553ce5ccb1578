"""A site as `wazuh-dfn check` finds it, and the command run in this process: real files, real rights, a real exit code."""

import io
import os
import re
import shutil
import tempfile
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from support.corpus import line, windows_alert
from support.daemon import Daemon
from support.wazuh_writer import WazuhWriter
from wazuh_dfn import cli

NOBODY = 65534
_LINE = re.compile(r"(ok|info|warning|failure) +([a-z-]+): (.*?)(?: -> (.*))?")


class Line(NamedTuple):
    level: str
    check: str
    text: str
    remedy: str | None


@dataclass
class Outcome:
    code: int
    text: str

    @property
    def lines(self):
        *lines, _ = self.text.splitlines()
        return [Line(*_LINE.fullmatch(text).groups()) for text in lines]

    def of(self, *levels):
        return {each.check for each in self.lines if each.level in levels}

    def one(self, check, level):
        found = [each for each in self.lines if (each.check, each.level) == (check, level)]
        assert len(found) == 1, self.text
        return found[0]


def run_check(config, *arguments, wait=0):
    """Run the command as the shell would, but for a new process."""
    output = io.StringIO()
    tokens = ["check", "--config", str(config), "--wait", str(wait), *arguments]
    with redirect_stdout(output):
        code = cli.app(tokens, exit_on_error=False, print_error=True, result_action="return_value")
    return Outcome(code, output.getvalue())


class Site:
    """Wazuh's files with one alert, state and dead-letter folders, and a configuration; `settings` as for `Daemon`."""

    def __init__(self, bootstrap, **settings):
        self.folder = Path(tempfile.mkdtemp(prefix="site-"))
        self.folder.chmod(0o755)  # unlike pytest's own, so that another user gets in
        self.wazuh = WazuhWriter(self.folder)
        self.wazuh.write(line(windows_alert(1)))
        self.alerts = self.wazuh.link
        self.configure(bootstrap, **settings)
        for folder in (self.checkpoint.parent, self.dead_letters):
            folder.mkdir()
            folder.chmod(0o777)

    def configure(self, bootstrap, **settings):
        settings["kafka"] = {"timeout": 30} | settings.get("kafka", {})
        self.daemon = Daemon(self.folder, bootstrap, **settings)
        self.checkpoint, self.dead_letters = self.daemon.checkpoint, self.daemon.dead_letters

    def check(self, *arguments, wait=0):
        return run_check(self.daemon.config, *arguments, wait=wait)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wazuh.close()
        shutil.rmtree(self.folder)


@contextmanager
def as_ordinary_user():
    """Be a user whom file permissions stop: nobody, if these tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
