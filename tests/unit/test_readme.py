"""The READMEs promise what tests show, so the tests that they name have to be there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
GUARANTEES, KAFKA = (TESTS / "README.md").read_text().split("\n## Apache Kafka\n")


def named_in(text):
    return set(re.findall(r"`(test_\w+)`", text))


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 9_000


def test_every_test_that_a_guarantee_names_is_there():
    defined = {name for path in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}
    assert len(named_in(GUARANTEES)) > 40
    assert named_in(GUARANTEES) - defined == set()


def test_the_readme_of_the_tests_lists_every_test_on_apache_kafka():
    defined = re.findall(r"def (test_\w+)", (TESTS / "faults" / "test_apache_kafka.py").read_text())
    assert sorted(re.findall(r"`(test_\w+)`", KAFKA)) == sorted(defined)
