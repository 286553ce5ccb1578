"""A daemon on a host whose clock is wrong. Only `time.time` is shifted: nothing else in the daemon gives a record its timestamp."""

import os

SITECUSTOMIZE = """import pathlib, time
true_time, error = time.time, pathlib.Path(__file__).with_name("seconds")
time.time = lambda: true_time() + float(error.read_text())
"""


def set_clock(daemon, seconds):
    """Make the daemon's clock fast by so many seconds. Call it before the daemon starts. Later calls change the clock at once."""
    folder = daemon.folder / "clock"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    new = folder / "new"
    new.write_text(str(seconds))
    new.replace(folder / "seconds")
    others = os.environ.get("PYTHONPATH")
    daemon.environment["PYTHONPATH"] = os.pathsep.join([str(folder), *([others] if others else [])])
