"""The API server as a child of the supervisor. If it cannot listen, it logs the reason once and retries."""

from __future__ import annotations

import errno
import ssl

import anyio
import structlog
from anyio import to_thread

from wazuh_dfn.api.app import make_app
from wazuh_dfn.api.connections import Connections
from wazuh_dfn.config.daemon_sections import HealthApiSettings
from wazuh_dfn.errors import CertificateFileError
from wazuh_dfn.health.observe import Observed
from wazuh_dfn.kafka.tls_context import load_own_certificate
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.trouble import Trouble

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0
BACKLOG = 64
log = structlog.get_logger(__name__)


class HealthApi:
    """Listens on the configured address."""

    def __init__(self, api: HealthApiSettings) -> None:
        self._api = api
        self._url = api.url(api.host)
        self._connections: Connections | None = None
        self._trouble = Trouble(log, "health API cannot listen, delivery continues without it")
        self._retry_seconds = FIRST_RETRY_SECONDS

    async def serve(self, observed: Observed, lifeline: Lifeline[None]) -> None:
        """Serve until asked to stop, then close all connections at once."""
        lifeline.started()
        app = make_app(observed, self._api)
        async with lifeline.until_stopping():
            while True:
                try:
                    await self._listen(Connections(app, self._api.networks, await self._tls()))
                except* (OSError, CertificateFileError) as errors:
                    self._note_problem(errors)
                await anyio.sleep(self._retry_seconds)
                self._retry_seconds = min(2 * self._retry_seconds, LONGEST_RETRY_SECONDS)

    async def renew_certificate(self) -> None:
        """Use the present certificate files for new connections.

        If they are invalid, log an error and keep the previous certificate.
        """
        connections = self._connections  # None while not listening: the files are read before it listens
        if connections is None or not self._api.https_enabled:
            return
        try:
            connections.tls = await self._tls()
        except CertificateFileError as error:
            remedy = "fix that file and reload again"
            log.error("health API keeps its previous certificate", reason=str(error), remedy=remedy)  # noqa: TRY400 - the text says it all
        else:
            log.info("health API certificate reloaded", file=str(self._api.cert_file))

    async def _listen(self, connections: Connections) -> None:
        host = None if self._api.host == "::" else self._api.host  # anyio takes "::" for IPv6 only
        async with await anyio.create_tcp_listener(local_host=host, local_port=self._api.port, backlog=BACKLOG) as listener:
            log.info("health API listens", url=self._url)
            self._trouble.is_over()
            self._connections, self._retry_seconds = connections, FIRST_RETRY_SECONDS
            async with anyio.create_task_group() as clients:
                try:
                    await listener.serve(connections.handle, clients)
                finally:
                    self._connections = None
                    with anyio.CancelScope(shield=True):
                        await connections.abort()

    async def _tls(self) -> ssl.SSLContext | None:
        """Read the certificate files as they are now. Returns None without HTTPS."""
        if not self._api.https_enabled:
            return None
        return await to_thread.run_sync(_tls_context, self._api, abandon_on_cancel=True)

    def _note_problem(self, error: BaseException) -> None:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        self._trouble.note(str(error), url=self._url, remedy=f"{_remedy(error)}; it is tried again")


def _remedy(error: BaseException) -> str:
    if isinstance(error, CertificateFileError):
        return "mend that file"
    if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
        return "let the daemon have more open files (LimitNOFILE= of its unit)"
    return "free the port, or change health.api.host or health.api.port"


def _tls_context(api: HealthApiSettings) -> ssl.SSLContext:
    """Return the TLS context.

    Raises:
        CertificateFileError: A file cannot be read or used.
    """
    assert api.cert_file is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load_own_certificate(context, api.cert_file, api.key_file, names=("health.api.cert_file", "health.api.key_file"))
    return context
