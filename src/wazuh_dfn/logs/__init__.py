"""Log lines: where they go (`setup`), what they look like (`rendering`), and that none repeats itself for ever (`folding`)."""

from __future__ import annotations

from wazuh_dfn.logs.setup import configure_logs, log_warnings, quiet, set_level

__all__ = ["configure_logs", "log_warnings", "quiet", "set_level"]
