"""The commands as processes: what they print, where, and their exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.command_line import run_here
from support.corpus import fail2ban_alert, line, windows_alert, write_corpus

pytestmark = pytest.mark.integration


def command(*arguments, stdin=b"", timeout=300):
    return subprocess.run([sys.executable, "-m", "wazuh_dfn", *arguments], input=stdin, capture_output=True, timeout=timeout, check=False)


def test_version_and_help():
    assert command("--version").stdout.strip()
    text = command("--help").stdout.decode()
    assert all(name in text for name in ("run", "transform", "demo"))
    assert "--config" in command("run", "--help").stdout.decode()


def test_the_help_tells_what_each_command_is_for():
    """Each is imported when it is called, or when the help is asked for: only then does the help know more than its name."""
    lines = command().stdout.decode().splitlines()
    for name in ("check", "config", "dead-letters", "demo", "help", "replay", "run", "status", "transform"):
        [about] = [text for text in lines if text.startswith(f"│ {name} ")]
        assert len(about.split()) > 4, about


def test_a_daemon_starts_without_what_only_other_commands_need(tmp_path):
    (tmp_path / "config.toml").write_text("[dfn]\ndfn_broker = 'broker.example.org:1'\n")
    program = """
import sys
from wazuh_dfn import cli
try:
    cli.main(["run", "--config", sys.argv[1]])
except SystemExit as end:
    print(end.code, {name.removeprefix("wazuh_dfn.") for name in sys.modules} & {"ruamel.yaml", "commands.check", "commands.manual", "commands.replay", "resend"})
"""
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "config.toml"], capture_output=True, text=True, check=True)
    assert done.stdout == "2 set()\n", done.stderr


def test_transform_writes_one_record_a_line_for_what_is_relevant():
    done = command("transform", stdin=line(windows_alert(1)) + line({"data": {}}) + line(fail2ban_alert(2)))
    assert done.returncode == 0
    records = [json.loads(text) for text in done.stdout.splitlines()]
    assert [record["event_format"] for record in records] == ["windows-xml", "syslog5424-json"]
    assert b"3 lines: 2 records, 1 not relevant, 0 unreadable" in done.stderr


def test_transform_tells_about_lines_that_it_could_not_read_and_goes_on(tmp_path):
    path = tmp_path / "alerts.json"
    path.write_bytes(b'{"torn\n' + b"x" * 5_000_000 + b"\n" + line(windows_alert(1)))
    done = command("transform", str(path))
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert b"line 1: " in done.stderr
    assert b"line 2: longer than 4 MiB" in done.stderr


def test_transform_counts_a_deep_line_that_nothing_selects_as_not_relevant():
    deep = b'"deep":' + b"[" * 2_000 + b"]" * 2_000
    done = command(
        "transform", stdin=b'{"eventID":"4625",' + deep + b"}\n" + line(windows_alert(1)).rstrip(b"}\n") + b"}}}," + deep + b"}\n"
    )
    assert b"2 lines: 0 records, 1 not relevant, 1 unreadable" in done.stderr
    assert done.returncode == 1


def test_transform_takes_a_torn_line_apart_as_the_daemon_does():
    alert = line(windows_alert(1)).rstrip(b"\n")
    done = command("transform", stdin=alert[:60] + alert + b"\n" + alert + line(fail2ban_alert(2)))
    assert done.returncode == 1
    assert [json.loads(text)["event_format"] for text in done.stdout.splitlines()] == ["windows-xml", "windows-xml", "syslog5424-json"]
    assert done.stderr.count(b"; alerts that stand whole on it were forwarded: 1") == 1
    assert b"4 lines: 3 records, 0 not relevant, 1 unreadable" in done.stderr


def test_transform_selects_other_event_ids_on_request():
    alerts = line(windows_alert(1, "4768")) + line(windows_alert(2, "4625"))
    assert len(command("transform", "--event-id=+4768", "--event-id=-4625", stdin=alerts).stdout.splitlines()) == 1


def test_transform_reads_a_hyphen_as_standard_input_and_tells_when_its_output_can_not_be_written():
    alert = line(windows_alert(1))
    assert command("transform", "-", stdin=alert).stdout == command("transform", stdin=alert).stdout != b""
    with Path("/dev/full").open("wb") as full:
        arguments = [sys.executable, "-m", "wazuh_dfn", "transform"]
        done = subprocess.run(arguments, input=alert, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 1
    assert b"cannot write the output: No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


def test_transform_takes_the_flags_of_the_settings():
    alerts = line(fail2ban_alert(1)) + line(windows_alert(2))
    assert len(command("transform", "--misc-own-network", "203.0.113.0/24", stdin=alerts).stdout.splitlines()) == 1


def test_transform_needs_no_more_memory_for_a_larger_file(tmp_path):
    code = "import resource, runpy, sys; sys.argv = ['wazuh-dfn', 'transform', sys.argv[1]]\ntry: runpy.run_module('wazuh_dfn')\n"
    code += "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    peaks = []
    for count in (100, 60_000):
        path = tmp_path / f"{count}.json"
        write_corpus(path, count)
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=False)
        assert done.returncode == 0
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] < peaks[0] + 5_000, "KiB, for a file of 30 MB"


@pytest.mark.parametrize("arguments", [("run",), ("run", "--config", "/nonexistent.toml"), ("transform", "/nonexistent"), ("nonsense",)])
def test_wrong_usage_is_exit_code_2_and_an_explanation(arguments):
    done = command(*arguments)
    assert done.returncode == 2
    assert done.stderr + done.stdout
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rnu",), 'Unknown command "rnu". Did you mean "run"?'),
        (("run", "--confg", "x"), "Unknown option: --confg. Did you mean --config?"),
        (("run", "/etc/config.toml"), "unknown argument: /etc/config.toml; see --help (a configuration file is given with --config PATH)"),
        (("transform", "--bogus"), "--bogus is not a flag of this command"),
        (("transform", "--event-id", "+4625x"), "--event-id: '+4625x' is no id"),
    ],
)
def test_what_is_mistyped_is_named_in_one_line(arguments, said):
    done = run_here(*arguments)
    assert done.returncode == 2
    [text] = done.stderr.splitlines()
    assert said in text


def test_where_no_configuration_was_named_an_empty_folder_of_dead_letters_may_be_the_wrong_one(tmp_path):
    listed = "dead-letters", "list", "--wazuh-failed-alerts-path", str(tmp_path)
    (tmp_path / "config.toml").touch()
    assert "with --config" in run_here(*listed).stdout
    assert "with --config" not in run_here(*listed, "--config", tmp_path / "config.toml").stdout


def test_all_findings_in_a_configuration_are_told_at_once(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[dfn]\ndfn_broker = "nowhere"\n[kafka]\ntimeot = 5\n')
    done = command("run", "--config", str(path))
    text = done.stderr.decode()
    assert done.returncode == 2
    assert f"{path}:2" in text
    assert f"{path}:4" in text
    assert "kafka.timeout" in text


def test_the_demo_delivers_all_and_says_so():
    done = command("demo", "--seconds", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    text = done.stdout.decode()
    assert all(row in text for row in ("lines read", "relevant", "delivered", "dead-lettered", "time"))
