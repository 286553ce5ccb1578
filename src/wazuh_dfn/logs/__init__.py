"""Log output: destinations (`setup`), formats (`rendering`), and folding of repeated lines (`folding`)."""

from __future__ import annotations

from wazuh_dfn.logs.setup import configure_logs, log_warnings, quiet, set_level

__all__ = ["configure_logs", "log_warnings", "quiet", "set_level"]
