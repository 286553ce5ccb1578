"""Trouble: said once until its reason changes, and once when it is over."""

import pytest
import structlog
import trio
from structlog.testing import capture_logs

from support.virtual_clock import run_on_virtual_clock
from wazuh_dfn.trouble import Trouble

pytestmark = pytest.mark.trio(run=run_on_virtual_clock)


async def test_it_is_said_once_until_its_reason_changes_and_since_when_it_was_over():
    with capture_logs() as logs:
        trouble = Trouble(structlog.get_logger(), "disk full", "disk has room again")
        trouble.is_over()
        assert [trouble.note(reason, folder="/x") for reason in ("a", "a", "b", "a")] == [True, False, True, True]
        began = trouble.since
        await trio.sleep(7)
        assert (trouble.reason, trouble.since) == ("a", began)
        trouble.is_over()
        trouble.is_over()
        assert (trouble.reason, trouble.since) == (None, None)
        assert trouble.note("a", "warning")
    assert [(log["event"], log["log_level"], log["reason"]) for log in logs] == [
        ("disk full", "error", "a"),
        ("disk full", "error", "b"),
        ("disk full", "error", "a"),
        ("disk has room again", "info", "a"),
        ("disk full", "warning", "a"),
    ]
    assert logs[3]["after_seconds"] == 7.0
    assert logs[0]["folder"] == "/x"
