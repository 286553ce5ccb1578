"""One request for the health report, with a remedy for each kind of failure."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from pydantic import ValidationError

from wazuh_dfn.errors import NoReportError
from wazuh_dfn.health.report import HealthReport
from wazuh_dfn.status.address import ApiAddress

PATIENCE = 5.0
"""Maximum time in seconds for connecting, and for each part of the response."""

_LONGEST = 64 * 1024 * 1024
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_RUNNING = "check that the daemon is running (systemctl status wazuh-dfn) with health.api.enabled = true"
_REFUSALS = {
    HTTPStatus.UNAUTHORIZED: "refused the token; the token is health.api.auth_token: pass the daemon's configuration with --config, "
    "or set the environment variable HEALTH_API_AUTH_TOKEN",
    HTTPStatus.FORBIDDEN: "refuses requests from this machine; add its address to health.api.allowed_ips",
    HTTPStatus.TOO_MANY_REQUESTS: "received too many requests; wait a moment, or raise health.api.rate_limit",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A report, and the JSON document it was parsed from."""

    report: HealthReport
    document: bytes


def ask(address: ApiAddress) -> Answer:
    """Fetch the report.

    Raises:
        NoReportError: The report is not available. The text says why, and what to do.
    """
    status, document = _get(address)
    if status in _REFUSALS:
        raise NoReportError(f"{address.url} {_REFUSALS[status]}")
    try:
        return Answer(HealthReport.model_validate_json(document), document)
    except ValidationError as error:
        text = f"{address.url} did not return a health report (HTTP status {status.value}); check that it is the address of wazuh-dfn, and of the same version"
        raise NoReportError(text) from error


def _get(address: ApiAddress) -> tuple[HTTPStatus, bytes]:
    parts = urlsplit(address.url)
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {address.token}"} if address.token else {})
    host = str(parts.hostname)
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=PATIENCE, context=_tls_context(address)
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", parts.path, headers=headers)
        response = connection.getresponse()
        return HTTPStatus(response.status), response.read(_LONGEST)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoReportError(f"{address.url} {_failure(error, address)}") from error
    finally:
        connection.close()


def _failure(error: Exception, address: ApiAddress) -> str:
    match error:
        case TimeoutError():
            return f"does not answer within {PATIENCE:g} s; {_RUNNING}"
        case socket.gaierror():
            return f"is unreachable: unknown host ({error.strerror}); check the spelling"
        case ssl.SSLCertVerificationError():
            return f"has a certificate that is not trusted ({error.verify_message}); {_about_trust(address)}"
        case ssl.SSLError():
            return f"TLS failed ({error.reason or error}); check whether the API uses HTTPS (health.api.https_enabled)"
        case OSError(strerror=str()) if not isinstance(error, ConnectionResetError):
            return f"is unreachable ({error.strerror}); {_RUNNING}"
        case _:
            return f"does not speak HTTP ({type(error).__name__}); check whether it uses HTTPS (health.api.https_enabled), or is another program"


def _about_trust(address: ApiAddress) -> str:
    if address.is_pinned:
        return f"expected the certificate of {address.certificates} (health.api.cert_file), and a valid one: if the file is new, restart the daemon"
    return "pass the file of its CA, or the API's own certificate, with --ca"


def _tls_context(address: ApiAddress) -> ssl.SSLContext:
    if address.certificates is None:
        return ssl.create_default_context()
    try:
        trusted = _CERTIFICATE.findall(address.certificates.read_text("utf-8", "replace"))[: 1 if address.is_pinned else None]
    except OSError as error:
        text = f"{address.certificates} cannot be read ({error.strerror}); run this as the daemon's user, or pass another file with --ca"
        raise NoReportError(text) from error
    try:
        # Without any certificate, the context would trust this machine's authorities.
        context = ssl.create_default_context(cadata="\n".join(trusted) or "none")
    except ssl.SSLError as error:
        raise NoReportError(f"{address.certificates} does not contain a certificate in PEM format; pass another file with --ca") from error
    context.check_hostname = not address.is_pinned
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # trusts the API's own certificate without its authority
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # self-made certificates rarely comply
    return context
