"""The real server on one core, with three handlers to compare it with at the place where it takes webhooks.

`/webhooks/empty/` answers at once, `/webhooks/verify/` verifies and stores nothing, `/webhooks/session/` does what an
ordinary web application does: a thread of the pool and an ORM session for each request, which looks the installation
up, looks whether the webhook is known, stores it and commits; the same tables and settings of the database, whose own
locks make the writers take turns. With `each` as the second argument our own journal commits every webhook
alone.
"""

import os
import sys
from datetime import UTC, datetime

from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from connector.app import server, service
from connector.app.server import WebApplication
from connector.intake.journal import Journal
from connector.platforms import PLATFORMS
from connector.platforms.base import IncomingWebhook
from connector.settings import Settings, load_settings
from connector.storage.arrivals import digest_of
from connector.storage.opening import Storage
from connector.storage.tables import Installation, Webhook, WebhookKey, WebhookWork
from tests.bench.places import INSTALLATION
from tests.installations import SECRET

_NOW = datetime.now(UTC)

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


async def _verified(scope: Scope, receive: Receive) -> IncomingWebhook:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    webhook = IncomingWebhook(headers, await _body(receive))
    if PLATFORMS["woocommerce"].verify(webhook, (SECRET,), _NOW).kind != "authentic":
        raise AssertionError("the bench signs every request")
    return webhook


async def verify_only(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, check its signature, answer."""
    await _verified(scope, receive)
    await _answer(send)


def session_each(storage: Storage) -> ASGIApp:
    """Read the body, check its signature, store it in a session of its own, answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        webhook = await _verified(scope, receive)
        await run_in_threadpool(_store, storage, webhook)
        await _answer(send)

    return app


def _store(storage: Storage, webhook: IncomingWebhook) -> None:
    topic = webhook.headers["x-wc-webhook-topic"]
    row_id, now = storage.new_id(), storage.now()
    digest = digest_of(INSTALLATION, topic, webhook.body)
    engine = storage.database.engine.execution_options(connector_writes=True)  # SQLite: BEGIN IMMEDIATE
    with Session(engine) as session:
        if session.get(Installation, INSTALLATION) is None or session.get(WebhookKey, digest) is not None:
            raise AssertionError("the bench sends new webhooks of a known installation")
        session.add(WebhookKey(digest=digest, webhook_id=row_id))
        session.add(
            Webhook(
                id=row_id,
                installation_id=INSTALLATION,
                topic=topic,
                received_at=now,
                digest=digest,
                body=webhook.body,
            )
        )
        session.add(WebhookWork(id=row_id, installation_id=INSTALLATION, run_at=now))
        session.commit()


def with_comparisons(webhooks: ASGIApp, storage: Storage) -> ASGIApp:
    """The four handlers side by side."""
    others: dict[str, ASGIApp] = {
        "/webhooks/empty/x": empty,
        "/webhooks/verify/x": verify_only,
        "/webhooks/session/x": session_each(storage),
    }

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await others.get(scope["path"], webhooks)(scope, receive, send)

    return app


def _create(settings: Settings, storage: Storage, *, delivery: bool = True) -> WebApplication:
    app = _create_app(settings, storage, delivery=delivery)
    return WebApplication(app.pages, with_comparisons(app._webhooks, storage))


def main() -> None:
    """`python -m tests.bench.intake_server PORT group|each CPU`, settings from the environment."""
    port, journal, cpu = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    os.sched_setaffinity(0, {cpu})
    server.create_app = _create
    service._QUIET_SECONDS = float("inf")  # what is stored stays so: the comparison handlers get the whole core
    if journal == "each":
        service.Journal = CommitEach  # type: ignore[misc]
    server.run_server(load_settings(), port=port, delivery=False)


if __name__ == "__main__":
    main()
