"""Runs many seeds of the simulation on all cores; started by scripts/simulate."""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import count, islice

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from simulation.rates import NEW_RATES
from simulation.run import Run

AT_ONCE = 20
"""Seeds that a process runs before it tells of them."""


def failure_of(seed, lines=150, new=None):
    """Run one seed; returns None, or what was violated, how to see it again, and the last events."""
    run = Run(seed, lines, new)
    try:
        run.run()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this seed's result
        events = "\n".join(run.world.events) if run.world is not None else ""
        return f"seed {seed}: {type(error).__name__}: {error}\nreplay: scripts/simulate --seeds 1 --from {seed}\nlast events:\n{events}"
    return None


def failures_of(seeds, new):
    return len(seeds), [failure for seed in seeds if (failure := failure_of(seed, new=new)) is not None]


def portions(first, seeds, hours):
    """Yield portions of seeds until `seeds` are done, or the time is over."""
    end = time.monotonic() + hours * 3600 if hours else None
    numbers = count(first) if end else iter(range(first, first + seeds))
    while (portion := list(islice(numbers, AT_ONCE))) and not (end and time.monotonic() > end):
        yield portion


def run_all(first, seeds, hours, console, new=None):
    """Run all seeds with a progress bar; returns how many were run, and the failures."""
    done, failures, left = 0, [], portions(first, seeds, hours)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with ProcessPoolExecutor() as pool, Progress(*columns, console=console) as progress:
        bar = progress.add_task("seeds", total=None if hours else seeds)
        running = {pool.submit(failures_of, portion, new) for portion in islice(left, 2 * (os.cpu_count() or 1))}
        while running:
            finished = next(as_completed(running))
            running.remove(finished)
            number, found = finished.result()
            done += number
            failures += found
            for failure in found:
                progress.console.print(failure, markup=False, highlight=False)
            progress.update(bar, advance=number, description=f"seeds ({len(failures)} failed)")
            running |= {pool.submit(failures_of, portion, new) for portion in islice(left, 1)}
    return done, failures


def main():
    parser = argparse.ArgumentParser(prog="scripts/simulate", description="Run the real pipeline in simulated worlds, one for each seed.")
    parser.add_argument("--seeds", type=int, default=500, metavar="N", help="how many worlds (default: 500)")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="S", help="the first seed (default: 0)")
    parser.add_argument("--hours", type=float, default=0, metavar="H", help="run for so long, instead of a number of seeds")
    parser.add_argument("--new", nargs="*", choices=sorted(NEW_RATES), metavar="TROUBLE", help="turn on new troubles: these, or all")
    arguments = parser.parse_args()
    new = arguments.new if arguments.new != [] else sorted(NEW_RATES)
    console = Console()
    began = time.monotonic()
    done, failures = run_all(arguments.first, arguments.seeds, arguments.hours, console, new)
    console.print(f"{done} worlds in {time.monotonic() - began:.0f} s, {len(failures)} with a broken promise", highlight=False)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
