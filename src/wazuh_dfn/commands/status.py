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
    """Ask a running daemon how it is, over its API (health.api.enabled = true), and show what the status page shows.

    Address, token and certificate of the API are taken from the daemon's configuration file, and from environment variables.

    Exit code 0: it is healthy; 1: degraded or unhealthy; 2: the configuration or the command line is wrong; 3: it could not be asked.

    Parameters
    ----------
    watch: bool
        Show it again and again until Ctrl-C, with present rates: in place on a terminal, elsewhere as lines of key=value.
    as_json: bool
        Print the report as the API gives it, on one line.
    interval: float
        Seconds between two requests of --watch.
    url: str
        Address of the API, if it is not the configured one: http://HOST:PORT or https://HOST:PORT.
    token: str
        Bearer token. Others can see flags: better set the variable HEALTH_API_AUTH_TOKEN.
    ca: Path
        Certificate (PEM) that is trusted, of an authority or of the API itself, in place of health.api.cert_file.
    """
    from wazuh_dfn.status import address  # noqa: PLC0415 - its imports would slow each start of the daemon
    from wazuh_dfn.status import watch as live  # noqa: PLC0415

    if token is not None and not (token.isascii() and token.isprintable() and token.strip()):
        raise ConfigurationError("--token: a token is printable ASCII, as it is sent in a header")
    api = source.load(to_run=False).settings.health.api
    try:
        place = address.named_address(url, api, token=token, ca=ca) if url else address.configured_address(api, token=token, ca=ca)
        return live.watch(place, interval, as_json=as_json) if watch else live.show_once(place, as_json=as_json)
    except NoReportError as error:
        errors.print(str(error), style="red", markup=False)
        return exit_codes.NO_REPORT
