"""`scripts/bench`: what the daemon costs and how fast it is, beside rsyslog if wanted."""

import argparse
import json
import statistics
import sys
from pathlib import Path

from bench import memory, report, scenarios
from bench.measuring import Series
from bench.rsyslog import Rsyslog
from bench.stages import measure_stages

SCENARIOS = ("mix", "relevant", "delay", "delay-after-backlog", "idle", "start", "stages", "scaling", "week", "backlog")
BACKLOGS = {"delay": 0, "delay-after-backlog": 50_000}
SHARES = {"mix": 0.1, "relevant": 1.0}
FIGURES = ("seconds", "cpu_seconds", "lines_per_second", "records_per_second", "peak_mib")


def catch_up(name, options, arguments):
    """Several runs in turn with the peer, so that whatever slows the machine down slows both."""
    sides = {"wazuh-dfn": (scenarios.catch_up, Series())}
    if arguments.peer:
        sides["rsyslog"] = (scenarios.peer_catch_up, Series())
    for number in range(arguments.runs):
        for side, (run, series) in sides.items():
            print(f"{name}: {side}, run {number + 1} of {arguments.runs}", file=sys.stderr)
            series.add(**run(options, SHARES[name]))
    rows = [{"what": side, **{figure: report.number(series.median(figure)) for figure in FIGURES}} for side, (_, series) in sides.items()]
    rows += [
        {"what": f"{side}, from to", **{figure: "-".join(map(report.number, series.spread(figure))) for figure in FIGURES}}
        for side, (_, series) in sides.items()
    ]
    if arguments.peer:
        ours, peers = (series for _, series in sides.values())
        rows.append(
            {"what": "ratio of medians", **{figure: report.number(ours.median(figure) / peers.median(figure)) for figure in FIGURES}}
        )
    report.table(f"{name}: {options.lines:,} lines, {SHARES[name]:.0%} relevant, {options.broker}, {options.compression}", rows)
    return {side: series.values for side, (_, series) in sides.items()}


def single(name, run, options, arguments):
    series = Series()
    for _ in range(arguments.runs):
        series.add(**run(options))
    rows = [
        {
            "what": f"{name}: {figure}",
            "median": report.number(series.median(figure)),
            "from": report.number(series.spread(figure)[0]),
            "to": report.number(series.spread(figure)[1]),
        }
        for figure in series.values
    ]
    report.table(name, rows)
    return series.values


def delay(name, options, arguments):
    seconds = sorted(each for _ in range(arguments.runs) for each in scenarios.delays(options, backlog=BACKLOGS[name]))
    shares = {f"p{share}": seconds[int(len(seconds) * share / 100)] for share in (50, 95, 99)} | {"max": seconds[-1]}
    report.table(
        f"{name} at 500 alerts/s, in milliseconds",
        [{"what": f"{len(seconds)} alerts", **{name: report.number(1000 * value) for name, value in shares.items()}}],
    )
    if arguments.plot:
        path = Path(arguments.plot)
        report.plot_delays(name, seconds, path if name == "delay" else path.with_stem(f"{path.stem}-after-backlog"))
    return shares


def stages(_, options, __):
    measured = [*measure_stages(options)]
    report.table(
        "stages", [{"what": stage.name, "microseconds": report.number(stage.microseconds), "for each": stage.unit} for stage in measured]
    )
    return {stage.name: stage.microseconds for stage in measured}


def scaling(_, options, arguments):
    """How the cost grows: with lines, event IDs and rotated files."""
    rows, results = [], {}
    for what, variant in scenarios.variants(options):
        measured = [variant() for _ in range(arguments.runs)]
        values = {figure: statistics.median(each[figure] for each in measured) for figure in ("seconds", "cpu_seconds", "peak_mib")}
        rows.append({"what": what, **{figure: report.number(value) for figure, value in values.items()}})
        results[what] = values
    report.table("how cost grows", rows)
    return results


def backlog(_, options, arguments):
    """Once: it takes long enough for one run to tell."""
    measured, resident = memory.backlog(options, arguments.backlog_gb)
    rows = [{"what": name, "figure": report.number(value)} for name, value in measured.items()]
    rows += [{"what": f"resident_mib at {share}", "figure": report.number(value)} for share, value in resident.items()]
    report.table(f"backlog of {arguments.backlog_gb:g} GB, 10% relevant, {options.broker}, {options.compression}", rows)
    return measured | {"resident_mib": resident}


def week(_, options, __):
    """Once, like the backlog."""
    days = [*memory.week(options)]
    rows = [{"what": f"day {day['day']}", **{name: report.number(value) for name, value in day.items() if name != "day"}} for day in days]
    growth = {name: days[-1][name] - days[1][name] for name in days[0] if name != "day"}
    rows.append({"what": "growth from day 2 on", **{name: report.number(value) for name, value in growth.items()}})
    report.table(f"week: {options.lines:,} lines a day, 10% relevant, {options.broker}, {options.compression}", rows)
    return {"days": days, "growth": growth}


RUNNERS = {
    "mix": catch_up,
    "relevant": catch_up,
    **dict.fromkeys(BACKLOGS, delay),
    "idle": lambda name, options, arguments: single(name, scenarios.idle, options, arguments),
    "start": lambda name, options, arguments: single(name, scenarios.start_up, options, arguments),
    "stages": stages,
    "scaling": scaling,
    "week": week,
    "backlog": backlog,
}


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measure the real daemon with a real broker, as processes of their own."
    )
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help=f"which of {', '.join(SCENARIOS)} (default: all but the last)")
    parser.add_argument("--lines", type=int, default=200_000, help="lines of the corpus, or of a day of the week (default: 200000)")
    parser.add_argument(
        "--backlog-gb", type=float, default=10, metavar="GB", help="size of the backlog, on the disk of TMPDIR (default: 10)"
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of each but week and backlog (default: 5)")
    parser.add_argument("--broker", choices=["noida", "mock", "tansu"], default="noida", help="which embedded broker (default: noida)")
    parser.add_argument("--compression", choices=["gzip", "zstd", "lz4", "none"], default="gzip", help="of both sides (default: gzip)")
    parser.add_argument("--peer", choices=["rsyslog"], help="measure this one in turn (Debian's packages rsyslog and rsyslog-kafka)")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--plot", metavar="FILE", help="draw the delays as PNG (those after a backlog to a file beside it)")
    arguments = parser.parse_args()
    if unknown := set(arguments.scenario) - set(SCENARIOS):
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    if arguments.peer and Rsyslog.version() is None:
        parser.error("rsyslog is not installed: apt install rsyslog rsyslog-kafka")
    options = scenarios.Options(arguments.broker, arguments.lines, arguments.compression)
    facts = report.machine() | ({"rsyslog": Rsyslog.version()} if arguments.peer else {})
    print(*(f"{name} {value}" for name, value in facts.items()), sep=", ")
    results = {name: RUNNERS[name](name, options, arguments) for name in arguments.scenario or SCENARIOS[:-1]}
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"machine": facts, "options": vars(arguments), "results": results}, indent=2))


if __name__ == "__main__":
    main()
