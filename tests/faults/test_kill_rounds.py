"""`kill -9` at random moments, with a writer process that rotates and a broker in trouble: nothing is lost. `scripts/kill-rounds` for more."""

import pytest

from support.kill_rounds import run_rounds

pytestmark = pytest.mark.integration


def test_kill_9_at_random_moments_while_files_rotate_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "tests")
    corpus, (lost, repeated), done = run_rounds(6, seed=7, folder=tmp_path)
    assert done["kills"] == 6
    assert min(done["restart"], done["freeze"], done["freeze for a moment"]) > 0
    assert done["lives that settled something"] >= 3
    assert corpus.relevant > 1_000
    assert lost == []
    assert repeated < corpus.relevant / 2
