"""Rounds of `kill -9` at random moments while a separate process writes and rotates alerts as Wazuh does; run by scripts/kill-rounds too.

Meanwhile the broker is now and then frozen, or stopped and started again on its data; it is never killed.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from support.brokers import NoidaBroker
from support.checkpoints import has_settled_all, saved_position
from support.consumer_check import lost_and_repeated
from support.corpus import Corpus, numbered_lines
from support.daemon import TOPIC, Daemon
from support.kafka_read import read_all
from support.wazuh_writer import WazuhWriter, compress

LINES_PER_SECOND = 4_000
BURST_LINES = 200


def write_forever(folder, seed):
    """The writer process: appends bursts, torn at any byte, and rotates before some; ends once `stop` is there. Prints how many lines it wrote."""
    random = Random(seed)
    writer, corpus, former = WazuhWriter(folder), Corpus(), []
    stop = Path(folder) / "stop"
    while not stop.exists():
        has_begun = (Path(folder) / "state" / "checkpoint.json").exists()  # the very first start knows nothing of former files
        if has_begun and random.random() < 0.05:
            former.append(writer.roll() if random.random() < 0.5 else writer.next_day(gap=lambda: time.sleep(random.random() / 20)))
        if len(former) > 2 and random.random() < 0.1:
            compress(former.pop(0))
        data = b"".join(numbered_lines(BURST_LINES, corpus, first=corpus.lines))
        cut = random.randrange(len(data))
        writer.write(data[:cut])
        time.sleep(BURST_LINES / LINES_PER_SECOND / 2)
        writer.write(data[cut:])
        time.sleep(BURST_LINES / LINES_PER_SECOND / 2)
    print(corpus.lines, flush=True)


def run_rounds(rounds, seed, folder, report=lambda text: None):
    """Kill the daemon `rounds` times; returns the corpus, (lost, repeated) and a count of what was done to daemon and broker."""
    random, done, is_frozen = Random(seed), Counter(), False
    (folder / "broker").mkdir()
    with NoidaBroker(folder / "broker") as broker:
        broker.create_topic(TOPIC)
        daemon = Daemon(folder, broker.bootstrap, kafka={"max_batch_bytes": 50_000})
        writer = subprocess.Popen([sys.executable, "-m", "support.kill_rounds", "--write", str(folder), str(seed)], stdout=subprocess.PIPE)
        try:
            for number in range(1, rounds + 1):
                before = saved_position(daemon)
                daemon.log.unlink(missing_ok=True)
                with daemon:
                    daemon.wait_for_log("event=reading")
                    if number % 2 == 0 and not is_frozen:  # the others may be killed before they have come so far
                        daemon.wait_until(lambda before=before: saved_position(daemon) != before, what="something settled")
                    time.sleep(random.random())
                    what = _disturb(broker, daemon, number, random)
                    is_frozen = what == "freeze"
                    done[what] += 1
                    done["kills"] += daemon.process.poll() is None
                    daemon.kill()
                done["lives that settled something"] += saved_position(daemon) != before
                report(f"round {number} of {rounds}")
            broker.thaw()
            (folder / "stop").touch()
            lines = int(writer.communicate(timeout=120)[0])
        finally:
            writer.kill()
        corpus = Corpus()
        for _ in numbered_lines(lines, corpus):
            pass
        daemon.log.unlink()
        with daemon:
            daemon.wait_for_log("event=reading")  # before that, a signal would find no handler
            daemon.wait_until(lambda: has_settled_all(daemon), 120)
            assert daemon.stop() == 0
        records = read_all(broker.bootstrap, TOPIC, expect=corpus.relevant)
    return corpus, lost_and_repeated(corpus, records), done


def _disturb(broker, daemon, number, random):
    """Do something to the broker, another thing each round; returns what. One that was frozen stays so until the next round.

    Stopped in the middle of traffic, this broker loses what it has acknowledged last, so the daemon is held still before.
    """
    what = ("nothing", "freeze for a moment", "nothing", "restart", "freeze")[number % 5]
    broker.thaw()
    if what == "freeze for a moment":
        broker.freeze()
        time.sleep(random.random() / 2)
        broker.thaw()
    elif what == "freeze":
        broker.freeze()
    elif what == "restart":
        daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        broker.stop()
        daemon.process.send_signal(signal.SIGCONT)
        time.sleep(random.random() / 2)
        broker.restart()
    time.sleep(random.random() / 2)
    return what


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="how often the daemon is killed (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments and rotations (default: 1)")
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        write_forever(arguments.write[0], int(arguments.write[1]))
        return
    with TemporaryDirectory() as folder:
        corpus, (lost, repeated), done = run_rounds(arguments.rounds, arguments.seed, Path(folder), lambda text: print(text, flush=True))
    print(f"{corpus.lines} lines, {corpus.relevant} relevant; {', '.join(f'{what}: {count}' for what, count in done.items())}")
    print(f"lost: {len(lost)}, repeated: {repeated}")
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
