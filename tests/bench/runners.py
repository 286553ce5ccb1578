"""How each scenario is run and reported. A runner takes its name, the subjects and the arguments, and returns its figures.

The subjects map a name to options: the daemon of this checkout, and that of another revision with `--against`.
"""

import statistics
from functools import partial
from pathlib import Path

from bench import memory, report, scenarios
from bench.comparison import compare, in_turn
from bench.profiling import profile
from bench.stages import measure_stages

OURS = "wazuh-dfn"
BACKLOGS = {"delay": 0, "delay-after-backlog": 50_000}
SHARES = {"mix": 0.1, "relevant": 1.0}


def catch_up(name, subjects, arguments):
    """With the peer, if wanted."""
    sides = {side: partial(scenarios.catch_up, options, SHARES[name]) for side, options in subjects.items()}
    if arguments.peer:
        sides[arguments.peer] = partial(scenarios.peer_catch_up, subjects[OURS], SHARES[name])
    title = f"{name}: {arguments.lines:,} lines, {SHARES[name]:.0%} relevant, {_conditions(arguments)}"
    return compare(title, in_turn(name, arguments.runs, sides))


def single(run, name, subjects, arguments):
    """Run what takes nothing but the options."""
    sides = {side: partial(run, options) for side, options in subjects.items()}
    return compare(f"{name}: {_conditions(arguments)}", in_turn(name, arguments.runs, sides))


def delay(name, subjects, arguments):
    """The picture has all runs of this checkout together."""
    taken = {side: [] for side in subjects}

    def run(side):
        seconds = scenarios.delays(subjects[side], BACKLOGS[name])
        taken[side] += seconds
        return scenarios.delay_figures(seconds)

    series = in_turn(name, arguments.runs, {side: partial(run, side) for side in subjects})
    if arguments.plot:
        path = Path(arguments.plot)
        report.plot_delays(name, taken[OURS], path if name == "delay" else path.with_stem(f"{path.stem}-after-backlog"))
    return compare(f"{name} at 500 alerts/s: {_conditions(arguments)}", series)


def stages(_, subjects, __):
    measured = [*measure_stages(subjects[OURS])]
    report.table(
        "stages", [{"what": stage.name, "microseconds": report.number(stage.microseconds), "for each": stage.unit} for stage in measured]
    )
    return {stage.name: stage.microseconds for stage in measured}


def scaling(_, subjects, arguments):
    """How the cost grows: with lines, event IDs and rotated files."""
    rows, results = [], {}
    for what, variant in scenarios.variants(subjects[OURS]):
        measured = [variant() for _ in range(arguments.runs)]
        values = {figure: statistics.median(each[figure] for each in measured) for figure in ("seconds", "cpu_seconds", "peak_mib")}
        rows.append({"what": what, **{figure: report.number(value) for figure, value in values.items()}})
        results[what] = values
    report.table(f"how cost grows: {_conditions(arguments)}", rows)
    return results


def backlog(_, subjects, arguments):
    """Once: it takes long enough for one run to tell."""
    measured, resident = memory.backlog(subjects[OURS], arguments.backlog_gb)
    rows = [{"what": name, "figure": report.number(value)} for name, value in measured.items()]
    rows += [{"what": f"resident_mib at {share}", "figure": report.number(value)} for share, value in resident.items()]
    report.table(f"backlog of {arguments.backlog_gb:g} GB, 10% relevant, {_conditions(arguments)}", rows)
    return measured | {"resident_mib": resident}


def week(_, subjects, arguments):
    """Once, like the backlog."""
    days = [*memory.week(subjects[OURS])]
    rows = [{"what": f"day {day['day']}", **{name: report.number(value) for name, value in day.items() if name != "day"}} for day in days]
    growth = {name: days[-1][name] - days[1][name] for name in days[0] if name != "day"}
    rows.append({"what": "growth from day 2 on", **{name: report.number(value) for name, value in growth.items()}})
    report.table(f"week: {arguments.lines:,} lines a day, 10% relevant, {_conditions(arguments)}", rows)
    return {"days": days, "growth": growth}


def _conditions(arguments):
    return f"{arguments.broker}{' with mutual TLS' if arguments.tls else ''}, {arguments.compression}"


IN_TURN = {
    **dict.fromkeys(SHARES, catch_up),
    **dict.fromkeys(BACKLOGS, delay),
    "idle": partial(single, scenarios.idle),
    "start": partial(single, scenarios.start_up),
    "profile": partial(single, profile),
}
"""Those that take several subjects."""
RUNNERS = {**IN_TURN, "stages": stages, "scaling": scaling, "week": week, "backlog": backlog}
ONLY_IF_NAMED = ("profile", "backlog")
