"""The command line in this process: what needs no signals and no event loop need not wait for an interpreter to start."""

import contextlib
import io
import sys
import warnings
from typing import NamedTuple
from unittest.mock import patch

from wazuh_dfn.cli import main


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run_here(*arguments):
    """Call `main` with these arguments; returns what a process would."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code = None
    argv = ["wazuh-dfn", *map(str, arguments)]
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        patch.object(sys, "argv", argv),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # cyclopts suspects a mistake when a test leaves the arguments to sys.argv
        try:
            main()
        except SystemExit as end:
            code = end.code
    return Done(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))
