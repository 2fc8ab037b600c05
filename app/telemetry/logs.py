"""Structured logs on standard error; libraries that use `logging` pass the same redaction."""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import Processor

from app.telemetry.exceptions import without_words
from app.telemetry.redaction import redact

LogFormat = Literal["json", "console"]

_QUIET = ("httpx", "httpcore", "asyncio", "alembic", "uvicorn.access", "arq")
"""They say at `info` what our own lines and metrics say better, some of it with URLs."""

_SILENT = ("arq.worker",)
"""It has several lines a job, and a warning for each job that expired."""


def configure_logging(level: str, format_: LogFormat, *, stream: TextIO | None = None) -> None:
    """Set up logging for this process. Calling it again replaces what was there."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.ExceptionRenderer(without_words),
            redact,
            _renderer(format_),
        ],
    )
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        cache_logger_on_first_use=False,
    )


@contextmanager
def request_context(request_id: str, **fields: str) -> Iterator[None]:
    """Every line said inside carries `request_id` and `fields`, over awaits and new tasks."""
    with structlog.contextvars.bound_contextvars(request_id=request_id, **fields):
        yield


def current_request_id() -> str | None:
    value = structlog.contextvars.get_contextvars().get("request_id")
    return value if isinstance(value, str) else None


def _renderer(format_: LogFormat) -> Processor:
    if format_ == "json":
        return _as_json
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def _as_json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
