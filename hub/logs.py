"""Structured logs, one line for each event, on standard error.

They are readable, or JSON with `VOXHUB_LOG_FORMAT=json`.

Nothing secret may reach a line: requests are logged without query and headers (`hub.asgi`), the database
hides parameters (`hub.db`), and tracebacks are printed without the values of local variables.
"""

import logging
import sys
from typing import Any, Literal, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger


def configure(format_: Literal["console", "json"]) -> None:
    """Send our events and the libraries' warnings to standard error in one format: `console` or `json`."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if format_ == "json":
        structlog.configure(
            processors=[*shared, structlog.processors.format_exc_info, _to_json],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
            cache_logger_on_first_use=True,
        )
    else:
        # The default formatter of exceptions prints every local variable, tokens among them.
        console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        structlog.configure(
            processors=[*shared, console],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.WriteLoggerFactory(sys.stderr),
            cache_logger_on_first_use=True,
        )
    logging.basicConfig(level=logging.WARNING, handlers=[_Forward()], force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)


class _Forward(logging.Handler):
    """Hands the records of libraries to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def _to_json(_: WrappedLogger, __: str, event: EventDict) -> bytes:
    return msgspec.json.encode(cast("dict[str, Any]", event), enc_hook=str)
