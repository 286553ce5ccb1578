"""`wazuh-dfn status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from wazuh_dfn import exit_codes
from wazuh_dfn.commands.settings_source import NO_FLAGS, SettingsSource
from wazuh_dfn.commands.terminal import errors
from wazuh_dfn.errors import ConfigurationError, NoReportError

_Switch = Parameter(negative=(), show_default=False)


def status(
    *,
    source: Annotated[SettingsSource, Parameter(name="*")] = NO_FLAGS,
    watch: Annotated[bool, _Switch] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
    interval: Annotated[float, Parameter(validator=Number(gte=0.5, lte=3_600))] = 2.0,
    url: str | None = None,
    token: str | None = None,
    ca: Path | None = None,
) -> int:
    """Show the status of a running daemon, with the same content as the status page. Requires its API (health.api.enabled = true).

    Address, token and certificate of the API are taken from the daemon's configuration file and from environment variables.

    Exit code 0: healthy. Exit code 1: degraded or unhealthy. Exit code 2: the configuration or the command line is invalid. Exit code 3:
    no report is available.

    Parameters
    ----------
    watch: bool
        Refresh until Ctrl-C, with current rates. The display is updated in place on a terminal, and is key=value lines elsewhere.
    as_json: bool
        Print the report as the API returns it, on one line.
    interval: float
        Seconds between two requests with --watch.
    url: str
        Address of the API, if it differs from the configuration: http://HOST:PORT or https://HOST:PORT.
    token: str
        Bearer token. Other users can see flags, so prefer the environment variable HEALTH_API_AUTH_TOKEN.
    ca: Path
        Trusted certificate (PEM), of a CA or of the API itself. Overrides health.api.cert_file.
    """
    from wazuh_dfn.status import address  # noqa: PLC0415 - its imports would slow each start of the daemon
    from wazuh_dfn.status import watch as live  # noqa: PLC0415

    if token is not None and not (token.isascii() and token.isprintable() and token.strip()):
        raise ConfigurationError("--token: expected printable ASCII, because it is sent in an HTTP header")
    api = source.load(to_run=False).settings.health.api
    try:
        place = address.named_address(url, api, token=token, ca=ca) if url else address.configured_address(api, token=token, ca=ca)
        return live.watch(place, interval, as_json=as_json) if watch else live.show_once(place, as_json=as_json)
    except NoReportError as error:
        errors.print(str(error), style="red", markup=False)
        return exit_codes.NO_REPORT
