"""Where the daemon's API is, and how to be let in."""

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
    """What a request needs; `url` is that of the report.

    Of `certificates` (PEM), an authority's or the API's own counts; None stands for the authorities that this machine trusts. If
    `is_pinned`, the API has to have the first certificate of that file, whatever name stands in it.
    """

    url: str
    token: str | None = None
    certificates: Path | None = None
    is_pinned: bool = False


def configured_address(api: HealthApiSettings, *, token: str | None = None, ca: Path | None = None) -> ApiAddress:
    """Return where the daemon with these settings answers; `token` and `ca` take the place of what they say.

    Raises:
        NoReportError: The API is not enabled.
    """
    if not api.enabled:
        raise NoReportError(
            "the API is not enabled in this configuration; set health.api.enabled = true and restart the daemon, and name its "
            "configuration with --config, or its address with --url"
        )
    return ApiAddress(
        url=api.url(_OWN_MACHINE.get(api.host, api.host)) + _PATH,
        token=token or api.auth_token,
        certificates=ca or (api.cert_file if api.https_enabled else None),
        is_pinned=ca is None and api.https_enabled,
    )


def named_address(url: str, api: HealthApiSettings, *, token: str | None = None, ca: Path | None = None) -> ApiAddress:
    """Return the address that the command line names; a configured token counts there too.

    Raises:
        ConfigurationError: It is no http or https URL.
    """
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and not (parts.query or parts.fragment)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConfigurationError(f"--url {url!r} is no address of the API; one looks like http://127.0.0.1:8080")
    return ApiAddress(url=url.rstrip("/").removesuffix(_PATH) + _PATH, token=token or api.auth_token, certificates=ca)
