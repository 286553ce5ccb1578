"""Destinations of log lines, based on structlog and the standard library."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from pathlib import Path

import structlog

from wazuh_dfn.config.daemon_sections import LogSettings
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.errors import ConfigurationError
from wazuh_dfn.logs.folding import FoldingHandler
from wazuh_dfn.logs.log_file import log_file
from wazuh_dfn.logs.rendering import formatter, is_journal


def configure_logs(settings: Settings) -> None:
    """Send log lines to stderr and, if configured, to a file, with repetitions folded.

    Raises:
        ConfigurationError: the log file cannot be opened.
    """
    options = settings.log
    handlers: list[logging.Handler] = []
    console = logging.StreamHandler(sys.stderr)
    console.setFormatter(formatter(options.format, is_terminal=sys.stderr.isatty(), to_journal=is_journal(sys.stderr)))
    if options.console:
        handlers.append(console)
    if options.file_path:
        file = _open_file(options, options.file_path, console)
        file.setFormatter(formatter(options.format))
        handlers.append(file)
    logging.basicConfig(level=options.level, handlers=[FoldingHandler(handlers)], force=True)
    # aiokafka repeats its errors at each attempt. KafkaStatus logs the same once, with a clear reason.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def quiet(settings: Settings) -> Settings:
    """Return settings for an interactive command: only warnings and above, only on stderr.

    The level DEBUG stays.
    """
    level = settings.log.level if settings.log.level == "DEBUG" else "WARNING"
    return settings.model_copy(update={"log": settings.log.model_copy(update={"level": level, "console": True, "file_path": None})})


def set_level(level: str) -> None:
    """Set the lowest level that is logged from now on."""
    logging.getLogger().setLevel(level)


def log_warnings(warnings: Iterable[str]) -> None:
    """Log the warnings that were found while the configuration was loaded, before logging was set up."""
    for warning in warnings:
        structlog.get_logger("wazuh_dfn.config").warning(warning)


def _open_file(options: LogSettings, path: Path, console: logging.Handler) -> logging.Handler:
    try:
        return log_file(path, options.keep_files, console)
    except OSError as error:
        text = f"log.file_path: {path} can't be written ({error.strerror}); let the daemon's user write there, or name another file"
        raise ConfigurationError(text) from error
