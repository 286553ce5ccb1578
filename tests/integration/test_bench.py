"""The benchmark runs; what it measures is not judged here."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from bench import comparison, revision
from support.kafka_jars import KafkaNotAvailableError, cache_folder, jars, java

pytestmark = pytest.mark.integration
SEARCHED = os.pathsep.join(str(revision.ROOT / name) for name in ("tests", "src"))
IS_REPOSITORY = revision.present() != "unknown"
in_a_repository = pytest.mark.skipif(not IS_REPOSITORY, reason="needs git, and a checkout")


class Bench:
    """`scripts/bench` without its setup. Temporary files are below `temporary`."""

    def __init__(self, folder):
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.figures = folder / "figures.json"

    @contextmanager
    def start(self, *arguments, **environment):
        with subprocess.Popen(
            [sys.executable, "-m", "bench", *arguments, "--runs", "1", "--json", str(self.figures)],
            env=os.environ | {"PYTHONPATH": SEARCHED, "TMPDIR": str(self.temporary)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def fail(self, *arguments, **environment):
        """Return what it says on the standard error when it fails."""
        with self.start(*arguments, **environment) as process:
            said = process.communicate(timeout=60)[1]
        assert process.returncode > 0
        return said

    def measure(self, *arguments):
        """Return the results."""
        with self.start(*arguments) as process:
            said = process.communicate(timeout=600)[1]
        assert process.returncode == 0, said
        assert [*self.temporary.iterdir()] == []
        return json.loads(self.figures.read_text())["results"]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.fixture
def apache_kafka():
    """Skip where it cannot run, and wait until no other test runs it, as memory is limited."""
    try:
        java(), jars()
    except KafkaNotAvailableError as error:
        if os.environ.get("WAZUH_DFN_REQUIRE_KAFKA"):
            pytest.fail(f"Apache Kafka is required here: {error}")
        pytest.skip(str(error))
    with (cache_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_it_measures_small_catch_ups_a_small_week_and_the_stages_and_writes_the_figures(bench):
    figures = bench.measure("mix", "stages", "week", "backlog", "profile", "--lines", "2000", "--backlog-gb", "0.005")
    assert figures["mix"]["wazuh-dfn"]["records_per_second"][0] > 0
    assert {"scan", "parse", "gzip"} <= set(figures["stages"])
    assert [day["day"] for day in figures["week"]["days"]] == [*range(1, 8)]
    assert figures["week"]["growth"]["dead_letter_bytes"] < 1_000
    assert figures["backlog"]["resident_mib"].keys() == {"1%", "10%", "25%", "50%", "75%", "100%"}
    assert figures["profile"]["wazuh-dfn"]["daemon"][0] > 0


@pytest.mark.apache_kafka
@pytest.mark.usefixtures("apache_kafka")
def test_it_measures_on_apache_kafka_with_mutual_tls_each_run_with_a_topic_of_its_own(bench):
    figures = bench.measure("mix", "profile", "--lines", "1000", "--broker", "kafka", "--tls")
    assert figures["mix"]["wazuh-dfn"]["records_per_second"][0] > 0
    seconds = {part: runs[0] for part, runs in figures["profile"]["wazuh-dfn"].items()}
    assert seconds["tls_openssl"] > seconds["sockets"] / 10, "nothing was encrypted"


@in_a_repository
def test_it_measures_two_revisions_in_turn_and_prints_ratios(bench):
    start = bench.measure("start", "--against", "HEAD")["start"]
    assert start.keys() == {"wazuh-dfn", "rev HEAD", "ratios"}
    assert start["ratios"]["rev HEAD"]["seconds"]["ratio"] == start["wazuh-dfn"]["seconds"][0] / start["rev HEAD"]["seconds"][0]


@in_a_repository
def test_what_it_unpacked_is_removed_after_ctrl_c_too(bench):
    with bench.start("idle", "--against", "HEAD") as process:
        end = time.monotonic() + 60
        while not [*bench.temporary.glob("*/state/checkpoint.json")] and time.monotonic() < end:
            time.sleep(0.05)
        assert [*bench.temporary.glob("bench-against-*/src/wazuh_dfn/cli.py")] != []
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert [*bench.temporary.iterdir()] == []


def test_the_code_of_a_revision_is_that_of_its_commit_and_other_dependencies_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(revision, "ROOT", tmp_path)
    package = tmp_path / "src" / "wazuh_dfn" / "__init__.py"
    package.parent.mkdir(parents=True)
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for text in ("former", "later"):
        package.write_text(f"'''{text}'''")
        (tmp_path / "pdm.lock").write_text(text)
        subprocess.run(["git", "-C", tmp_path, "add", "."], check=True)
        subprocess.run(["git", "-C", tmp_path, *identity, "commit", "-q", "-m", text], check=True)
    with revision.checked_out("HEAD~1") as former, revision.checked_out("HEAD") as later:
        assert "former" in (former.source / "wazuh_dfn" / "__init__.py").read_text()
        assert (former.same_dependencies, later.same_dependencies) == (False, True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--tls"], "--tls needs --broker kafka"),
        (["--against", "HEAD", "mix", "week", "stages"], "--against does not apply to stages, week; it applies to mix,"),
        (["nonsense"], "there is no scenario nonsense"),
        pytest.param(["--against", "nonsense"], "--against nonsense: fatal: bad revision 'nonsense'", marks=in_a_repository),
    ],
)
def test_a_wrong_usage_is_explained(bench, arguments, reason):
    assert reason in bench.fail(*arguments)


def test_without_java_one_line_says_what_to_install(bench):
    [line] = bench.fail("start", "--broker", "kafka", PATH="", JAVA_HOME="").splitlines()
    assert "apt install openjdk-17-jre-headless" in line


@pytest.mark.parametrize(("ours", "theirs", "rank"), [(5, 5, 3), (5, 8, 7), (10, 10, 24), (20, 20, 128)])
def test_the_interval_of_a_ratio_is_that_of_the_tables_by_mann_and_whitney(ours, theirs, rank):
    assert comparison.interval_rank(ours, theirs) == rank


def test_a_ratio_is_beyond_the_noise_when_hardly_any_run_contradicts_it():
    fast, slow = [1.0, 1.1, 1.2, 1.3, 1.4], [1.35, 1.5, 1.6, 1.7, 1.8]
    assert comparison.ratio(fast, slow)["within_noise"] is False
    assert comparison.ratio(fast, fast) == {
        "ratio": 1.0,
        "low": pytest.approx(1.1 / 1.4),
        "high": pytest.approx(1.4 / 1.1),
        "within_noise": True,
    }
    assert "low" not in comparison.ratio(fast[:4], slow)
    assert comparison.ratio([0.0], [1.0]) is None
