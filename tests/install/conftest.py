"""A connector's pages on a real socket, a stand-in store and a stand-in TikTok beside them."""

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connector.demo.store_stand_in import StandInStore
from connector.demo.tiktok_stand_in import Advertiser, StandInTikTok
from connector.install.routes import routes
from connector.install.services import Services, TikTokApp, calls_at_once, calls_from_threads
from connector.outbound import Outbound
from connector.settings import Settings
from connector.storage.opening import Storage, open_storage
from tests.databases import put_migrated_sqlite


class Clock:
    """The time, and how far a test has moved it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def move(self, **parts: float) -> None:
        self.ahead += timedelta(**parts)


@dataclass
class Running:
    """What a test works with."""

    url: str
    services: Services  # with calls that need no server
    clock: Clock
    webhooks: list[tuple[str, bytes]] = field(default_factory=list)
    receiver_status: int = 200

    def browser(self, **options: Any) -> httpx.Client:
        """A fresh browser: its own cookies, redirects followed by hand."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30, **options)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def storage(tmp_path: Path, clock: Clock) -> Iterator[Storage]:
    put_migrated_sqlite(tmp_path)
    opened = open_storage(Settings(data_dir=tmp_path), now=clock)
    yield opened
    opened.close()


@pytest.fixture
def tiktok() -> Iterator[StandInTikTok]:
    with StandInTikTok({"good-token": {"CTESTPIXEL0000000001"}}) as running:
        running.advertisers.append(Advertiser("7001", "My advertiser", {"CTESTPIXEL0000000001": "Main pixel"}))
        running.apps["app-1"] = "app-secret-1"
        yield running


@pytest.fixture
def store(clock: Clock) -> Iterator[StandInStore]:
    with StandInStore(demands_https_callback=False, clock=clock) as running:
        yield running


@pytest.fixture
def connector(storage: Storage, tiktok: StandInTikTok, clock: Clock) -> Iterator[Running]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    outbound = Outbound(allow_private=True)
    services = Services(
        storage=storage,
        calls=calls_from_threads(outbound),
        own_url=url,
        tiktok=TikTokApp(tiktok.url, tiktok.url, "app-1", "app-secret-1"),
        allow_private=True,
    )
    running = Running(url, replace(services, calls=calls_at_once(allow_private=True)), clock)

    async def receive(request: Request) -> Response:
        running.webhooks.append((request.path_params["installation_id"], await request.body()))
        return PlainTextResponse("", running.receiver_status)

    app = Starlette(
        routes=[
            *routes(services),
            Route("/webhooks/woocommerce/{installation_id}", receive, methods=["POST"]),
            Route("/healthz", lambda _: PlainTextResponse("ok")),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield running
    server.should_exit = True
    thread.join(5)


@pytest.fixture
def random_word() -> str:
    return secrets.token_hex(8)
