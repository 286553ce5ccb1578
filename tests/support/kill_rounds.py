"""Rounds of `kill -9` at random moments while a separate process writes and rotates alerts as Wazuh does; run by scripts/kill-rounds too.

That process also goes back over midnight and forth, appends to files with older numbers, and writes lines of up to 3.4 MB.

Meanwhile the broker is now and then frozen, or stopped and started again on its data; it is never killed. Of three nodes of Apache Kafka
(`--broker kafka`) one is killed at random, too.
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

from support.apache_kafka import KafkaCluster
from support.brokers import NoidaBroker
from support.certs import make_certificates
from support.checkpoints import has_settled_all, progress
from support.consumer_check import lost_and_repeated, repeated_in_each_life
from support.corpus import RELEVANT_EVERY, Corpus, line, numbered_lines, windows_alert
from support.daemon import TOPIC, Daemon
from support.kafka_read import read_all_with_times
from support.kafka_site import KafkaSite
from support.wazuh_writer import WazuhWriter, compress

LINES_PER_SECOND = 4_000
BURST_LINES = 200


class HardWriter:
    """Does at random what Wazuh's writer and a site do to the files; with `is_plain` it only rotates, and files are only gzipped."""

    def __init__(self, folder, random, *, is_plain):
        self.writer = WazuhWriter(folder)
        self._random = random
        self._is_plain = is_plain
        self._former = []
        self._is_back = False

    def move(self):
        """Do one thing that changes the file, or nothing."""
        random, writer = self._random, self.writer
        if self._is_back:
            if random.random() < 0.3:
                self._former.append(writer.clock_forward())
                self._is_back = False
        elif random.random() < 0.05:
            self._former.append(writer.roll() if random.random() < 0.5 else writer.next_day(gap=lambda: time.sleep(random.random() / 20)))
        elif not self._is_plain and random.random() < 0.02:
            self._former.append(writer.clock_back())
            self._is_back = True
        elif not self._is_plain and random.random() < 0.02:
            writer.restart()  # after a number was gzipped, it appends to older files

    def gzip(self):
        """Gzip an old file now and then; none a second time: what the first had would be gone."""
        if len(self._former) < 3 or self._random.random() >= 0.1:
            return
        path = self._former.pop(0)
        if path.exists() and path != self.writer.dated and not path.with_name(f"{path.name}.gz").exists():
            compress(path)

    def make_large(self, burst, first):
        """Let a relevant line in it become a large one, now and then, as of a rule that repeats earlier events; its record is not larger."""
        if self._is_plain or self._random.random() >= 0.02:
            return
        index = -first % (2 * RELEVANT_EVERY)
        before = "x" * self._random.randrange(200_000, 3_400_000)
        burst[index] = line(windows_alert(first + index) | {"previous_output": before})


def write_forever(folder, seed, *, is_plain=False):
    """The writer process: appends bursts, torn at any byte; ends once `stop` is there. Prints how many lines it wrote."""
    random = Random(seed)
    hard, corpus = HardWriter(folder, random, is_plain=is_plain), Corpus()
    stop = Path(folder) / "stop"
    while not stop.exists():
        if (Path(folder) / "state" / "checkpoint.json").exists():  # the very first start knows nothing of former files
            hard.move()
            hard.gzip()
        first = corpus.lines
        burst = list(numbered_lines(BURST_LINES, corpus, first))
        hard.make_large(burst, first)
        data = b"".join(burst)
        cut = random.randrange(len(data))
        hard.writer.write(data[:cut])
        time.sleep(BURST_LINES / LINES_PER_SECOND / 2)
        hard.writer.write(data[cut:])
        time.sleep(BURST_LINES / LINES_PER_SECOND / 2)
    print(corpus.lines, flush=True)


class StandIn:
    """One small broker, to which another thing is done each round; one that was frozen stays so until the next round."""

    def __init__(self, folder):
        (folder / "broker").mkdir()
        self._broker = NoidaBroker(folder / "broker")
        self.is_frozen = False

    def __enter__(self):
        self._broker.__enter__()
        self._broker.create_topic(TOPIC)
        self.topic, self.bootstrap = TOPIC, self._broker.bootstrap
        return self

    def __exit__(self, *_):
        self._broker.__exit__()

    def daemon(self, folder):
        return Daemon(folder, self.bootstrap, kafka={"max_batch_bytes": 50_000})

    def calm_down(self):
        self._broker.thaw()

    def disturb(self, daemon, number, random):
        """Stopped in the middle of traffic, this broker loses what it has acknowledged last, so the daemon is held still before."""
        broker, what = self._broker, ("nothing", "freeze for a moment", "nothing", "restart", "freeze")[number % 5]
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
        self.is_frozen = what == "freeze"
        time.sleep(random.random() / 2)
        return what


class ApacheKafka:
    """Three nodes of Apache Kafka, over mutual TLS; at random one of them is killed, frozen, or restarted, and is back a round later."""

    is_frozen = False

    def __init__(self, folder):
        self._kafka = KafkaCluster(folder / "kafka", make_certificates(folder / "certificates"))
        self._away = None

    def __enter__(self):
        self._kafka.__enter__()
        self.bootstrap = self._kafka.bootstrap
        return self

    def __exit__(self, *_):
        self._kafka.__exit__()

    def daemon(self, folder):
        site = KafkaSite(folder, self._kafka)
        self.topic = site.topic
        return site.prepare(max_batch_bytes=50_000)

    def calm_down(self):
        if self._away is not None:
            self._away = None
            self._kafka.start()
            self._kafka.wait_until_in_sync(self.topic)

    def disturb(self, daemon, number, random):
        self.calm_down()
        what, node = random.choice(["nothing", "kill a node", "freeze a node", "restart a node"]), random.choice(self._kafka.nodes)
        if what != "nothing":
            self._away = node
            {"kill a node": node.kill, "freeze a node": node.freeze, "restart a node": node.restart}[what]()
        time.sleep(random.random() / 2)
        return what


BROKERS = {"stand-in": StandIn, "kafka": ApacheKafka}


def run_rounds(rounds, seed, folder, report=lambda text: None, *, is_plain=False, broker=StandIn):
    """Kill the daemon `rounds` times; returns the corpus, (lost, repeated) and a count of what was done to daemon and broker.

    That count has the most records that came again after one kill, too.
    """
    random, done, begun = Random(seed), Counter(), []
    with broker(folder) as running:
        daemon = running.daemon(folder)
        command = [
            sys.executable,
            "-m",
            "support.kill_rounds",
            "--write",
            str(folder),
            str(seed),
            *(["--plain-writer"] if is_plain else []),
        ]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            for number in range(1, rounds + 1):
                before = progress(daemon)
                daemon.log.unlink(missing_ok=True)
                begun.append(time.time())
                with daemon:
                    daemon.wait_for_log("event=reading")
                    if number % 2 == 0 and not running.is_frozen:  # the others may be killed before they have come so far
                        daemon.wait_until(lambda before=before: progress(daemon) != before, what="something settled")
                    time.sleep(random.random())
                    done[running.disturb(daemon, number, random)] += 1
                    done["kills"] += daemon.process.poll() is None
                    daemon.kill()
                done["lives that settled something"] += progress(daemon) != before
                report(f"round {number} of {rounds}")
            running.calm_down()
            (folder / "stop").touch()
            lines = int(writer.communicate(timeout=120)[0])
        finally:
            writer.kill()
        corpus = Corpus()
        for _ in numbered_lines(lines, corpus):
            pass
        daemon.log.unlink()
        begun.append(time.time())
        with daemon:
            daemon.wait_for_log("event=reading")  # before that, a signal would find no handler
            daemon.wait_until(lambda: has_settled_all(daemon), 120)
            assert daemon.stop() == 0
        records = read_all_with_times(running.bootstrap, running.topic, expect=corpus.relevant)
    done["most repeated after one kill"] = max(repeated_in_each_life(records, begun))
    return corpus, lost_and_repeated(corpus, [record[:3] for record in records]), done


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="how often the daemon is killed (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments and rotations (default: 1)")
    parser.add_argument("--broker", choices=BROKERS, default="stand-in", help="Apache Kafka (see scripts/kafka), or a small one (default)")
    parser.add_argument(
        "--plain-writer",
        action="store_true",
        help="files are only rotated and gzipped: no clock set back, no number used again, no large line",
    )
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        write_forever(arguments.write[0], int(arguments.write[1]), is_plain=arguments.plain_writer)
        return
    with TemporaryDirectory() as folder:
        corpus, (lost, repeated), done = run_rounds(
            arguments.rounds,
            arguments.seed,
            Path(folder),
            lambda text: print(text, flush=True),
            is_plain=arguments.plain_writer,
            broker=BROKERS[arguments.broker],
        )
    print(f"{corpus.lines} lines, {corpus.relevant} relevant; {', '.join(f'{what}: {count}' for what, count in done.items())}")
    print(f"lost: {len(lost)}, repeated: {repeated}")
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
