"""Traces as a collector receives them from real processes: one for each webhook, up to TikTok's request id."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from connector.errors import ConfigurationError
from connector.tracing import TracedWebhook, Traces, open_traces
from tests.road.service import Service

pytest.importorskip("opentelemetry.sdk", reason="not installed: pip install 'connector[traces]'")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Collector:
    """Takes OTLP over HTTP and keeps the spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        spans.extend(scope.spans)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    thread = threading.Thread(target=running.server.serve_forever, daemon=True)
    thread.start()
    yield running
    running.server.shutdown()
    running.server.server_close()
    thread.join()


def value(span: Span, name: str) -> object:
    (found,) = [one.value for one in span.attributes if one.key == name]
    return found.string_value or found.int_value


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_processes_write_into_one_trace(kind: str, tmp_path: Path, collector: Collector) -> None:
    service = Service(tmp_path, kind, CONNECTOR_TRACES_URL=collector.url, OTEL_BSP_SCHEDULE_DELAY="200")
    try:
        added = service.add("--consent-policy", "opt_out")
        service.start("serve", "--no-delivery")
        service.start("deliver")
        assert service.post(added, "order_updated_completed") == 200
        service.wait(lambda: collector.named("delivery") and collector.named("webhook"))
        (event,) = service.events(added)
    finally:
        service.close()
    (webhook,), (delivery,) = collector.named("webhook"), collector.named("delivery")
    assert (delivery.trace_id, delivery.parent_span_id) == (webhook.trace_id, webhook.span_id)
    assert webhook.parent_span_id == b""
    assert (value(webhook, "connector.topic"), value(webhook, "connector.state")) == ("order.updated", "processed")
    assert value(webhook, "connector.webhook_id") == event["webhook_id"]
    assert value(delivery, "connector.event_id") == event["event_id"]
    assert (value(delivery, "connector.result"), value(delivery, "http.response.status_code")) == ("accepted", 200)
    assert value(delivery, "tiktok.request_id")
    assert webhook.start_time_unix_nano <= webhook.end_time_unix_nano <= delivery.start_time_unix_nano + 10**9
    said = b"".join(span.SerializeToString() for span in collector.spans)
    assert b"zoe@example.com" not in said
    assert b"token-of-the-tests" not in said


def test_a_share_of_the_webhooks_is_traced_whole() -> None:
    exporter = InMemorySpanExporter()
    traces = Traces(SimpleSpanProcessor(exporter), 0.25)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(2000):
        traces.webhook(TracedWebhook(number, "a", "order.updated", "processed", "", now, now))
    kept = [span.attributes["connector.webhook_id"] for span in exporter.get_finished_spans() if span.attributes]
    assert 400 < len(kept) < 600
    exporter.clear()
    for number in range(2000):
        traces.webhook(TracedWebhook(number, "a", "order.updated", "processed", "", now, now))
    again = [span.attributes["connector.webhook_id"] for span in exporter.get_finished_spans() if span.attributes]
    assert again == kept


def test_without_an_address_nothing_is_traced() -> None:
    assert open_traces(None, 1.0) is None


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigurationError, match=r"CONNECTOR_TRACES_URL: .*connector\[traces\]"):
        open_traces("http://127.0.0.1:4318/v1/traces", 1.0)
