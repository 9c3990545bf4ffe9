"""Ways between the connector and a store: a proxy that ends TLS, and a listener that never answers."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from connector.core.http_values import OutgoingRequest, Reply
from connector.install.services import Calls, calls_at_once
from connector.outbound import MAX_ANSWER_BYTES

__all__ = ["behind_tls", "hanging"]


def behind_tls(behind: str, host: str) -> Calls:
    """Calls of `https://host` reach the server `behind` in the clear, as through a proxy that says nothing of TLS."""
    real = calls_at_once(allow_private=True)

    def call(
        request: OutgoingRequest, *, timeout_seconds: float, guarded: bool, max_answer_bytes: int = MAX_ANSWER_BYTES
    ) -> Reply:
        headers = {**request.headers, "host": host}
        passed = replace(request, url=request.url.replace(f"https://{host}", behind, 1), headers=headers)
        return real(passed, timeout_seconds=timeout_seconds, guarded=guarded, max_answer_bytes=max_answer_bytes)

    return call


@contextmanager
def hanging() -> Iterator[str]:
    """The address of a listener that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
