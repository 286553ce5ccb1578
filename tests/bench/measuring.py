"""Wall time, CPU time and memory of processes, and how many records a topic holds."""

import os
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import confluent_kafka

_TICKS = os.sysconf("SC_CLK_TCK")
POLL_SECONDS = 0.005


def cpu_seconds(pid):
    """CPU time of a running process and its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_mib(pid):
    """Peak of its resident memory."""
    return _status_mib(pid, "VmHWM")


def resident_mib(pid):
    """Its resident memory now."""
    return _status_mib(pid, "VmRSS")


def _status_mib(pid, field):
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(f"{field}:")]
    return int(line.split()[1]) / 1024


def file_bytes(folder):
    """How large all files in it are together; those of a broker do not count."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and "broker" not in path.parts)


def pin(cores):
    """Return a preexec function that keeps a child on these cores; None if there is only one."""
    return (lambda: os.sched_setaffinity(0, cores)) if len(os.sched_getaffinity(0)) > 1 else None


class RunFailedError(Exception):
    """Not all records arrived. The text has the end of the log of what should have delivered them."""


class Topic:
    """Counts the records of a topic by its end offsets, which costs the broker next to nothing."""

    def __init__(self, bootstrap, name):
        self._consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "bench", "log_level": 0})
        partitions = self._consumer.list_topics(name, timeout=10).topics[name].partitions
        self._partitions = [confluent_kafka.TopicPartition(name, number) for number in partitions]

    def records(self):
        return sum(self._consumer.get_watermark_offsets(partition, timeout=10)[1] for partition in self._partitions)

    def wait_for(self, count, subject, timeout=600):
        """Wait until so many are there. The process of the subject (a daemon or its peer) has to live meanwhile."""
        end = time.monotonic() + timeout
        while (there := self.records()) < count:
            if time.monotonic() > end or subject.process.poll() is not None:
                log = subject.log.read_text(errors="replace")[-2000:]
                raise RunFailedError(f"{there} of {count} records arrived; exit code {subject.process.poll()}; the end of its log:\n{log}")
            time.sleep(POLL_SECONDS)

    def close(self):
        self._consumer.close()


@dataclass
class Series:
    """Several runs of one thing; each value is a list with one entry a run."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, **values):
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)

    def median(self, name):
        return statistics.median(self.values[name])

    def spread(self, name):
        """The lowest and the highest."""
        return min(self.values[name]), max(self.values[name])
