"""The daemon's code that is measured: that of this checkout, and that of another revision in turn with it.

Both are copied to temporary folders and compiled there. Their starts cost the same then, and nobody changes them meanwhile.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.site import daemon_environment

ROOT = Path(__file__).parents[2]


class UnknownRevisionError(Exception):
    """Git does not know it. The text is git's reason, in one line."""


@dataclass(frozen=True)
class Revision:
    """`source` has its code. `same_dependencies` is whether its lock file is that of this checkout."""

    commit: str
    source: Path
    same_dependencies: bool


@contextmanager
def snapshot():
    """Yield the folder with this checkout's code as it is now."""
    with TemporaryDirectory(prefix="bench-code-") as temporary:
        source = Path(temporary) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        _prepare(source)
        yield source


@contextmanager
def checked_out(name):
    """Yield the revision of that name, unpacked in a temporary folder. The repository itself stays as it is, whatever ends this process."""
    commit = _git("log", "-1", "--format=%H", "--end-of-options", name, "--").decode().strip()
    with TemporaryDirectory(prefix="bench-against-") as temporary:
        folder = Path(temporary)
        with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as archive:
            archive.extractall(folder, filter="data")
        _prepare(folder / "src")
        lock = folder / "pdm.lock"
        yield Revision(commit, folder / "src", lock.is_file() and lock.read_bytes() == (ROOT / "pdm.lock").read_bytes())


def present():
    """Return the name of this checkout's revision, marked if files have changed since; `unknown` outside of a repository."""
    try:
        return _git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*").decode().strip()
    except UnknownRevisionError:
        return "unknown"


def _git(*arguments):
    if shutil.which("git") is None:
        raise UnknownRevisionError("git is not installed")
    done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, check=False)
    if done.returncode != 0:
        raise UnknownRevisionError(done.stderr.decode(errors="replace").strip().partition("\n")[0])
    return done.stdout


def _prepare(source):
    """Compile it, and make sure that Python takes the daemon from there."""
    environment = os.environ | daemon_environment(source)
    subprocess.run([sys.executable, "-m", "compileall", "-q", source], check=True, stdout=subprocess.DEVNULL)
    where = "import pathlib, wazuh_dfn; print(pathlib.Path(wazuh_dfn.__file__).parent)"
    done = subprocess.run([sys.executable, "-c", where], env=environment, capture_output=True, text=True, check=False)
    if done.stdout.strip() != str(source / "wazuh_dfn"):
        said = done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]
        raise UnknownRevisionError(f"the daemon's code cannot be imported from src/wazuh_dfn: {said}")
