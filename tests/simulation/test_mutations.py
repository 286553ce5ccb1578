"""The simulation can find bugs: it finds each of the planted ones."""

import pytest

from simulation.mutations import MUTATIONS, planted
from simulation.simulate import failure_of

SEEDS = 500


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_planted_bug_is_found_within_five_hundred_seeds(mutation, record_property):
    with planted(mutation):
        found = next((seed for seed in range(SEEDS) if "ViolationError" in (failure_of(seed) or "")), None)
    record_property("seed", found)
    print(f"{mutation.__name__}: found by seed {found}")
    assert found is not None
