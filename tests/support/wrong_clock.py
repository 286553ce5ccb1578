"""A daemon on a host whose clock is wrong. Only `time.time` is shifted: nothing else in the daemon gives a record its timestamp."""

import os
from pathlib import Path

SITECUSTOMIZE = """import pathlib, time
true_time, error = time.time, pathlib.Path(__file__).with_name("seconds")
time.time = lambda: true_time() + float(error.read_text())
"""


def set_clock(daemon, seconds):
    """Let the daemon's clock be this much fast. Call it before the daemon starts, and afterwards whenever the clock is to change."""
    folder = daemon.folder / "clock"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    new = folder / "new"
    new.write_text(str(seconds))
    new.replace(folder / "seconds")
    others = os.environ.get("PYTHONPATH")
    daemon.environment["PYTHONPATH"] = os.pathsep.join([str(Path(folder)), *([others] if others else [])])
