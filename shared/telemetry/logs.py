"""JSON log lines on stdout: structlog's own and those of every library that uses the standard logging.

A line never holds a prompt, a completion or a key: fields with such names are blanked, tracebacks show no variables,
and libraries that log statements or headers are kept at WARNING whatever the level.
"""

import logging
import sys
from contextlib import AbstractContextManager
from typing import Any

import orjson
import structlog
from opentelemetry import trace
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.types import EventDict, Processor, WrappedLogger

_SECRET_FIELDS = frozenset(
    {"api_key", "authorization", "completion", "content", "input", "key", "messages", "password", "prompt", "text"}
)
_QUIET = ("httpcore", "httpx", "sqlalchemy", "uvicorn.access")


def configure_logging(service: str, level: str = "INFO") -> None:
    """Send all logging of this process to stdout, one JSON object a line, from `level` up (a name like "INFO")."""
    threshold = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared_steps: list[Processor] = [
        merge_contextvars,
        _add_trace,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _blank_secrets,
        _naming(service),
    ]
    structlog.configure(
        processors=[*shared_steps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    _configure_stdlib(shared_steps, threshold)


def log_context(**fields: str) -> AbstractContextManager[None]:
    """Add fields (job_id, tenant_id) to every line logged within the block, in this task or thread."""
    return bound_contextvars(**fields)


def _configure_stdlib(shared_steps: list[Processor], threshold: int) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared_steps,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _as_json],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in ("uvicorn", "uvicorn.error", "celery", *_QUIET):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _naming(service: str) -> Processor:
    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add_service


def _add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def _blank_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for field in _SECRET_FIELDS & event.keys():
        event[field] = "[not logged]"
    return event


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return orjson.dumps(event, default=_describe, option=orjson.OPT_NON_STR_KEYS).decode()


def _describe(value: Any) -> str:
    return repr(value)
