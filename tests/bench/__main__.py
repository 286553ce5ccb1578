"""`scripts/bench`: what the daemon costs and how fast it is, beside rsyslog or another revision if wanted."""

import argparse
import json
import signal
import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench import kafka, report, revision, scenarios
from bench.measuring import RunFailedError
from bench.rsyslog import Rsyslog
from bench.runners import IN_TURN, ONLY_IF_NAMED, OURS, RUNNERS
from bench.site import Options, embedded
from support.kafka_jars import KafkaNotAvailableError

WARM_UP_LINES = 20_000
EPILOG = """examples:
  scripts/bench mix start                       two scenarios, five runs of each
  scripts/bench relevant --broker kafka --tls   on Apache Kafka, as a customer has it
  scripts/bench --against HEAD~5 --json FILE    what the last five commits cost

tests/bench/README.md tells what each scenario measures and how to read the figures."""


def _parser():
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure the real daemon with a real broker, as processes of their own.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "scenario",
        nargs="*",
        metavar="SCENARIO",
        help=f"any of {', '.join(RUNNERS)} (default: all but {' and '.join(ONLY_IF_NAMED)}; with --against those that it applies to)",
    )
    add("--lines", type=int, default=200_000, help="lines of the corpus, or of a day of the week (default: 200000)")
    add("--backlog-gb", type=float, default=10, metavar="GB", help="size of the backlog, on the disk of TMPDIR (default: 10)")
    add("--runs", type=int, default=5, help="runs of each but week and backlog (default: 5)")
    add(
        "--broker",
        choices=["noida", "mock", "tansu", "kafka"],
        default="noida",
        help="an embedded broker, or one node of Apache Kafka, which needs Java and, once, Maven (default: noida)",
    )
    add(
        "--tls",
        action="store_true",
        help="with --broker kafka: mutual TLS; the daemon's certificate has WRITE and DESCRIBE on the topic (default: plaintext)",
    )
    add("--compression", choices=["gzip", "zstd", "lz4", "none"], default="gzip", help="of all sides (default: gzip)")
    add("--peer", choices=["rsyslog"], help="measure this one in turn with mix and relevant (Debian's packages rsyslog and rsyslog-kafka)")
    add(
        "--against",
        metavar="REV",
        help=f"measure the daemon of this git revision in turn, with this checkout's harness, and print ratios; for {', '.join(IN_TURN)}",
    )
    add("--json", metavar="FILE", help="write all figures, those of each run too")
    add("--plot", metavar="FILE", help="draw this checkout's delays as PNG (those after a backlog to a file beside it)")
    return parser


def _parse(parser):
    arguments = parser.parse_args()
    if unknown := set(arguments.scenario) - set(RUNNERS):
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}; there are {', '.join(RUNNERS)}")
    if arguments.runs < 1:
        parser.error("--runs: expected 1 or more")
    if arguments.tls and arguments.broker != "kafka":
        parser.error(f"--tls needs --broker kafka; {arguments.broker} has no TLS")
    if arguments.tls and arguments.peer:
        parser.error("--peer cannot be measured with --tls; leave one of them out")
    if arguments.peer and Rsyslog.version() is None:
        parser.error("rsyslog is not installed: apt install rsyslog rsyslog-kafka")
    if arguments.against is not None and (others := set(arguments.scenario) - set(IN_TURN)):
        parser.error(f"--against does not apply to {', '.join(sorted(others))}; it applies to {', '.join(IN_TURN)}")
    possible = RUNNERS if arguments.against is None else IN_TURN
    arguments.scenario = arguments.scenario or [name for name in possible if name not in ONLY_IF_NAMED]
    return arguments


def _subjects(parser, arguments, stack, facts):
    """Return the options of each daemon that is measured; note what they depend on as facts."""
    sources = {OURS: stack.enter_context(revision.snapshot())}
    if arguments.against is not None:
        try:
            former = stack.enter_context(revision.checked_out(arguments.against))
        except revision.UnknownRevisionError as error:
            parser.error(f"--against {arguments.against}: {error}")
        facts["against"] = former.commit
        if not former.same_dependencies:
            print(f"{parser.prog}: pdm.lock of {arguments.against} differs; both sides run with this checkout's packages", file=sys.stderr)
        sources[f"rev {arguments.against}"] = former.source
    endpoints = partial(embedded, arguments.broker)
    if arguments.broker == "kafka":
        endpoints = stack.enter_context(kafka.shared_kafka(tls=arguments.tls))
        facts["kafka"] = kafka.version()
    common = arguments.broker, arguments.lines, arguments.compression, endpoints
    subjects = {side: Options(source, *common) for side, source in sources.items()}
    if arguments.broker == "kafka":
        print("warming Apache Kafka up", file=sys.stderr)
        scenarios.catch_up(replace(subjects[OURS], lines=WARM_UP_LINES), 1.0)
    return subjects


def _end(*_):
    raise KeyboardInterrupt


def main():
    parser = _parser()
    arguments = _parse(parser)
    signal.signal(signal.SIGTERM, _end)
    facts = report.machine() | {OURS: revision.present()} | ({"rsyslog": Rsyslog.version()} if arguments.peer else {})
    try:
        with ExitStack() as stack:
            subjects = _subjects(parser, arguments, stack, facts)
            print(*(f"{name} {value}" for name, value in facts.items()), sep=", ")
            results = {name: RUNNERS[name](name, subjects, arguments) for name in arguments.scenario}
    except (KafkaNotAvailableError, RunFailedError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"machine": facts, "options": vars(arguments), "results": results}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
