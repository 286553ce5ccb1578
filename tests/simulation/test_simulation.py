"""Five hundred simulated worlds; `scripts/simulate` runs as many as you like."""

import subprocess
import sys
from contextlib import suppress

import pytest

from simulation.rates import NEW_RATES
from simulation.run import Run
from simulation.simulate import failure_of
from simulation.world import ViolationError

SEEDS = 500
PORTION = 25


@pytest.mark.parametrize("first", range(0, SEEDS, PORTION))
def test_no_promise_is_broken_in_any_world(first):
    failures = [failure for seed in range(first, first + PORTION) if (failure := failure_of(seed)) is not None]
    assert not failures, "\n\n".join(failures)


def trace_of(seed, hash_seed):
    code = f"from simulation.run import Run; run = Run({seed}); run.run(); print(run.world.fingerprint, *run.world.events, sep='\\n')"
    environment = {"PYTHONPATH": "tests", "PYTHONHASHSEED": hash_seed}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("seed", [1, 6])
def test_a_seed_replays_its_run_exactly_even_in_another_process(seed):
    assert trace_of(seed, "1") == trace_of(seed, "2") != ""


def test_worlds_are_full_of_trouble():
    troubles = [
        *(what for what in NEW_RATES if what not in {"other_names", "other_compression", "line_near_limit", "device_change"}),
        *("nameless, held open", "nameless, not open", "gzip grows", "back to an older file", "monitord overwrites"),
        *(
            "shorter than what was read",
            "NULs after a power cut",
            "device changes",
            "inodes change",
            "line near the limit",
            "compressed to .xz",
        ),
        *(
            "compressed to .bz2",
            "rotated to alerts.1.json",
            "rotated to alerts-2026",
            "rotated to alerts.json-2026",
            "rotated to alerts.json_",
        ),
        "crash of",
        "kill -9",
        "power cut",
        "roll",
        "next_day",
        "copytruncate",
        "ENOSPC",
        "answer_lost",
        "killed at",
        "hangs",
        "clock",
    ]
    for seed in range(1, 300):
        run = Run(seed, new=NEW_RATES)
        with suppress(ViolationError):
            run.run()
        troubles = [trouble for trouble in troubles if not any(trouble in kind for kind in run.world.kinds)]
        if not troubles:
            break
    assert troubles == []
