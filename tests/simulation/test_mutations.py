"""The simulation can find bugs: it finds each of the planted ones."""

import pytest

from simulation.mutations import MUTATIONS, planted
from simulation.simulate import failure_of

SEEDS = 500
FOUND_BY = {
    "older_files_do_not_grow_again": 123,
    "the_current_file_is_not_held": 129,
}
"""The seeds that found those that take many, which are tried first."""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_planted_bug_is_found_within_five_hundred_seeds(mutation, record_property):
    seeds = [*(seed for name, seed in FOUND_BY.items() if name == mutation.__name__), *range(SEEDS)]
    with planted(mutation):
        found = next((seed for seed in seeds if "ViolationError" in (failure_of(seed) or "")), None)
    record_property("seed", found)
    print(f"{mutation.__name__}: found by seed {found}")
    assert found is not None
