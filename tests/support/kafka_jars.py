"""The jars of Apache Kafka: fetched once by Maven into a cache outside the checkout.

`kafka-pom.xml` holds the versions of Kafka 4.x, which is used unless a caller wants something else. `kafka-3.9-pom.xml` holds those of 3.9.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

POM = Path(__file__).with_name("kafka-pom.xml")
POM_OF_3_9 = Path(__file__).with_name("kafka-3.9-pom.xml")
OLDEST_JAVA = 17
FETCH_WITHIN = 600
_MANIFEST = "manifest.json"


class KafkaNotAvailableError(Exception):
    """Apache Kafka cannot run here. The text says what is missing and how to get it, in one line."""


def cache_folder() -> Path:
    """Return where all jars are kept. `WAZUH_DFN_KAFKA_CACHE` overrides it."""
    chosen = os.environ.get("WAZUH_DFN_KAFKA_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wazuh-dfn" / "kafka"


@cache
def java() -> str:
    """Return the path of a Java that is new enough."""
    home = os.environ.get("JAVA_HOME")
    path = shutil.which("java", path=f"{home}/bin") if home else None
    path = path or shutil.which("java")
    said = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr if path else ""
    version = re.search(r'version "(\d+)', said)
    if path is None or version is None or int(version[1]) < OLDEST_JAVA:
        found = f"found {said.splitlines()[0]}" if said else "found none"
        raise KafkaNotAvailableError(
            f"Apache Kafka needs Java {OLDEST_JAVA} or newer, {found} (Debian: apt install openjdk-17-jre-headless)"
        )
    return path


@cache
def jars(pom: Path = POM) -> Path:
    """Return the folder with the jars. The first call on a machine fetches them."""
    folder = cache_folder() / hashlib.sha256(pom.read_bytes()).hexdigest()[:16]
    if not _is_complete(folder):
        _fetch(folder, pom)
    return folder


def _contents(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.glob("*.jar")}


def _is_complete(folder: Path) -> bool:
    try:
        return json.loads((folder / _MANIFEST).read_text()) == _contents(folder)
    except (FileNotFoundError, ValueError):
        return False


def _fetch(folder: Path, pom: Path) -> None:
    """Fill a folder beside it and rename that, so that nobody sees half of it."""
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaNotAvailableError("the jars of Apache Kafka are fetched by Maven, which is missing (Debian: apt install maven)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=folder.parent) as temporary:
        filled = Path(temporary) / "jars"
        command = [
            maven,
            "-q",
            "-B",
            "-f",
            str(pom),
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            f"-DoutputDirectory={filled}",
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_WITHIN, check=False, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired as error:
            raise KafkaNotAvailableError(f"Maven did not fetch the jars of Apache Kafka within {FETCH_WITHIN} s") from error
        if done.returncode != 0 or not _contents(filled):
            lines = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line] or ["no reason given"]
            raise KafkaNotAvailableError(f"Maven cannot fetch the jars of Apache Kafka: {lines[0][:300]}")
        (filled / _MANIFEST).write_text(json.dumps(_contents(filled)))
        if not _is_complete(folder):  # else another process was faster
            shutil.rmtree(folder, ignore_errors=True)
            filled.rename(folder)
