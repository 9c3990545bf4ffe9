"""`/collect` and `/pixel` over a real socket: what is taken, what is refused, what is stored."""

import asyncio
import contextlib
import gzip
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from starlette.applications import Starlette

from connector.core.store_events import ConsentStatus, ProductViewed
from connector.errors import WebhookRefused
from connector.intake.beacon_bodies import read_beacon
from connector.intake.beacons import BeaconLimits, beacon_routes
from connector.intake.journal import Journal
from connector.intake.pixel_route import pixel_routes
from connector.intake.processing import Processor
from connector.intake.published import PublishedInstallations
from connector.platforms import PLATFORMS
from connector.platforms.base import ReadContext, VerifiedWebhook
from connector.storage.arrivals import Arrival, ArrivalWriter, digest_of
from connector.storage.installations import change_installation
from connector.storage.opening import Storage
from connector.storage.spool import Spool
from connector.storage.tables import Event, Webhook
from tests.clock import Clock
from tests.installations import PIXEL, add_installation

LIBRARY = "https://analytics.tiktok.com/i18n/pixel/events.js"
SHOP = "https://shop.example"
VISITOR = "0c8f5b1c6f0e4d0b9a35e0f3a1b2c3d4"
EVENT_ID = "21" * 16
VIEW: dict[str, Any] = {
    "name": "ViewContent",
    "event_id": EVENT_ID,
    "product_id": 18,
    "variation_id": 0,
    "visitor": VISITOR,
    "ttclid": "E.C.P.abc",
    "page": "https://shop.example/product/hoodie/?key=wc_order_x&utm_source=tiktok",
    "referrer": "https://www.tiktok.com/",
    "country": "US",
    "consent": {"status": "granted", "at": "2026-11-22T07:41:50.000Z", "source": "javascript"},
    "price": "0.01",
    "order": {"id": 1, "key": "wc_order_x"},
}
_webhook, _event = Webhook.__table__, Event.__table__  # type: ignore[attr-defined]


class Intake:
    """A running server with the two routes."""

    def __init__(self, url: str, storage: Storage) -> None:
        self.url = url
        self.storage = storage

    def collect(self, body: Any = VIEW, public_id: str = "public-installation1", **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Origin": SHOP, "Content-Type": "text/plain;charset=UTF-8", "User-Agent": "Mozilla/5.0 (X11)"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{self.url}/collect/{public_id}", content=content, headers=sent | named)

    def stored(self) -> list[tuple[str, str, dict[str, Any]]]:
        with self.storage.database.read() as connection:
            rows = connection.execute(select(_webhook).where(_webhook.c.source == "browser").order_by(_webhook.c.id))
            return [(row.topic, row.source, json.loads(row.body)) for row in rows]


@pytest.fixture
def start(storage: Storage, tmp_path: Path) -> Iterator[Callable[..., Intake]]:
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def begin(limits: BeaconLimits = BeaconLimits()) -> Intake:  # noqa: B008
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(_app(storage, tmp_path, limits), log_config=None))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        running.append((server, thread))
        while not server.started:
            time.sleep(0.005)
        return Intake(f"http://127.0.0.1:{listener.getsockname()[1]}", storage)

    yield begin
    for server, thread in running:
        server.should_exit = True
        thread.join(10)


def _app(storage: Storage, folder: Path, limits: BeaconLimits) -> Starlette:
    journal = Journal(storage, Spool(folder / "spool"))
    published = PublishedInstallations(storage, max_age=0.0)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        journal.start()
        yield
        await journal.stop()

    routes = [*beacon_routes(storage, published, journal, limits), *pixel_routes(published, LIBRARY)]
    return Starlette(routes=routes, lifespan=lifespan)


@pytest.fixture
def intake(start: Callable[..., Intake], storage: Storage) -> Intake:
    add_installation(storage, views_direct=True)
    return start()


def test_a_view_is_stored_as_the_plugin_would_tell_it(intake: Intake, clock: Clock) -> None:
    answer = intake.collect()
    assert (answer.status_code, answer.content) == (204, b"")
    ((topic, source, body),) = intake.stored()
    assert (topic, source, body["witness"]) == ("storefront.product_viewed", "browser", "browser")
    event = PLATFORMS["woocommerce"].read(
        VerifiedWebhook(topic, json.dumps(body).encode(), clock()), ReadContext(SHOP)
    )
    assert isinstance(event, ProductViewed)
    assert (event.event_id, event.item.product_id, event.happened_at) == (EVENT_ID, 18, clock())
    assert (event.visit.ip, event.visit.user_agent) == ("127.0.0.1", "Mozilla/5.0 (X11)")
    assert (event.visit.visitor_id, event.visit.country) == (VISITOR, "US")
    assert event.visit.page_url == "https://shop.example/product/hoodie/?utm_source=tiktok"
    assert event.consent.status is ConsentStatus.GRANTED


def test_money_and_orders_never_come_from_the_browser(intake: Intake) -> None:
    intake.collect(VIEW | {"sku": "FORGED", "currency": "USD", "item": {"price": "1"}, "value": "1", "order_id": 9})
    ((_, _, body),) = intake.stored()
    assert body["item"] == {"product_id": 18, "variation_id": 0, "quantity": 1}
    assert not {"order", "order_id", "value", "currency"} & body.keys()
    assert "wc_order" not in json.dumps(body)


def test_price_and_sku_come_from_what_the_store_told(
    start: Callable[..., Intake], storage: Storage, clock: Clock
) -> None:
    installation = add_installation(storage, views_direct=True)
    item = {"product_id": 18, "variation_id": 0, "sku": "HOOD", "name": "Hoodie", "price": "46.41", "currency": "EUR"}
    for source, price in (("store", "46.41"), ("browser", "0.01")):
        body = json.dumps({"event_id": price, "item": item | {"price": price, "quantity": 3}}).encode()
        digest = digest_of(installation.id, "cart.item_added", body)
        ArrivalWriter(storage.database).write(
            [
                Arrival(
                    storage.new_id(), installation.id, "cart.item_added", clock(), digest, "{}", body, source=source
                )
            ]
        )
    intake = start()
    assert intake.collect().status_code == 204
    ((_, _, _), (_, _, body)) = intake.stored()
    assert body["item"] == item | {"quantity": 1}
    Processor(storage, 30).run_once()
    with storage.database.read() as connection:
        row = connection.execute(select(_event).where(_event.c.event_id == EVENT_ID)).one()
    assert (row.name, str(row.value), row.currency, row.browser_copy) == ("ViewContent", "46.41", "EUR", True)


@pytest.mark.parametrize("consent", [{"status": "denied"}, {"status": "unknown"}, None, "granted"])
def test_without_permission_nothing_of_the_visitor_is_kept(
    start: Callable[..., Intake], storage: Storage, consent: Any
) -> None:
    add_installation(storage, views_direct=True, consent_policy="by_region")
    intake = start()
    assert intake.collect(VIEW | {"consent": consent, "country": "DE"}).status_code == 204
    ((_, _, body),) = intake.stored()
    assert body["visitor"] == {"country": "DE"}
    assert "page" not in body


def test_a_withdrawal_names_its_visitor_only(intake: Intake, clock: Clock) -> None:
    consent = {"status": "denied", "at": "2099-01-01T00:00:00Z", "source": "javascript"}
    answer = intake.collect({"name": "consent_changed", "visitor": VISITOR, "consent": consent, "order": {"id": 5}})
    assert answer.status_code == 204
    ((topic, _, body),) = intake.stored()
    assert topic == "storefront.consent_changed"
    assert body["visitor"] == {"country": None, "id": VISITOR}
    assert body["consent"]["at"] == clock().isoformat(timespec="seconds")  # a clock that runs ahead outranks nobody
    assert "order_id" not in body


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "not_json"),
        (b"[1]", 400, "not_json"),
        (VIEW | {"name": "CompletePayment"}, 400, "name_not_taken"),
        (VIEW | {"name": "Purchase"}, 400, "name_not_taken"),
        (VIEW | {"name": "AddToCart"}, 400, "name_not_taken"),
        (VIEW | {"name": ["ViewContent"]}, 400, "name_not_taken"),
        (VIEW | {"event_id": "A" * 32}, 400, "field_missing"),
        (VIEW | {"product_id": True}, 400, "field_missing"),
        (VIEW | {"product_id": -1}, 400, "field_missing"),
        ({"name": "consent_changed", "consent": {"status": "denied"}}, 400, "field_missing"),
        (VIEW | {"search": "x" * 5000}, 413, "body_too_large"),
    ],
)
def test_what_is_refused(intake: Intake, body: Any, status: int, reason: str) -> None:
    answer = intake.collect(body)
    assert (answer.status_code, answer.json()["error"]) == (status, reason)
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert intake.stored() == []


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://shop.example.evil.example", "https://shop.example:x"]
)
def test_foreign_pages_are_refused_and_get_no_leave_to_read(intake: Intake, origin: str) -> None:
    answer = intake.collect(Origin=origin)
    assert (answer.status_code, answer.json()["error"]) == (403, "foreign_origin")
    assert "access-control-allow-origin" not in answer.headers
    assert intake.stored() == []


def test_the_stores_own_pages_may_ask_first(intake: Intake) -> None:
    answer = httpx.options(
        f"{intake.url}/collect/public-installation1", headers={"Origin": "https://www.shop.example"}
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://www.shop.example"
    assert "Origin" in answer.headers["vary"]


def test_only_while_the_setting_is_on(start: Callable[..., Intake], storage: Storage, clock: Clock) -> None:
    installation = add_installation(storage)
    intake = start()
    answer = intake.collect()
    assert (answer.status_code, answer.json()["error"]) == (403, "views_not_direct")
    clock.advance(seconds=1)
    with storage.database.write() as connection:
        settings = installation.settings.model_copy(update={"views_direct": True})
        change_installation(connection, installation.id, clock(), settings=settings)
    assert intake.collect().status_code == 204
    clock.advance(seconds=1)
    with storage.database.write() as connection:
        change_installation(connection, installation.id, clock(), state="removed")
    assert intake.collect().status_code == 410
    assert intake.collect(public_id="nobody").status_code == 404


def test_too_many_from_one_address_or_for_one_store(start: Callable[..., Intake], storage: Storage) -> None:
    add_installation(storage, views_direct=True)
    by_address = start(BeaconLimits(per_address="3/hour"))
    answers = [by_address.collect(VIEW | {"event_id": f"{n:032x}"}).status_code for n in range(5)]
    assert answers == [204, 204, 204, 429, 429]
    by_store = start(BeaconLimits(per_store="2/hour"))
    answers = [by_store.collect(VIEW | {"event_id": f"{n:032x}"}).status_code for n in range(10, 14)]
    assert answers == [204, 204, 429, 429]


def test_a_store_over_its_rate_notes_no_more_addresses(start: Callable[..., Intake], storage: Storage) -> None:
    """Nor does an address over its own use up its store's."""
    add_installation(storage, views_direct=True)
    by_store = start(BeaconLimits(per_address="3/hour", per_store="2/hour"))
    answers = [by_store.collect(VIEW | {"event_id": f"{n:032x}"}) for n in range(20, 26)]
    assert [one.json()["error"] for one in answers[2:]] == ["store_too_busy"] * 4
    by_address = start(BeaconLimits(per_address="1/hour", per_store="2/hour"))
    answers = [by_address.collect(VIEW | {"event_id": f"{n:032x}"}) for n in range(30, 34)]
    assert [one.json()["error"] for one in answers[1:]] == ["too_often"] * 3


def test_the_script_is_cached_and_packed(intake: Intake) -> None:
    address = f"{intake.url}/pixel/public-installation1.js"
    answer = httpx.get(address)
    assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"].startswith("public, max-age=600")
    assert PIXEL in answer.text
    again = httpx.get(address, headers={"If-None-Match": f'"other", W/{answer.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    plain = httpx.get(address, headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers
    assert (plain.text, plain.headers["etag"] != answer.headers["etag"]) == (answer.text, True)
    assert len(gzip.compress(plain.content, 9)) <= 3 * 1024
    assert httpx.head(address).status_code == 200
    assert httpx.get(f"{intake.url}/pixel/nobody.js").status_code == 404


def test_a_paused_installation_serves_a_script_that_does_nothing(
    start: Callable[..., Intake], storage: Storage, clock: Clock
) -> None:
    installation = add_installation(storage)
    intake = start()
    address = f"{intake.url}/pixel/public-installation1.js"
    before = httpx.get(address)
    for state in ("paused", "removed"):
        clock.advance(seconds=1)
        with storage.database.write() as connection:
            change_installation(connection, installation.id, clock(), state=state)
        answer = httpx.get(address, headers={"If-None-Match": before.headers["etag"]})
        assert answer.status_code == 200
        assert PIXEL not in answer.text
        assert answer.text.startswith("/*")
        assert answer.text.rstrip().endswith("*/")
    clock.advance(seconds=1)
    with storage.database.write() as connection:
        change_installation(connection, installation.id, clock(), state="active", pixel_code="CNEW")
    assert "CNEW" in httpx.get(address).text


def test_memory_serves_while_the_database_is_away(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    add_installation(storage, views_direct=True)

    async def ask() -> list[object]:
        published = PublishedInstallations(storage, max_age=0.0)
        found = [await published.get("public-installation1")]
        with monkeypatch.context() as patched:
            patched.setattr(type(storage.database), "read", _broken)
            found.append(await published.get("public-installation1"))
        return found

    before, after = asyncio.run(ask())
    assert before is not None
    assert before == after


def _broken(*_: object) -> None:
    raise OSError("the database is away")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*VIEW, "search", "ttp", "gpc", "consent"]), _json), st.booleans())
def test_any_json_is_read_or_refused(changes: dict[str, Any], is_named: bool) -> None:
    said = VIEW | changes | ({"name": "ViewContent"} if is_named else {})
    clock = Clock()
    status, stated_at = 200, None
    try:
        stated_at = read_beacon(json.dumps(said).encode("utf-8", "replace"), clock()).consent.stated_at
    except WebhookRefused as refused:
        status = refused.status
    assert status in (200, 400)
    assert stated_at is None or stated_at <= clock()
