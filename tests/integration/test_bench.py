"""The benchmark runs; what it measures is not judged here."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration


def test_it_measures_small_catch_ups_a_small_week_and_the_stages_and_writes_the_figures(tmp_path):
    arguments = ["mix", "stages", "week", "backlog", "--lines", "2000", "--backlog-gb", "0.005", "--runs", "1"]
    arguments += ["--json", str(tmp_path / "figures.json")]
    command, environment = [sys.executable, "-m", "bench", *arguments], os.environ | {"PYTHONPATH": "tests"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())["results"]
    assert figures["mix"]["wazuh-dfn"]["records_per_second"][0] > 0
    assert {"scan", "parse", "gzip"} <= set(figures["stages"])
    assert [day["day"] for day in figures["week"]["days"]] == [*range(1, 8)]
    assert figures["week"]["growth"]["dead_letter_bytes"] < 1_000
    assert figures["backlog"]["resident_mib"].keys() == {"1%", "10%", "25%", "50%", "75%", "100%"}
