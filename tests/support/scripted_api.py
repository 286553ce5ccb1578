"""A small HTTP server that answers as the daemon's API is meant to; the test decides what."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.brokers import free_port
from wazuh_dfn.api.app import _page_policy
from wazuh_dfn.health.page import page_html

POLICY = _page_policy(page_html())


class ScriptedApi:
    """Answers `/` with the page and `/health/detailed` with `report`, if the token is right; `status` and `body` override that.

    `stop()` closes the port, `start()` opens the same one again. `asked` has the path of every request.
    """

    def __init__(self, report, *, token=None, tls=None):
        self.report, self.token, self.tls = report, token, tls
        self.status = self.body = None
        self.asked = []
        self.port = free_port()

    def start(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self.port = self._server.server_port
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def answer(self, path, token):
        """Return status, type and body."""
        self.asked.append(path)
        if path == "/":
            return 200, "text/html; charset=utf-8", page_html()
        if path != "/health/detailed":
            return 404, "text/plain", "no such path"
        if self.token and token != f"Bearer {self.token}":
            return 401, "application/json", '{"error": "a bearer token is needed"}'
        if self.status:
            return self.status, "text/plain", self.body or ""
        return 503 if self.report.status == "unhealthy" else 200, "application/json", self.report.model_dump_json()

    def _handler(api):  # noqa: N805 - `self` is the handler here
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, kind, body = api.answer(self.path, self.headers["Authorization"])
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body.encode())))
                if self.path == "/":
                    self.send_header("Content-Security-Policy", POLICY)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        return Handler
