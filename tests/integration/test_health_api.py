"""The HTTP API of the real daemon: real broker, real TLS, clients that mean well and clients that don't."""

import contextlib
import http.client
import json
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from support.brokers import free_port
from support.certs import make_certificates
from support.command_line import run_here
from support.corpus import line, windows_alert, write_corpus
from support.daemon import TOPIC, Daemon
from support.kafka_read import read_all
from support.scrape import families, full_scrape, types_by_name
from wazuh_dfn.api.connections import MOST_CONNECTIONS
from wazuh_dfn.health.report import HealthReport
from wazuh_dfn.kinds.record import wazuh_time

pytestmark = pytest.mark.integration

MONITORING = Path(__file__).parents[2] / "src" / "wazuh_dfn" / "manual" / "monitoring.md"
TOKEN = "correct-horse-battery-staple"
LINES = 2_000
PATHS = ["/", "/health", "/health/live", "/health/ready", "/health/detailed", "/metrics"]


class Client:
    """Asks the API, each time over a new connection."""

    def __init__(self, port, tls=None, source="127.0.0.1"):
        self.port = port
        self.tls = tls
        self.source = (source, 0)

    def ask(self, path, method="GET", headers=None, body=None):
        """Return status, headers and body."""
        if self.tls is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=self.source)
        else:
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=60, source_address=self.source, context=self.tls)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def status(self, path, **options):
        return self.ask(path, **options)[0]

    def json(self, path, **options):
        return json.loads(self.ask(path, **options)[2])

    def report(self):
        return HealthReport.model_validate(self.json("/health/detailed"))

    def metrics(self):
        """Return the scrape's values by name and labels, and its families."""
        scraped = families(self.ask("/metrics")[2].decode())
        samples = {(sample.name, *sample.labels.values()): sample.value for family in scraped for sample in family.samples}
        return samples, scraped


def fresh_alert(number):
    return line(windows_alert(number) | {"timestamp": wazuh_time(datetime.now().astimezone())})


@pytest.fixture(scope="module")
def broker(shared_broker):
    return shared_broker


@pytest.fixture(scope="module")
def daemon(tmp_path_factory, broker):
    """One that has delivered alerts from long ago, and then one of this moment."""
    api = {"enabled": True, "port": free_port(), "rate_limit": 100_000}
    daemon = Daemon(tmp_path_factory.mktemp("daemon"), broker.bootstrap, health={"api": api, "stats_interval": 1}, log={"level": "DEBUG"})
    write_corpus(daemon.alerts, LINES)
    with daemon:
        daemon.client = Client(api["port"])
        daemon.wait_for_log("health API listens")
        wait_for_lines(daemon, LINES)
        append(daemon, 1)
        yield daemon
        assert daemon.stop() == 0


def wait_for_lines(daemon, lines):
    def are_settled():
        counts = daemon.client.report().counts
        return counts.lines_read == lines and counts.in_flight == 0

    daemon.wait_until(are_settled, what=f"{lines} lines settled")


def cpu_share(daemon):
    """Look for a moment at how busy the daemon is."""
    process = psutil.Process(daemon.process.pid)
    process.cpu_percent()
    time.sleep(0.3)
    return process.cpu_percent() / 100


def append(daemon, number):
    """Write one alert and wait until it is delivered; returns how long that took in seconds."""
    before = daemon.client.report().counts.lines_read
    began = time.monotonic()
    with daemon.alerts.open("ab") as file:
        file.write(fresh_alert(number))
    wait_for_lines(daemon, before + 1)
    return time.monotonic() - began


class TestAnswers:
    @pytest.mark.parametrize("path", PATHS)
    def test_each_path_answers_get_and_head_and_nothing_else(self, daemon, path):
        status, headers, body = daemon.client.ask(path)
        assert (status, len(body)) == (200, int(headers["Content-Length"]))
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
        assert daemon.client.ask(path, "HEAD")[::2] == (200, b"")
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
            status, headers, body = daemon.client.ask(path, method)
            assert (status, set(headers["Allow"].split(", "))) == (405, {"GET", "HEAD"})
            assert "GET or HEAD" in json.loads(body)["error"]

    @pytest.mark.parametrize("path", ["/nothing", "/health/", "//", "/health/../metrics", "/%00", "/health/live/x"])
    def test_any_other_path_says_which_ones_there_are(self, daemon, path):
        status, _, body = daemon.client.ask(path)
        assert status == 404
        assert "/health/detailed" in json.loads(body)["error"]

    def test_a_daemon_that_delivers_is_healthy(self, daemon):
        assert [daemon.client.json(path) for path in PATHS[1:4]] == [{"status": "healthy"}, {"status": "alive"}, {"status": "ready"}]

    def test_the_report_and_the_log_line_tell_the_same(self, daemon):
        report = daemon.client.report()
        counts = report.counts
        assert (report.status, report.problems) == ("healthy", ())
        assert (counts.lines_read, counts.delivered, counts.in_flight) == (LINES + 1, LINES // 10 + 1, 0)
        assert report.reading.read_to == report.reading.acked_through == daemon.alerts.stat().st_size
        assert (report.reading.lag_bytes, report.reading.acked_through_file) == (0, str(daemon.alerts))
        assert {actor.state for actor in report.actors} == {"running"}
        assert {box.name for box in report.mailboxes} <= {actor.name for actor in report.actors}
        assert report.checkpoint.seconds_since_save < 20
        assert report.resident_bytes > 1e7
        daemon.wait_until(lambda: f"lines_read={LINES + 1} " in daemon.log_text(), what="a line with the last alert")
        last = [line for line in daemon.log_text().splitlines() if "event=statistics" in line][-1]
        for field in (f"delivered={counts.delivered} ", f"read_to={report.reading.read_to} ", "lag_bytes=0 ", "producer=connected "):
            assert field in last


class TestMetrics:
    def test_a_scrape_counts_what_was_delivered_and_the_books_balance(self, daemon, broker):
        samples, _ = daemon.client.metrics()
        settled = {outcome: samples["wazuh_dfn_lines_settled_total", outcome] for outcome in ("not_relevant", "delivered", "dead_lettered")}
        records = read_all(broker.bootstrap, TOPIC, expect=int(settled["delivered"]))
        assert settled["delivered"] == len(records) == LINES // 10 + 1
        assert samples["wazuh_dfn_lines_read_total",] == sum(settled.values()) + samples["wazuh_dfn_lines_in_flight",] == LINES + 1
        assert samples["wazuh_dfn_accounting_balanced",] == 1
        assert samples["wazuh_dfn_kafka_batch_seconds_count",] >= 2
        assert samples["wazuh_dfn_actor_up", "kafka"] == 1

    def test_the_delay_runs_from_the_timestamp_of_the_alert(self, daemon):
        samples, _ = daemon.client.metrics()
        assert samples["wazuh_dfn_alert_delay_seconds_count",] == LINES // 10 + 1
        assert samples["wazuh_dfn_alert_delay_seconds_bucket", "60.0"] == 1, "the one that was written while it ran"
        assert samples["wazuh_dfn_alert_delay_seconds_bucket", "604800.0"] == 1, "the others are from long ago"
        assert samples["wazuh_dfn_alert_delay_seconds_sum",] > 604_800 * LINES // 10

    def test_the_manual_names_each_metric_with_its_type(self, daemon):
        _, scraped = daemon.client.metrics()
        told = types_by_name(scraped)
        assert told == types_by_name(full_scrape()), "tests of what uses the metrics do without a daemon"
        rows = re.findall(r"^\| `((?:wazuh_dfn|process)_\w+)(?:\{\w+\})?` \| (\w+) \|", MONITORING.read_text(), re.MULTILINE)
        assert dict(rows) == told
        assert len(rows) == len(told)

    def test_openmetrics_is_spoken_to_those_who_ask_for_it(self, daemon):
        _, headers, body = daemon.client.ask("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert headers["Content-Type"].startswith("application/openmetrics-text")
        assert body.endswith(b"# EOF\n")


class TestBadClients:
    def test_a_body_is_refused(self, daemon):
        for options in ({"body": b"x" * 5_000}, {"body": iter([b"x"]), "headers": {"Transfer-Encoding": "chunked"}}):
            status, _, body = daemon.client.ask("/health", **options)
            assert status == 413
            assert "without" in json.loads(body)["error"]

    @pytest.mark.parametrize(
        ("request_bytes", "status"),
        [
            (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000, b"431"),
            (b"GET /" + b"x" * 20_000, b"431"),
            (b"GET / HTTP/1.1\r\nno header\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\n\r\n", b"400"),
            (b"\x16\x03\x01\x00\x05hello\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        ],
    )
    def test_what_is_no_request_or_a_huge_one_is_refused(self, daemon, request_bytes, status):
        with socket.create_connection(("127.0.0.1", daemon.client.port), timeout=10) as connection:
            connection.sendall(request_bytes)
            assert connection.recv(100).split()[1] == status
        assert daemon.client.status("/health") == 200

    def test_a_page_of_somebody_else_can_not_read_it_by_a_name_of_its_own(self, daemon):
        status, _, body = daemon.client.ask("/health/detailed", headers={"Host": "evil.example.org:8080"})
        assert status == 403
        assert "health.api.auth_token" in json.loads(body)["error"]

    def test_a_websocket_is_refused(self, daemon):
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        assert daemon.client.status("/health", headers=upgrade) == 403

    def test_no_client_gets_http2_where_the_limits_do_not_hold(self, daemon):
        upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
        assert daemon.client.ask("/health", headers=upgrade)[::2] == (200, b'{"status":"healthy"}')
        with socket.create_connection(("127.0.0.1", daemon.client.port), timeout=10) as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
            assert connection.recv(100).startswith(b"HTTP/1.1 40")

    def test_when_files_run_out_it_listens_again_later_and_no_actor_fails(self, daemon):
        process = psutil.Process(daemon.process.pid)
        limits = process.rlimit(psutil.RLIMIT_NOFILE)
        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + 4, limits[1]))
        try:
            with contextlib.ExitStack() as stack, contextlib.suppress(ConnectionRefusedError):
                for _ in range(20):
                    stack.enter_context(socket.create_connection(("127.0.0.1", daemon.client.port)))
                daemon.wait_for_log("LimitNOFILE")
        finally:
            process.rlimit(psutil.RLIMIT_NOFILE, limits)
        daemon.wait_until(lambda: daemon.log_text().count("health API listens") == 2, what="listening again")
        daemon.wait_until(lambda: daemon.client.json("/health") == {"status": "healthy"}, what="healthy again")

    def test_clients_that_dawdle_take_all_connections_and_delivery_does_not_notice(self, daemon):
        delivered = daemon.client.report().counts.delivered
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(socket.create_connection(("127.0.0.1", daemon.client.port))) for _ in range(MOST_CONNECTIONS + 20)]
            for connection in slow[:MOST_CONNECTIONS]:
                connection.sendall(b"GET /health HTT")
            refused = slow[MOST_CONNECTIONS:]
            assert [connection.recv(1) for connection in refused] == 20 * [b""], (
                "there is a limit, so that no descriptors are missing elsewhere"
            )
            assert select.select(slow[:MOST_CONNECTIONS], [], [], 0)[0] == [], "the others are not closed as soon"
            with daemon.alerts.open("ab") as file:
                file.write(fresh_alert(2))
            daemon.wait_until(lambda: f"delivered={delivered + 1} " in daemon.log_text(), what="the alert in the statistics")
            assert slow[0].recv(1) == b"", "they are not waited for any longer"
        assert daemon.client.status("/health") == 200


def test_a_broker_that_goes_away_makes_it_unready_and_its_return_ready_again(daemon, broker):
    broker.stop()
    with daemon.alerts.open("ab") as file:
        file.write(fresh_alert(3))
    daemon.wait_until(lambda: daemon.client.status("/health/ready") == 503, what="not ready")
    assert (daemon.client.status("/health"), daemon.client.json("/health")) == (503, {"status": "unhealthy"})
    assert daemon.client.status("/health/live") == 200
    report = daemon.client.report()
    (problem,) = (problem for problem in report.problems if "broker" in problem)
    assert "alerts wait in the file" in problem
    assert "wazuh-dfn check" in problem
    assert (report.delivery.state, report.counts.in_flight) == ("unavailable", 1)
    samples, _ = daemon.client.metrics()
    assert samples["wazuh_dfn_kafka_connected",] == samples["wazuh_dfn_health_status", "healthy"] == 0
    broker.start()
    daemon.wait_until(lambda: daemon.client.status("/health/ready") == 200, what="ready again")
    daemon.wait_until(lambda: daemon.client.json("/health") == {"status": "healthy"}, what="healthy again")


def test_an_alert_file_that_is_removed_for_longer_is_told_until_there_is_one_again(daemon):
    lines = daemon.client.report().counts.lines_read
    daemon.alerts.unlink()
    daemon.wait_until(lambda: daemon.client.report().status == "degraded", what="degraded")
    (problem,) = daemon.client.report().problems
    assert problem.startswith(f"Reading: {daemon.alerts} does not exist; check that Wazuh is running")
    daemon.alerts.write_bytes(fresh_alert(6))
    wait_for_lines(daemon, lines + 1)
    assert daemon.client.report().status == "healthy"


def test_a_dead_letter_that_can_not_be_written_makes_it_unhealthy_until_it_can(daemon):
    lines = daemon.client.report().counts.lines_read
    daemon.dead_letters.write_text("in the way of the folder")
    with daemon.alerts.open("ab") as file:
        file.write(b'{"torn": "4625"\n' + fresh_alert(5))
    daemon.wait_until(lambda: daemon.client.status("/health") == 503, what="unhealthy")
    (problem,) = daemon.client.report().problems
    assert f"delivery waits: [Errno 17] File exists: '{daemon.dead_letters}'" in problem
    assert "wazuh.failed_alerts_path" in problem
    daemon.dead_letters.unlink()
    wait_for_lines(daemon, lines + 2)
    assert daemon.client.report().counts.dead_lettered == 1
    assert daemon.client.status("/health") == 200


def test_removed_dead_letters_make_it_degraded_over_restarts_until_the_operator_has_looked(tmp_path, broker):
    broker.create_topic("removed")
    api = {"enabled": True, "port": free_port(), "rate_limit": 100_000}
    daemon = Daemon(tmp_path, broker.bootstrap, dfn={"dfn_id": "removed"}, wazuh={"max_failed_files": 2}, health={"api": api})
    client = Client(api["port"])
    daemon.alerts.write_bytes(b"garbage\n" * 5 + b'{"eventID":"4625"\n')

    def wait_until_listening(start):
        daemon.wait_until(lambda: daemon.log_text().count("health API listens") == start, what="listening")
        daemon.wait_until(lambda: client.report().is_ready and client.report().dead_letters.kept, what="ready")

    for start in (1, 2):
        with daemon:
            wait_until_listening(start)
            report = client.report()
            letters = report.dead_letters
            assert (letters.kept, letters.removed, letters.unseen) == ({"junk": 2, "malformed": 1}, {"junk": 3}, {"junk": 3})
            assert (report.status, "3 dead letters (3 junk) were removed since" in report.problems[0]) == ("degraded", True)
            samples, _ = client.metrics()
            assert samples["wazuh_dfn_dead_letters_removed_total", "junk"] == 3
            assert samples["wazuh_dfn_dead_letters", "malformed"] == 1
            assert daemon.stop() == 0
    with daemon:
        wait_until_listening(3)
        assert "3 dead letters" in run_here("dead-letters", "list", "--config", daemon.config).stdout
        daemon.wait_until(lambda: client.report().status == "healthy", what="healthy")
        assert client.report().dead_letters.removed == {"junk": 3}
        assert daemon.stop() == 0


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, certificates):
    """One for strangers: HTTPS, at last with the right key, and a token. Its broker does not exist, and the API is there all the same."""
    api = {
        "enabled": True,
        "host": "0.0.0.0",
        "port": free_port(),
        "auth_token": TOKEN,
        "allowed_ips": ["127.0.0.1", "127.0.0.8/30"],
        "rate_limit": 20,
        "https_enabled": True,
    }
    folder = tmp_path_factory.mktemp("guarded")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    shutil.copyfile(certificates.server.certificate, certificate)
    shutil.copyfile(certificates.client.key, key)
    files = {"cert_file": str(certificate), "key_file": str(key)}
    daemon = Daemon(folder, f"127.0.0.1:{free_port()}", health={"api": {**api, **files}})
    daemon.certificate, daemon.key = certificate, key
    daemon.alerts.touch()
    with daemon:
        daemon.wait_for_log(f"health.api.key_file = {key}: it is not the key of the certificate")
        shutil.copyfile(certificates.server.key, key)
        daemon.client = Client(api["port"], ssl.create_default_context(cafile=str(certificates.ca)))
        daemon.wait_for_log("health API listens")
        yield daemon
        assert daemon.stop() == 0
        assert TOKEN not in daemon.log_text()


class TestGuarded:
    def test_without_the_token_only_the_page_is_shown(self, guarded):
        for path in PATHS[1:]:
            status, headers, body = guarded.client.ask(path, headers={"Authorization": f"Bearer {TOKEN}x"})
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
            assert "health.api.auth_token" in json.loads(body)["error"]
        assert guarded.client.status("/") == 200
        assert guarded.client.status("/nothing") == 401, "strangers learn nothing"

    def test_with_the_token_it_answers_before_the_broker_was_ever_reached(self, guarded):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert guarded.client.status("/health/live", headers=headers) == 200
        assert guarded.client.status("/health/ready", headers=headers) == 503

    def test_a_client_that_is_not_on_the_allow_list_is_told_so(self, guarded):
        client = Client(guarded.client.port, guarded.client.tls, source="127.0.0.2")
        status, _, body = client.ask("/", headers={"Authorization": f"Bearer {TOKEN}"})
        assert status == 403
        assert "127.0.0.2" in json.loads(body)["error"]
        assert "health.api.allowed_ips" in json.loads(body)["error"]

    def test_strangers_do_not_take_the_connections_of_those_on_the_allow_list(self, guarded):
        with contextlib.ExitStack() as stack:
            for _ in range(MOST_CONNECTIONS + 20):
                stack.enter_context(socket.create_connection(("127.0.0.1", guarded.client.port), source_address=("127.0.0.2", 0)))
            assert guarded.client.status("/") == 200

    def test_a_client_that_asks_too_often_is_told_when_to_come_back_and_others_are_answered(self, guarded):
        client = Client(guarded.client.port, guarded.client.tls, source="127.0.0.9")
        allowed = 0
        while (answer := client.ask("/", headers={"Authorization": f"Bearer {TOKEN}"}))[0] == 200:
            allowed += 1
        status, headers, body = answer
        assert (status, allowed >= 20) == (429, True), "more than 20 if the next minute begins meanwhile"
        assert 1 <= int(headers["Retry-After"]) <= 60
        assert "health.api.rate_limit" in json.loads(body)["error"]
        assert guarded.client.status("/") == 200

    def test_neither_http_nor_mistrust_nor_a_hang_up_ends_it(self, guarded):
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            Client(guarded.client.port).ask("/")
        with pytest.raises(ssl.SSLCertVerificationError):
            Client(guarded.client.port, ssl.create_default_context()).ask("/")
        socket.create_connection(("127.0.0.1", guarded.client.port)).close()
        assert guarded.client.status("/") == 200

    def test_a_reload_shows_the_renewed_certificate_and_keeps_the_former_one_while_its_files_do_not_fit(
        self, guarded, certificates, tmp_path
    ):
        renewed = make_certificates(tmp_path)
        former, new = (
            Client(guarded.client.port, ssl.create_default_context(cafile=str(ca)), source="127.0.0.10")
            for ca in (certificates.ca, renewed.ca)
        )
        shutil.copyfile(renewed.server.certificate, guarded.certificate)
        guarded.process.send_signal(signal.SIGHUP)
        guarded.wait_for_log("health API keeps its previous certificate")
        assert former.status("/") == 200
        shutil.copyfile(renewed.server.key, guarded.key)
        guarded.process.send_signal(signal.SIGHUP)
        guarded.wait_for_log("health API certificate reloaded")
        assert new.status("/") == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            former.ask("/")


def test_a_daemon_without_the_api_does_not_load_its_libraries():
    program = "import sys, wazuh_dfn.cli, wazuh_dfn.daemon.run_daemon; print({'starlette', 'anycorn', 'prometheus_client', 'wazuh_dfn.api'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_port_in_use_is_told_once_and_waited_for_and_a_client_that_does_not_read_holds_up_no_stop(tmp_path, broker):
    with socket.create_server(("127.0.0.1", 0)) as other:
        api = {"enabled": True, "port": other.getsockname()[1], "rate_limit": 100_000}
        daemon = Daemon(tmp_path, broker.bootstrap, health={"api": api}, log={"level": "DEBUG"}, wazuh={"start_at": "beginning"})
        daemon.alerts.write_bytes(fresh_alert(4))
        with daemon:
            daemon.client = Client(api["port"])
            daemon.wait_for_log("health API cannot listen")
            daemon.wait_until(daemon.checkpoint.exists, what="a checkpoint, without the API")
            time.sleep(1.5)
            assert daemon.log_text().count("cannot listen") == 1
            assert "health.api.port" in daemon.log_text()
            other.close()
            daemon.wait_for_log("health API listens")
            wait_for_lines(daemon, 1)
            with socket.socket() as greedy:
                greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                greedy.connect(("127.0.0.1", api["port"]))
                greedy.settimeout(0)
                with contextlib.suppress(BlockingIOError):
                    for _ in range(200_000):
                        greedy.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                daemon.wait_until(lambda: cpu_share(daemon) < 0.1, what="the daemon is stuck in an answer that nobody reads")
                began = time.monotonic()
                assert daemon.stop() == 0
                assert time.monotonic() - began < 15, "seconds, below the shutdown_timeout"
        assert "Traceback" not in daemon.log_text()
