"""The real server on one core, with two handlers to compare it with at the place where it takes webhooks.

`/webhooks/empty/` answers at once, `/webhooks/verify/` verifies and stores nothing. With `each` as the second
argument the journal commits every webhook alone.
"""

import os
import sys

from starlette.types import ASGIApp, Receive, Scope, Send

from connector.app import server
from connector.app.server import WebApplication
from connector.intake.journal import Journal
from connector.platforms import PLATFORMS
from connector.platforms.base import IncomingWebhook
from connector.settings import Settings, load_settings
from connector.storage.opening import Storage
from tests.installations import SECRET

_ANSWER = b'{"status":"stored"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_ANSWER)).encode())]
_create_app = server.create_app


class CommitEach(Journal):
    """A commit per request."""

    def _take(self):  # type: ignore[no-untyped-def]
        first, self._waiting = self._waiting[:1], self._waiting[1:]
        self._waiting_bytes -= sum(len(arrival.body) for arrival, _ in first)
        return first


async def _answer(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


async def empty(_scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, answer."""
    await _body(receive)
    await _answer(send)


async def verify_only(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, check its signature, answer."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    webhook = IncomingWebhook(headers, await _body(receive))
    if PLATFORMS["woocommerce"].verify(webhook, (SECRET,)).kind != "authentic":
        raise AssertionError("the bench signs every request")
    await _answer(send)


def with_comparisons(webhooks: ASGIApp) -> ASGIApp:
    """The three handlers side by side."""
    others = {"/webhooks/empty/x": empty, "/webhooks/verify/x": verify_only}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await others.get(scope["path"], webhooks)(scope, receive, send)

    return app


def _create(settings: Settings, storage: Storage, *, delivery: bool = True) -> WebApplication:
    app = _create_app(settings, storage, delivery=delivery)
    return WebApplication(app.pages, with_comparisons(app._webhooks))


def main() -> None:
    """`python -m tests.bench.intake_server PORT group|each CPU`, settings from the environment."""
    port, journal, cpu = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    os.sched_setaffinity(0, {cpu})
    server.create_app = _create
    server._QUIET_SECONDS = float("inf")  # what is stored stays so: the comparison handlers get the whole core
    if journal == "each":
        server.Journal = CommitEach  # type: ignore[misc]
    server.run_server(load_settings(), port=port, delivery=False)


if __name__ == "__main__":
    main()
