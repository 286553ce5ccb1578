"""The benchmark runs; what it measures is not judged here."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration


def test_it_measures_a_small_catch_up_and_the_stages_and_writes_the_figures(tmp_path):
    arguments = ["mix", "stages", "--lines", "2000", "--runs", "1", "--json", str(tmp_path / "figures.json")]
    command, environment = [sys.executable, "-m", "bench", *arguments], os.environ | {"PYTHONPATH": "tests"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())["results"]
    assert figures["mix"]["wazuh-dfn"]["records_per_second"][0] > 0
    assert {"scan", "parse", "gzip"} <= set(figures["stages"])
