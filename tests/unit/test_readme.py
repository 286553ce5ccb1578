"""The README promises what tests show, so the tests that it names have to be there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_readme_names_is_there():
    defined = {name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "README.md").read_text()))
    assert len(named) > 40
    assert named - defined == set()
