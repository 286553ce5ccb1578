"""The peer: rsyslog reads the same file, filters by a regular expression, and forwards the raw line."""

import shutil
import subprocess
from pathlib import Path

from wazuh_dfn.config.event_ids import DEFAULT_EVENT_IDS

CONFIGURATION = """
global(workDirectory="{folder}" maxMessageSize="256k")
module(load="imfile")
module(load="omkafka")
template(name="raw" type="string" string="%msg%")
input(type="imfile" file="{alerts}" tag="wazuh" ruleset="forward" freshStartTail="off")
ruleset(name="forward") {{
  if re_match($msg, '"eventID":"({ids})"|fail2ban.actions') then {{
    action(type="omkafka" broker=["{bootstrap}"] topic="{topic}" template="raw" partitions.number="1"
           confParam=["compression.codec={compression}", "acks=all", "queue.buffering.max.messages=1000000"])
  }}
}}
"""


class Rsyslog:
    """rsyslogd as a process of its own."""

    def __init__(self, folder, alerts, bootstrap, topic, compression, preexec=None):
        self.folder = Path(folder)
        self.folder.mkdir()
        ids = "|".join(sorted(DEFAULT_EVENT_IDS))
        text = CONFIGURATION.format(folder=folder, alerts=alerts, bootstrap=bootstrap, topic=topic, ids=ids, compression=compression)
        (self.folder / "rsyslog.conf").write_text(text)
        self.log = self.folder / "log"
        self._preexec = preexec
        self.process = None

    @staticmethod
    def version():
        """Return its version; None if it is not installed."""
        binary = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin")
        if binary is None:
            return None
        return subprocess.run([binary, "-v"], capture_output=True, text=True, check=True).stdout.split()[1]

    def __enter__(self):
        command = [shutil.which("rsyslogd", path="/usr/sbin:/usr/bin"), "-n", "-f", self.folder / "rsyslog.conf", "-i", self.folder / "pid"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=self._preexec)  # noqa: PLW1509
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
