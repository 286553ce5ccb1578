"""The commands; each calls something in the modules below it."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import anyio
from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from wazuh_dfn import exit_codes
from wazuh_dfn.actors.transform import local_now
from wazuh_dfn.app import StoppedAtOnceError, run_daemon
from wazuh_dfn.config.event_ids import parse_event_ids, resolve_event_ids
from wazuh_dfn.config.load import check_paths, load_settings
from wazuh_dfn.errors import ConfigurationError, WazuhDfnError
from wazuh_dfn.formats.relevance import Selection
from wazuh_dfn.logs import configure_logs, log_warnings
from wazuh_dfn.supervision.errors import SupervisionError
from wazuh_dfn.transform_command import transform as transform_lines

app = App(
    name="wazuh-dfn",
    version=version("wazuh-dfn"),
    help="Forwards the security-relevant alerts of a Wazuh manager to the DFN-CERT security operations centre.",
)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


@app.command
def run(
    *,
    config: Annotated[Path, Parameter(name=["--config", "-c"])],
    config_format: Annotated[Literal["toml", "yaml"] | None, Parameter(name=["--config-format", "-t"])] = None,
) -> int:
    """Run the daemon in the foreground.

    SIGTERM and SIGINT deliver what was read and then end with exit code 0; a second one stops at once (130; nothing is lost, what was
    not acknowledged is sent again by the next start). Exit code 1: it gave up after too many failures. Exit code 2: the
    configuration is wrong.

    Parameters
    ----------
    config: Path
        The configuration file, TOML or YAML.
    config_format: str
        The file's format, if its ending (.toml, .yaml, .yml) does not tell.
    """
    loaded = load_settings(config, file_format=config_format, environ=os.environ)
    check_paths(loaded.settings)
    configure_logs(loaded.settings)
    log_warnings(loaded.warnings)
    anyio.run(run_daemon, loaded.settings)
    return exit_codes.OK


@app.command
def transform(
    path: str = "-",
    /,
    *,
    event_ids: Annotated[tuple[str, ...], Parameter(name="--event-id", negative=())] = (),
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
) -> int:
    """Show the records that alert lines would become, one JSON value a line. Nothing is sent.

    Lines that are no alerts are named on stderr; the exit code is 1 then.

    Parameters
    ----------
    path: str
        A file with alert lines as in alerts.json; "-" reads standard input.
    event_ids: tuple
        Windows event IDs to select: +4768 adds one to the default list, -1100 removes one, without signs they replace it. May be repeated.
    config: Path
        Take the event IDs and own networks from this configuration file.
    """
    settings = load_settings(config, environ=os.environ, to_run=False).settings
    chosen = resolve_event_ids(parse_event_ids(event_ids)) if event_ids else settings.wazuh.event_ids
    selection = Selection(chosen, settings.misc.own_networks)
    with ExitStack() as stack:
        try:
            source = sys.stdin.buffer if path == "-" else stack.enter_context(Path(path).open("rb"))
        except OSError as error:
            raise ConfigurationError(f"{path} can't be read: {error.strerror}") from error
        counts = transform_lines(
            source,
            sys.stdout.buffer,
            selection,
            on_unreadable=lambda number, reason: errors.print(f"line {number}: {reason}", markup=False),
            now=local_now,
        )
        sys.stdout.buffer.flush()
    errors.print(
        f"{counts.lines} lines: {counts.records} records, {counts.not_relevant} not relevant, {counts.unreadable} unreadable", markup=False
    )
    return exit_codes.FAILED if counts.unreadable else exit_codes.OK


@app.command
def demo(*, forever: Annotated[bool, Parameter(negative=())] = False, seconds: float = 12.0) -> int:
    """Show the whole way on this machine: an embedded broker, a growing alerts.json, the real daemon, and what arrives.

    Parameters
    ----------
    forever: bool
        Go on until Ctrl-C.
    seconds: float
        How long alerts are written.
    """
    from wazuh_dfn.demo.show import run_demo  # noqa: PLC0415 - its broker is an optional dependency

    return anyio.run(run_demo, None if forever else seconds)


def main() -> None:
    """Run the command line; every expected failure becomes a message on stderr and an exit code."""
    try:
        code = app(exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        code = exit_codes.USAGE
    except ConfigurationError as error:
        errors.print(str(error), style="red", markup=False)
        code = exit_codes.USAGE
    except (WazuhDfnError, SupervisionError) as error:
        errors.print(f"{error}; the cause: {error.__cause__!r}" if error.__cause__ else str(error), style="red", markup=False)
        code = exit_codes.FAILED
    except (StoppedAtOnceError, KeyboardInterrupt):
        code = exit_codes.STOPPED_AT_ONCE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = exit_codes.FAILED
    sys.exit(code)
