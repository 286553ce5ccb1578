"""Where log lines go and what they look like; structlog does the work."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from collections.abc import Iterable
from pathlib import Path

import structlog

from wazuh_dfn.config.model import Settings

FILE_BYTES = 10 * 1024 * 1024


def configure_logs(settings: Settings) -> None:
    """Send log lines to stderr and, if configured, to a file that is rotated at 10 MiB.

    Raises:
        OSError: the log file can't be opened.
    """
    options = settings.log
    handlers: list[logging.Handler] = []
    if options.console:
        handlers.append(_with_renderer(logging.StreamHandler(sys.stderr), _renderer(options.format, is_terminal=sys.stderr.isatty())))
    if options.file_path:
        file = logging.handlers.RotatingFileHandler(Path(options.file_path), maxBytes=FILE_BYTES, backupCount=options.keep_files)
        handlers.append(_with_renderer(file, _renderer(options.format, is_terminal=False)))
    logging.basicConfig(level=options.level, handlers=handlers or [logging.NullHandler()], force=True)
    # aiokafka repeats itself at each attempt; KafkaStatus says the same once, and clearly
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _renderer(choice: str, *, is_terminal: bool) -> structlog.typing.Processor:
    if choice == "json":
        return structlog.processors.JSONRenderer()
    if choice == "console" or is_terminal:
        return structlog.dev.ConsoleRenderer(colors=is_terminal)
    return structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False)


def _with_renderer(handler: logging.Handler, renderer: structlog.typing.Processor) -> logging.Handler:
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=False),
    ]
    ending: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if not isinstance(renderer, structlog.dev.ConsoleRenderer):
        ending.append(structlog.processors.format_exc_info)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*shared, *ending, renderer]))
    return handler


def log_warnings(warnings: Iterable[str]) -> None:
    """Log what was noticed while the configuration was loaded, before there were logs."""
    for warning in warnings:
        structlog.get_logger("wazuh_dfn.config").warning(warning)
