"""Structured logs. Every line passes the redacting step; exceptions are named, never printed with values."""

import contextlib
import logging
import re
import secrets
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

__all__ = ["configure_logs", "log", "redact", "request_id"]

log: structlog.stdlib.BoundLogger = structlog.get_logger("connector")

# What may never be in a line, whoever logs it: keys whose values are secrets or personal data …
_HIDDEN_KEYS = re.compile(
    r"token|secret|password|authorization|cookie|signature|consumer_key|email|phone|address|user_agent|"
    r"ttclid|body|headers|^ip$|customer_ip",
    re.IGNORECASE,
)
# … and shapes that give themselves away inside any text.
_HIDDEN_SHAPES = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+"  # e-mail
    r"|c[ks]_[0-9a-f]{40}"  # store keys
    r"|wc_order_\w+"  # order keys open the order's page
    r"|(?<![0-9a-zA-Z_.-])\+?\d[\d ()/-]{8,}\d(?![0-9a-zA-Z_.-])"  # phone numbers as people write them
)
_OURS = frozenset({"event", "level", "timestamp"})
# Ids look like phone numbers at times; what is none is looked through like any text.
_IDS = frozenset({"webhook_id", "event_id", "installation_id", "attempt_id", "request_id", "tiktok_request_id"})
_ID = re.compile(r"[A-Za-z0-9_.:-]{0,128}")


def redact(value: Any) -> Any:
    """Hide what must not be read in a log line, in texts, lists and maps alike."""
    if isinstance(value, str):
        return _HIDDEN_SHAPES.sub("[hidden]", value)
    if isinstance(value, dict):
        return {key: "[hidden]" if _HIDDEN_KEYS.search(str(key)) else redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


def request_id(given: str | None) -> str:
    """What a request that failed is called in the log and in its answer: as a proxy named it, else a new name."""
    return given if given and len(given) <= 100 and _ID.fullmatch(given) else secrets.token_hex(8)


def _redacting_step(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in line.items():
        is_id = key in _IDS and (not isinstance(value, str) or _ID.fullmatch(value) is not None)
        if key not in _OURS and not is_id:
            line[key] = "[hidden]" if _HIDDEN_KEYS.search(key) else redact(value)
    return line


def _name_the_exception(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception's text can hold statement parameters: keep its type and place only."""
    found = line.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found
    if isinstance(error, BaseException):
        line["error"] = type(error).__name__
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is not None:
            line["at"] = f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
    return line


class _StandardError:
    """Writes a line to standard error, whichever that is now. A closed or full one costs the line, never the work."""

    def msg(self, line: str) -> None:
        """One line."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    log = debug = info = warn = warning = error = critical = exception = fatal = msg


def configure_logs(log_format: str = "text", level: str = "info") -> None:
    """Send log lines to standard error as text or as JSON, one line each."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _name_the_exception,
            _redacting_step,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: _StandardError(),
        cache_logger_on_first_use=True,
    )
