"""Runs trio so that a seed decides everything: time is virtual, and so is the order in which ready tasks run."""

import logging
from random import Random
from unittest.mock import patch

import structlog
import trio
import trio._core._run as scheduler
from trio.testing import MockClock


def run_seeded(function, seed, *, instruments=(), on_log=lambda text: None):
    """Like `trio.run`, but the same seed gives the same run, step by step."""
    configured = structlog.get_config()

    def hear(_, level, event):
        on_log(f"{level}: {event}")
        raise structlog.DropEvent

    structlog.configure(
        processors=[hear],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,  # what was cached would still be heard here after the run
    )
    try:
        with patch.object(scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING", new=True), patch.object(scheduler, "_r", Random(seed)):
            return trio.run(function, clock=MockClock(autojump_threshold=0), instruments=instruments)
    finally:
        structlog.configure(**configured)
