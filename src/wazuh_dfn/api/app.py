"""The routes. Each answers from one observation."""

from __future__ import annotations

import base64
import hashlib
import re

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from wazuh_dfn.api.guard import Guard, refusal
from wazuh_dfn.api.metrics import exposition
from wazuh_dfn.config.daemon_sections import HealthApiSettings
from wazuh_dfn.health.observe import Observed
from wazuh_dfn.health.page import page_html

PATHS = ("/", "/health", "/health/live", "/health/ready", "/health/detailed", "/metrics")


def make_app(observed: Observed, api: HealthApiSettings) -> Starlette:
    """Return the application. It answers GET and HEAD."""
    page = page_html()
    page_headers = {"Content-Security-Policy": _page_policy(page)}

    async def show_page(_: Request) -> Response:
        return HTMLResponse(page, headers=page_headers)

    async def health(_: Request) -> Response:
        report = await observed.report()
        return _state(report.status, is_good=report.status != "unhealthy")

    async def live(_: Request) -> Response:
        is_alive = (await observed.report()).is_alive
        return _state("alive" if is_alive else "an actor hangs; /health/detailed tells which", is_good=is_alive)

    async def ready(_: Request) -> Response:
        report = await observed.report()
        return _state("ready" if report.is_ready else f"broker {report.delivery.state}", is_good=report.is_ready)

    async def detailed(_: Request) -> Response:
        return Response((await observed.report()).model_dump_json(), media_type="application/json")

    async def metrics(request: Request) -> Response:
        kafka = observed.kafka
        text, content_type = exposition(await observed.report(), kafka.delays, kafka.batches, request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": content_type})

    endpoints = (show_page, health, live, ready, detailed, metrics)
    app = Starlette(
        routes=[Route(path, endpoint) for path, endpoint in zip(PATHS, endpoints, strict=True)],
        middleware=[Middleware(Guard, api=api)],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
    )
    app.router.redirect_slashes = False
    return app


def _state(text: str, *, is_good: bool) -> Response:
    return JSONResponse({"status": text}, 200 if is_good else 503)


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = {404: f"there is no {request.url.path}; ask for one of {', '.join(PATHS)}", 405: "this only tells; ask with GET or HEAD"}
    return refusal(error.status_code, what.get(error.status_code, error.detail), error.headers)


def _fail(_: Request, __: Exception) -> Response:
    return refusal(500, "this is a bug; report it with what the log says")


def _page_policy(page: str) -> str:
    """Return a policy that allows the page's inline script and style, requests to its own origin and `data:` images, and nothing else."""
    script, style = (" ".join(_hashes(page, tag)) or "'none'" for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(page: str, tag: str) -> list[str]:
    found = re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", page, re.DOTALL)
    return [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in found]
