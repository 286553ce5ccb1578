"""logrotate on alerts.json: simulated, with the names and the times that it gives, and the real one where it is installed."""

import bz2
import gzip
import lzma
import os
import shutil
import subprocess
from pathlib import Path

TODAY = "20261127"


def zstd(data):
    return subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout


PACKERS = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress, "zst": zstd}
"""By the extension: what `compresscmd` and `compressext` can say."""

NAMES = {
    "default": "{stem}.json.{number}",
    "extension .json": "{stem}.{number}.json",
    "dateext": "{stem}.json-{date}",
    "dateext, extension .json": "{stem}-{date}.json",
    "dateformat -%Y%m%dT%H%M%S": "{stem}.json-{date}T12000{count}",
    "dateformat -%Y%m%dT%H%M%S, extension .json": "{stem}-{date}T12000{count}.json",
    "dateformat _%Y%m%d": "{stem}.json_{date}",
    "dateformat .%Y-%m-%d": "{stem}.json.2026-11-{day}",
}
"""By the directives. A date names a day, so a second rotation with such a name happens on the next day."""


class Logrotate:
    """Rotates `alerts`, and calls the copies by one of `NAMES`; `pack` is an extension of `PACKERS`, `delay` is delaycompress."""

    def __init__(self, alerts, names="default", *, pack=None, delay=False):
        self.alerts = alerts
        self.pattern = NAMES[names]
        self.pack = pack
        self.delay = delay
        self.count = 0

    def copytruncate(self):
        """Copy, and then truncate: Wazuh writes on in the same file."""
        copy = self._free_name()
        shutil.copyfile(self.alerts, copy)
        os.truncate(self.alerts, 0)
        return self._pack(copy)

    def create(self):
        """Rename, and create an empty file of the old name: Wazuh writes on in the renamed one."""
        copy = self._free_name()
        self.alerts.rename(copy)
        self.alerts.touch()
        return self._pack(copy)

    def _free_name(self):
        """Number the former ones up, if the names have numbers, and return the next name."""
        self.count += 1
        if "{number}" in self.pattern:
            for number in range(self.count - 1, 0, -1):
                for ending in ("", *(f".{pack}" for pack in PACKERS)):
                    path = Path(f"{self._name(number)}{ending}")
                    if path.exists():
                        path.rename(f"{self._name(number + 1)}{ending}")
        return self._name(1)

    def _name(self, number):
        name = self.pattern.format(
            stem=self.alerts.stem, number=number, count=self.count, date=int(TODAY) + self.count, day=26 + self.count
        )
        return self.alerts.with_name(name)

    def _pack(self, copy):
        if self.pack is None:
            return copy
        if self.delay:
            copy, self._last = getattr(self, "_last", None), copy
            if copy is None:
                return self._last
            if "{number}" in self.pattern:
                copy = self._name(2)
        return pack(copy, self.pack)


def pack(path, extension):
    """Compress it, and give the packed file the time of the plain one, as logrotate, gzip and xz do; returns its path."""
    packed, status = path.with_name(f"{path.name}.{extension}"), path.stat()
    packed.write_bytes(PACKERS[extension](path.read_bytes()))
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()
    return packed


class RealLogrotate:
    """The program, with these directives for `alerts`; `rotate` forces a rotation.

    It passes over files with several names, as alerts.json is, unless it is told `allowhardlink`.
    """

    def __init__(self, alerts, *directives):
        self.alerts = alerts
        self.config, self.state = (alerts.parent / "state" / name for name in ("logrotate.conf", "logrotate.state"))
        self.config.parent.mkdir(exist_ok=True)
        rules = "".join(f"    {directive}\n" for directive in ("rotate 20", "allowhardlink", *directives))
        self.config.write_text(f"{alerts} {{\n{rules}}}\n")
        self.config.chmod(0o600)

    def rotate(self):
        done = subprocess.run(
            [shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin"), "--force", "--state", str(self.state), str(self.config)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, self.alerts.stat().st_size) == (0, 0), done.stderr
