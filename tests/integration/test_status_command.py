"""`wazuh-dfn status` against a scripted API over real connections, plain and with TLS."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
import tomlkit

from support.certs import make_certificates
from support.command_line import run_here
from support.health_reports import healthy, unhealthy
from support.scripted_api import ScriptedApi

pytestmark = pytest.mark.integration

TOKEN = "let-me-in"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certs"), host="api.example.org")


@pytest.fixture
def api():
    with ScriptedApi(healthy()) as server:
        yield server


@pytest.fixture
def configured(tmp_path):
    """Return a function that writes a configuration with these keys of `health.api`, and returns its path."""

    def write(**keys):
        path = tmp_path / "config.toml"
        path.write_text(tomlkit.dumps({"health": {"api": {"enabled": True, **keys}}}))
        return path

    return write


@contextlib.contextmanager
def running(*arguments, **streams):
    process = subprocess.Popen([sys.executable, "-m", "wazuh_dfn", "status", *map(str, arguments)], **streams)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_healthy_daemon_is_shown_and_the_exit_code_is_0(api, configured):
    done = run_here("status", "--config", configured(port=api.port))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("HEALTHY  wazuh-dfn 1.0.0")
    assert api.asked == ["/health/detailed"]


def test_a_configuration_without_an_ending_is_read_as_run_reads_it(api, configured):
    file = configured(port=api.port)
    path = file.rename(file.with_suffix(""))
    assert run_here("status", "--config", path, "--config-format", "toml").returncode == 0


def test_an_unhealthy_daemon_is_shown_although_it_answers_503_and_the_exit_code_is_1(api):
    api.report = unhealthy()
    done = run_here("status", "--url", api.url)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("UNHEALTHY")
    api.report = healthy(status="degraded")
    assert run_here("status", "--url", api.url).returncode == 1


def test_json_is_the_report_as_it_is(api):
    done = run_here("status", "--json", "--url", f"{api.url}/health/detailed")
    assert done.returncode == 0
    assert done.stdout == api.report.model_dump_json() + "\n"


def test_the_token_comes_from_the_configuration_a_variable_or_a_flag(api, configured, monkeypatch):
    api.token = TOKEN
    assert run_here("status", "--config", configured(port=api.port, auth_token=TOKEN)).returncode == 0
    assert run_here("status", "--url", api.url, "--token", TOKEN).returncode == 0
    wrong = run_here("status", "--config", configured(port=api.port, auth_token="wrong"))
    assert (wrong.returncode, wrong.stdout) == (3, "")
    assert "health.api.auth_token" in wrong.stderr
    monkeypatch.setenv("HEALTH_API_AUTH_TOKEN", TOKEN)
    assert run_here("status", "--url", api.url).returncode == 0


def test_a_disabled_api_is_told_with_the_key_that_enables_it(configured):
    for arguments in (["--config", configured(enabled=False)], []):
        done = run_here("status", *arguments)
        assert done.returncode == 3
        assert "health.api.enabled = true" in done.stderr


@pytest.mark.parametrize(
    ("status", "told"),
    [(403, "health.api.allowed_ips"), (429, "health.api.rate_limit"), (404, "HTTP status 404"), (200, "did not return a health report")],
)
def test_other_answers_are_told_with_what_to_do(api, status, told):
    api.status, api.body = status, '{"status": "fine"}'
    done = run_here("status", "--url", api.url)
    assert (done.returncode, done.stdout) == (3, "")
    assert told in done.stderr


def test_nobody_listens(api):
    api.stop()
    try:
        done = run_here("status", "--url", api.url)
    finally:
        api.start()
    assert done.returncode == 3
    assert "Connection refused" in done.stderr
    assert "check that the daemon is running" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--url", "ftp://localhost"], ["--url", "localhost:8080"], ["--url", "http://[::1"], ["--interval", "0.1"], ["--token", "a\nb"]],
)
def test_a_mistake_on_the_command_line_is_exit_code_2(arguments):
    assert run_here("status", *arguments).returncode == 2


def test_tls_trusts_the_configured_certificate_alone_whatever_its_name(certificates, configured):
    def keys(pair, port):
        return {"port": port, "https_enabled": True, "cert_file": str(pair.certificate), "key_file": str(pair.key)}

    with ScriptedApi(healthy(), tls=certificates.server_context(verify_client=False)) as api:
        assert run_here("status", "--config", configured(**keys(certificates.server, api.port))).returncode == 0
        other = run_here("status", "--config", configured(**keys(certificates.client, api.port)))
        assert other.returncode == 3
        assert "health.api.cert_file" in other.stderr
        for file, told in (("/nonexistent", "No such file"), (str(certificates.server.key), "does not contain a certificate")):
            done = run_here("status", "--config", configured(**keys(certificates.server, api.port) | {"cert_file": file}))
            assert (done.returncode, done.stdout) == (3, "")
            assert told in done.stderr


def test_tls_by_url_checks_the_authority_and_the_name(certificates, tmp_path):
    local = make_certificates(tmp_path / "local", host="127.0.0.1")
    with ScriptedApi(healthy(), tls=local.server_context(verify_client=False)) as api:
        assert run_here("status", "--url", api.url, "--ca", local.ca).returncode == 0
        assert "--ca" in run_here("status", "--url", api.url).stderr
        assert "does not contain a certificate" in run_here("status", "--url", api.url, "--ca", local.server.key).stderr
        assert "https_enabled" in run_here("status", "--url", api.url.replace("https", "http")).stderr
    with ScriptedApi(healthy(), tls=local.server_context(local.expired_server, verify_client=False)) as api:
        assert "expired" in run_here("status", "--url", api.url, "--ca", local.ca).stderr
    with ScriptedApi(healthy(), tls=certificates.server_context(verify_client=False)) as api:
        assert "mismatch" in run_here("status", "--url", api.url, "--ca", certificates.ca).stderr


def test_watch_without_a_terminal_writes_a_line_each_time_goes_on_while_the_daemon_is_away_and_ends_at_ctrl_c(api):
    with running("--watch", "--interval", 0.5, "--url", api.url, stdout=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        assert "status=healthy lines_read=1234567" in first
        assert "per_second" not in first
        counts = api.report.counts.model_copy(update={"lines_read": api.report.counts.lines_read + 100})
        api.report = api.report.model_copy(update={"counts": counts, "uptime_seconds": api.report.uptime_seconds + 2})
        assert any("lines_per_second=50.0" in process.stdout.readline() for _ in range(20)), "it may have asked once more before"
        api.stop()
        try:
            while "status=unknown" not in (line := process.stdout.readline()):
                assert "status=healthy" in line
        finally:
            api.start()
        while "status=healthy" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_watch_on_a_terminal_refreshes_in_place_until_ctrl_c(api):
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    shown = b""

    def wait_for(text):
        nonlocal shown
        end = time.monotonic() + 60
        while text not in shown and time.monotonic() < end:
            shown += os.read(ours, 65536)
        assert text in shown

    with running("--watch", "--interval", 0.5, "--url", api.url, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        wait_for(b"HEALTHY")
        api.status = 500
        wait_for(b"UNKNOWN")
        assert b"\x1b[1A" in shown, "the cursor goes up"
        wait_for(b" s old.")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 3
        wait_for(b"\x1b[?25h")
    os.close(ours)


def test_watch_as_json_is_a_document_a_line(api):
    with running("--watch", "--json", "--interval", 0.5, "--url", api.url, stdout=subprocess.PIPE, text=True) as process:
        documents = [json.loads(process.stdout.readline()) for _ in range(2)]
    assert [document["status"] for document in documents] == ["healthy", "healthy"]
