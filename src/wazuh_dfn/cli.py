"""The command line: the list of commands, and the handling of their failures."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, UnusedCliTokensError

from wazuh_dfn import exit_codes
from wazuh_dfn.commands.arguments import completed
from wazuh_dfn.commands.terminal import errors
from wazuh_dfn.errors import ConfigurationError, WazuhDfnError, in_brief
from wazuh_dfn.logs.rendering import is_journal, with_priority
from wazuh_dfn.signals import StoppedAtOnceError
from wazuh_dfn.supervision.failures import SupervisionError

app = App(
    name="wazuh-dfn",
    version=version("wazuh-dfn"),
    version_flags=["--version", "-v"],
    help="Forwards the security-relevant alerts of a Wazuh manager to the DFN-CERT security operations centre.",
    help_epilogue='"wazuh-dfn COMMAND --help" describes a command, "wazuh-dfn help" lists the topics of the manual.',
)
for command in ("run", "check", "status", "config", "transform", "dead_letters", "replay", "demo"):
    app.command(f"wazuh_dfn.commands.{command}:{command}")  # imported only when it is called
app.command("wazuh_dfn.commands.manual:manual", name="help")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Every expected failure becomes a message on stderr and an exit code.
    """
    given = completed(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0].startswith("-"):
        app.resolved_commands()  # the help describes each
    try:
        code = app(given, exit_on_error=False, print_error=False, result_action="return_value")
    except UnusedCliTokensError as error:
        _complain(f"unknown argument: {' '.join(error.unused_tokens or ())}; see --help (a configuration file is given with --config PATH)")
        code = exit_codes.USAGE
    except CycloptsError as error:
        _complain(str(error))
        code = exit_codes.USAGE
    except ConfigurationError as error:
        _complain(str(error))
        code = exit_codes.USAGE
    except (WazuhDfnError, SupervisionError) as error:
        _complain(f"{error}; the cause: {in_brief(error.__cause__)}" if error.__cause__ else str(error))
        code = exit_codes.FAILED
    except (StoppedAtOnceError, KeyboardInterrupt):
        code = exit_codes.STOPPED_AT_ONCE
    except OSError as error:
        if error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        if error.errno == errno.ENOSPC:
            _complain(f"cannot write the output: {error.strerror}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = exit_codes.FAILED
    sys.exit(code)


def _complain(text: str) -> None:
    errors.print(with_priority("error", text) if is_journal(sys.stderr) else text, style="red", markup=False)
