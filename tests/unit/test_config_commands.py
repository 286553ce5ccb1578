"""`wazuh-dfn config ...` and the flags of `run`: what they print, where, and their exit codes."""

import json
from typing import NamedTuple

import pytest
import tomlkit

from wazuh_dfn.cli import main
from wazuh_dfn.config.settings import KNOWN_KEYS, variable_name


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


CONFIG = """\
[dfn]
dfn_id = "site-1"
dfn_broker = "localhost:9092"

[kafka]
timeout = 10
retry_interval = 11
producer_config = { max_request_size = 2000000, client_id = "me" }

[health.api]
auth_token = "hunter2hunter2hunter2hunter2"

[misc]
num_workers = 4
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def command(capsys, monkeypatch):
    def run(*arguments, **variables):
        with monkeypatch.context() as patched:
            for key in KNOWN_KEYS:
                patched.delenv(variable_name(key), raising=False)
            for name, value in variables.items():
                patched.setenv(name, value)
            with pytest.raises(SystemExit) as caught:
                main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Done(caught.value.code or 0, printed.out, printed.err)

    return run


def state_in(folder):
    return f"--wazuh-checkpoint-file={folder}/checkpoint.json", f"--wazuh-failed-alerts-path={folder}/dead"


def test_show_tells_each_value_with_its_source_and_masks_secrets(command, config):
    done = command("config", "show", "-c", config, "--log-level", "debug", "--json", KAFKA_TIMEOUT="20")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    rows = {row["key"]: (row["value"], row["source"]) for row in document["settings"]}
    assert rows["kafka.timeout"] == (20, "environment variable KAFKA_TIMEOUT")
    assert rows["kafka.retry_interval"] == (11, f"{config}:7")
    assert rows["kafka.max_request_size"] == (2_000_000, f"{config}:8")
    assert rows["kafka.producer_config"] == ({"client_id": "me"}, f"{config}:8")
    assert rows["log.level"] == ("DEBUG", "flag --log-level")
    assert rows["supervisor.max_restarts"] == (10, "default")
    assert any("kafka.timeout: environment variable KAFKA_TIMEOUT ('20') wins over" in warning for warning in document["warnings"])
    assert "hunter2" not in done.stdout + done.stderr


def test_what_show_prints_is_a_configuration_that_says_the_same(command, config, tmp_path):
    shown = command("config", "show", "-c", config, "--no-log-console-enabled")
    assert "timeout = 10.0  # " in shown.stdout
    assert "console = false  # flag --log-console-enabled" in shown.stdout
    assert "warning: " in shown.stderr
    (tmp_path / "shown.toml").write_text(shown.stdout)
    again = command("config", "show", "-c", tmp_path / "shown.toml")
    assert tomlkit.parse(again.stdout).unwrap() == tomlkit.parse(shown.stdout).unwrap()


def test_print_config_only_is_show_with_or_without_run(command, config):
    shown = command("config", "show", "--config", config).stdout
    assert command("--config", config, "--print-config-only").stdout == shown
    assert command("run", "--print-config-only", "-c", config).stdout == shown


def test_check_is_content_with_what_the_daemon_would_start_with_and_repeats_warnings(command, config, tmp_path):
    done = command("config", "check", "-c", config, *state_in(tmp_path))
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert any(line.startswith(f"warning: {config}:14: misc.num_workers is not needed") for line in lines)
    assert all(line.startswith("warning: ") for line in lines)
    assert command("config", "check", *state_in(tmp_path), DFN_CUSTOMER_ID="a", DFN_BROKER_ADDRESS="[::1]:1").stdout.startswith("ok: ")


def test_check_prints_one_line_for_each_finding_and_exits_with_2(command, config, tmp_path):
    config.write_text(CONFIG.replace("timeout = 10", "timeot = 10\nmax_batch_bytes = -1"))
    done = command("config", "check", "-c", config, "--log-level", "loud")
    assert done.returncode == 2
    assert [line.split(" ")[:2] for line in done.stdout.splitlines()] == [
        ["error:", f"{config}:6:"],
        ["error:", f"{config}:7:"],
        ["error:", "flag"],
    ]


def test_check_looks_at_the_paths_unless_told_not_to(command, config, tmp_path):
    (tmp_path / "file").touch()
    arguments = ("config", "check", "-c", config, "--wazuh-checkpoint-file", tmp_path / "file" / "x" / "checkpoint.json")
    assert command(*arguments, "--skip-path-validation").returncode == 0
    done = command(*arguments)
    assert done.returncode == 2
    assert "error: wazuh.checkpoint_file: " in done.stdout


@pytest.mark.parametrize("file_format", ["toml", "yaml"])
def test_a_sample_comes_from_config_sample_and_from_the_old_flag(command, file_format):
    done = command("config", "sample", "--format", file_format)
    assert done.stdout.startswith("# Sample configuration of wazuh-dfn.")
    assert command("--generate-sample-config", "--output-format", file_format).stdout == done.stdout


def test_convert_writes_the_other_format_once(command, config, tmp_path):
    done = command("config", "convert", config, tmp_path / "config.yaml")
    assert done.returncode == 0, done.stderr
    assert command("config", "show", "-c", tmp_path / "config.yaml", "--kafka-timeout", "1").returncode == 0
    again = command("config", "convert", config, tmp_path / "config.yaml")
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_help_shows_what_is_important_and_help_all_shows_every_flag(command):
    important, everything = command("run", "--help").stdout, command("--help-all").stdout
    assert "--dfn-customer-id" in important
    assert "--supervisor-poison-limit" not in important
    assert "--supervisor-poison-limit" in everything
    assert "--health-event-queue-size" in everything
    assert "--config" in everything


@pytest.mark.parametrize("arguments", [("-v",), ("--version",), ("run", "-v"), ("-c", "x.toml", "-v")])
def test_the_version_is_told(command, arguments):
    done = command(*arguments)
    assert (done.returncode, done.stdout) == (0, command("--version").stdout)


def test_flags_without_a_subcommand_are_those_of_run(command):
    done = command("--kafka-timeot", "5")
    assert done.returncode == 2
    assert "--kafka-timeout" in done.stdout + done.stderr


def test_without_a_file_the_environment_alone_will_do(command, tmp_path):
    done = command("run", "--print-config-only", DFN_CUSTOMER_ID="site-1")
    assert 'dfn_id = "site-1"  # environment variable DFN_CUSTOMER_ID' in done.stdout
    missing = command("run")
    assert missing.returncode == 2
    assert "configuration: dfn.dfn_id: missing" in missing.stderr


def test_variables_of_other_programs_are_none_of_ours(command):
    assert command("config", "show", KAFKA_HOME="/opt/kafka", LOG_DIR="/var/log", HEALTH="x", KAFKA_TIMEOUT=" ").returncode == 0
