"""Address of the daemon's API, and the credentials for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from wazuh_dfn.config.daemon_sections import HealthApiSettings
from wazuh_dfn.errors import ConfigurationError, NoReportError

_OWN_MACHINE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here
_PATH = "/health/detailed"


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """What a request needs.

    Attributes:
        url: The URL of the report.
        token: The bearer token, if any.
        certificates: A PEM file with trusted certificates, of an authority or of the API itself. None trusts this machine's authorities.
        is_pinned: Whether the API must present the first certificate of that file, regardless of the host name.
    """

    url: str
    token: str | None = None
    certificates: Path | None = None
    is_pinned: bool = False


def configured_address(api: HealthApiSettings, *, token: str | None = None, ca: Path | None = None) -> ApiAddress:
    """Return the address of the daemon with these settings. `token` and `ca` override the settings.

    Raises:
        NoReportError: The API is not enabled.
    """
    if not api.enabled:
        raise NoReportError(
            "the API is not enabled in this configuration; set health.api.enabled = true and restart the daemon, or pass the daemon's "
            "configuration with --config, or its address with --url"
        )
    return ApiAddress(
        url=api.url(_OWN_MACHINE.get(api.host, api.host)) + _PATH,
        token=token or api.auth_token,
        certificates=ca or (api.cert_file if api.https_enabled else None),
        is_pinned=ca is None and api.https_enabled,
    )


def named_address(url: str, api: HealthApiSettings, *, token: str | None = None, ca: Path | None = None) -> ApiAddress:
    """Return the address given on the command line. Without `token`, the configured token is used.

    Raises:
        ConfigurationError: The URL is not an http or https URL of the API.
    """
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and not (parts.query or parts.fragment)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConfigurationError(f"--url {url!r} is not a valid address of the API; expected a format like http://127.0.0.1:8080")
    return ApiAddress(url=url.rstrip("/").removesuffix(_PATH) + _PATH, token=token or api.auth_token, certificates=ca)
