"""Access control in front of the routes: allow-list, rate limit, size limit, token, and security headers for browsers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wazuh_dfn.api.clients import client_address, counted_as, is_allowed, is_authorised, is_own_name
from wazuh_dfn.api.rate_limit import RateLimit
from wazuh_dfn.config.daemon_sections import HealthApiSettings

OPEN_PATHS = frozenset({"/"})
"""Paths that need no token. The page contains no data, and asks for the token itself."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def refusal(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error response in the common format."""
    return JSONResponse({"error": text}, status, headers)


class Guard:
    """ASGI middleware that refuses requests which are not allowed."""

    def __init__(self, app: ASGIApp, api: HealthApiSettings) -> None:
        self._app = app
        self._token = api.auth_token
        self._networks = api.networks
        self._limit = RateLimit(api.rate_limit, api.rate_limit_window)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it to the application."""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await (self._refuse(scope) or self._app)(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        return (
            self._refuse_client(scope)
            or self._refuse_name(headers)
            or self._refuse_body(headers)
            or self._refuse_stranger(scope["path"], headers)
        )

    def _refuse_client(self, scope: Scope) -> Response | None:
        host = (scope.get("client") or ("", 0))[0]
        address = client_address(host)
        if address is None or not is_allowed(address, self._networks):
            return refusal(403, f"{host} is not on the allow-list; add it to health.api.allowed_ips and restart the daemon")
        seconds = self._limit.seconds_to_wait(counted_as(address), anyio.current_time())
        if seconds > 0:
            wait = str(math.ceil(seconds))
            return refusal(429, f"too many requests; wait {wait} s, or raise health.api.rate_limit", {"Retry-After": wait})
        return None

    def _refuse_name(self, headers: Headers) -> Response | None:
        """Without a token, accept only local host names.

        This prevents DNS rebinding: a foreign page could resolve its own name to this machine's address and read the API in the browser.
        """
        if self._token is not None or is_own_name(headers.get("host", "")):
            return None
        return refusal(
            403, "without health.api.auth_token this answers only to localhost and loopback addresses; ask for one of these, or set it"
        )

    @staticmethod
    def _refuse_body(headers: Headers) -> Response | None:
        """Refuse a request with a body. The server limits the size of the headers."""
        if "transfer-encoding" not in headers and not headers.get("content-length", "").strip("0"):
            return None
        return refusal(413, "the request has a body; ask with GET and without one", {"Connection": "close"})

    def _refuse_stranger(self, path: str, headers: Headers) -> Response | None:
        if self._token is None or path in OPEN_PATHS or is_authorised(headers.get("authorization", ""), self._token):
            return None
        text = "the token is missing or wrong; send the one of health.api.auth_token as Authorization: Bearer TOKEN"
        return refusal(401, text, {"WWW-Authenticate": "Bearer"})
