"""Optional traces (OpenTelemetry): one for each webhook, from its arrival to TikTok's request id.

A trace's id follows from the webhook's id. So processes that never speak to each other write into one trace, and all
of them keep or leave out the same ones. Spans are made of what is known afterwards anyway: nothing on the way of a
webhook waits for them, and they are sent in the background. No personal data and no secret is in them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import SpanContext

__all__ = ["TracedCall", "TracedWebhook", "Traces", "open_traces"]

_WHOLE = 1 << 64


@dataclass(frozen=True, slots=True)
class TracedWebhook:
    """A webhook from its arrival to the end of its processing: the root of its trace."""

    webhook_id: int
    installation_id: str
    topic: str
    state: str
    reason: str
    received_at: datetime
    processed_at: datetime


@dataclass(frozen=True, slots=True)
class TracedCall:
    """One event of a webhook in one call to TikTok."""

    webhook_id: int
    event_row_id: int
    event_id: str
    attempt_id: int
    installation_id: str
    started_at: datetime
    duration_ms: int
    events_in_call: int
    result: str
    http_status: int | None
    code: int | None
    request_id: str


class Traces:
    """Makes spans and hands them on. `ratio` is the share of webhooks that are traced, from 0 to 1."""

    def __init__(self, processor: "SpanProcessor", ratio: float = 1.0) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        self._processor = processor
        self._least = int(ratio * _WHOLE)
        self._resource = Resource.create({"service.name": "connector"})
        self._scope = InstrumentationScope("connector")

    def webhook(self, seen: TracedWebhook) -> None:
        """The root span of a webhook's trace."""
        root = self._root(seen.webhook_id)
        if root is None:
            return
        attributes = {
            "connector.webhook_id": str(seen.webhook_id),
            "connector.installation_id": seen.installation_id,
            "connector.topic": seen.topic,
            "connector.state": seen.state,
            "connector.reason": seen.reason,
        }
        ends_at = max(seen.processed_at, seen.received_at)
        self._write("webhook", root, None, attributes, _nanoseconds(seen.received_at), _nanoseconds(ends_at))

    def call(self, seen: TracedCall) -> None:
        """The span of an event's delivery, in its webhook's trace."""
        root = self._root(seen.webhook_id)
        if root is None:
            return
        attributes: dict[str, str | int] = {
            "connector.event_id": seen.event_id,
            "connector.attempt_id": str(seen.attempt_id),
            "connector.installation_id": seen.installation_id,
            "connector.events_in_call": seen.events_in_call,
            "connector.result": seen.result,
            "tiktok.request_id": seen.request_id,
        }
        known = {"http.response.status_code": seen.http_status, "tiktok.code": seen.code}
        attributes |= {name: value for name, value in known.items() if value is not None}
        span_id = _digest(f"call {seen.attempt_id} {seen.event_row_id}")[:8]
        began = _nanoseconds(seen.started_at)
        own = _context(root.trace_id, int.from_bytes(span_id, "big"))
        self._write("delivery", own, root, attributes, began, began + seen.duration_ms * 1_000_000)

    def close(self) -> None:
        """Send what waits, then stop."""
        self._processor.shutdown()

    def _root(self, webhook_id: int) -> "SpanContext | None":
        digest = _digest(f"webhook {webhook_id}")
        if int.from_bytes(digest[24:], "big") >= self._least:
            return None
        return _context(int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big"))

    def _write(
        self,
        name: str,
        own: "SpanContext",
        parent: "SpanContext | None",
        attributes: Mapping[str, str | int],
        start: int,
        end: int,
    ) -> None:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanKind

        span = ReadableSpan(
            name, own, parent, self._resource, attributes, kind=SpanKind.CLIENT if parent else SpanKind.CONSUMER,
            start_time=start, end_time=end, instrumentation_scope=self._scope,
        )  # fmt: skip
        self._processor.on_end(span)


def open_traces(url: str | None, ratio: float) -> Traces | None:
    """Traces to an OTLP collector over HTTP; None while no address is set.

    Raises ConfigurationError when the packages are missing: they come with `connector[traces]`.
    """
    if url is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigurationError("CONNECTOR_TRACES_URL: install the packages first: connector[traces]") from None
    return Traces(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=5)), ratio)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _context(trace_id: int, span_id: int) -> "SpanContext":
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
