"""Compatibility with the command line of version 0.23: rewrites its arguments for the present parser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from wazuh_dfn.config.settings import KNOWN_KEYS, flag_name, is_switch

_ABOUT_ALL_COMMANDS = {"--help", "-h", "--version", "-v"}
_TRUTH_VALUES = {"true", "false", "yes", "no", "on", "off", "1", "0"}


def completed(arguments: Sequence[str]) -> list[str]:
    """Add `run` if flags come without a command, and join a switch with a following truth value (`--log-console-enabled false`)."""
    joined = list(_joined(arguments))
    if joined and joined[0].startswith("-") and joined[0] not in _ABOUT_ALL_COMMANDS:
        return ["run", *joined]
    return joined


def _joined(arguments: Sequence[str]) -> Iterator[str]:
    switches = {flag_name(key) for key in KNOWN_KEYS if is_switch(key)}
    is_taken = False
    for argument, following in pairwise([*arguments, ""]):
        if is_taken:
            is_taken = False
        elif argument in switches and following.lower() in _TRUTH_VALUES:
            is_taken = True
            yield f"{argument}={following.lower()}"
        else:
            yield argument
