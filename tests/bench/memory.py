"""What the daemon holds in memory and on the disk: over a long backlog, and from day to day."""

import shutil
import sys
import time
from contextlib import closing
from dataclasses import replace
from functools import partial

from bench.corpus import make_lines, write_backlog
from bench.measuring import cpu_seconds, file_bytes, peak_mib, resident_mib
from bench.scenarios import figures
from bench.site import bench_site, make_daemon
from support.checkpoints import has_settled_all
from support.wazuh_writer import WazuhWriter, compress

SHARES_OF_BACKLOG = (0.01, 0.1, 0.25, 0.5, 0.75, 1.0)
SLOWEST_BYTES_PER_SECOND = 5_000_000
ROLLS_A_DAY = 3
TORN_LINES_A_DAY, DEAD_LETTERS_KEPT = 30, 20
WRITE_BYTES = 1_000_000
CHECKPOINT_SECONDS = 0.2


def backlog(options, gigabytes):
    """Catch up so much (in GB, 10 % of the lines relevant); returns the figures, and resident memory in MiB by the share that was delivered."""
    size = int(gigabytes * 1e9)
    with bench_site(options) as (folder, broker, topic):
        if shutil.disk_usage(folder).free < 1.2 * size:
            raise SystemExit(f"{folder} has no room for {gigabytes:g} GB; the variable TMPDIR chooses another folder")
        daemon = make_daemon(folder, broker, options)
        corpus = write_backlog(daemon.alerts, size, 0.1)
        resident, broker_cpu, began = {}, cpu_seconds(broker.pid), time.monotonic()
        with daemon:
            for share in SHARES_OF_BACKLOG:
                topic.wait_for(int(share * corpus.relevant), daemon, timeout=600 + size / SLOWEST_BYTES_PER_SECOND)
                resident[f"{share:.0%}"] = resident_mib(daemon.process.pid)
                print(f"backlog: {share:.0%} after {time.monotonic() - began:.0f} s", file=sys.stderr)
            measured = figures(began, daemon.process, corpus, broker, broker_cpu)
    return measured | {"megabytes_per_second": corpus.size / 1e6 / measured["seconds"]}, resident


def week(options, days=7):
    """Yield, after each of the days, what memory and files are then; a day is `options.lines` lines.

    They are written to four files a day, as by size rotation; the first of them is gzipped after midnight. Some lines are torn, so that
    there are more dead letters than are kept.
    """
    sections = {"wazuh": {"max_failed_files": DEAD_LETTERS_KEPT}, "supervisor": {"checkpoint_interval": CHECKPOINT_SECONDS}}
    options = replace(options, sections={**options.sections, **sections})
    with bench_site(options) as (folder, broker, topic), closing(WazuhWriter(folder)) as writer:
        relevant = 0
        with make_daemon(folder, broker, options) as daemon:
            daemon.wait_for_log("event=reading")
            for day in range(1, days + 1):
                first = writer.dated
                relevant += _write_day(writer, options.lines, day)
                topic.wait_for(relevant, daemon)
                daemon.wait_until(partial(has_settled_all, daemon))
                yield {
                    "day": day,
                    "resident_mib": resident_mib(daemon.process.pid),
                    "peak_mib": peak_mib(daemon.process.pid),
                    "state_bytes": file_bytes(daemon.checkpoint.parent),
                    "dead_letter_bytes": file_bytes(daemon.dead_letters),
                    "log_bytes": daemon.log.stat().st_size,
                }
                writer.next_day()
                compress(first)


def _write_day(writer, lines, day):
    """Write them in pieces, which end anywhere in a line, with rotations between; returns how many are relevant."""
    relevant = 0
    for part in range(ROLLS_A_DAY + 1):
        if part:
            writer.roll()
        made, relevant_part = make_lines(lines // (ROLLS_A_DAY + 1), 0.1, seed=day * 10 + part, day=writer.day)
        data = b"".join(made)
        for start in range(0, len(data), WRITE_BYTES):
            writer.write(data[start : start + WRITE_BYTES])
        relevant += relevant_part
    writer.write(b"".join(b'{"timestamp":"torn %d of day %d\n' % (number, day) for number in range(TORN_LINES_A_DAY)))
    return relevant
