"""The README promises what tests show, so the tests that it names have to be there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_readme_names_is_there():
    defined = {name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "README.md").read_text()))
    assert len(named) > 40
    assert named - defined == set()


def test_the_readme_of_the_tests_lists_every_test_on_apache_kafka():
    tests = ROOT / "tests"
    defined = re.findall(r"def (test_\w+)", (tests / "faults" / "test_apache_kafka.py").read_text())
    assert sorted(re.findall(r"`(test_\w+)`", (tests / "README.md").read_text())) == sorted(defined)
