"""The console in a real browser, for both roles; pictures of every page go to `connector/console/docs`."""

import csv
import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import delete, insert, update
from starlette.applications import Starlette

from connector.console.application import routes
from connector.console.staff import add_staff
from connector.core.row_ids import RowIds
from connector.operations.replay import ReplaySelection, start_replay
from connector.settings import Settings
from connector.storage.opening import Storage, open_storage
from connector.storage.tables import Event, Webhook
from connector.storage.tables_console import ReplayJob, SignInCount
from tests.console.contrast import faint_texts
from tests.console.pictures import keep_picture
from tests.console.seeding import seed
from tests.console.world import ADMIN, KEY, PASSWORD, SUPPORT, World
from tests.databases import put_migrated_sqlite

pytestmark = pytest.mark.browser
DOCS = Path(__file__).resolve().parents[2] / "connector" / "console" / "docs"
ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
).split()
NOW = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)


class Site:
    """A running console over a seeded database whose clock stands still, so that its pictures stay the same."""

    def __init__(self, folder: Path) -> None:
        put_migrated_sqlite(folder)
        settings = Settings(data_dir=folder, secret_keys=KEY)  # type: ignore[arg-type]
        ids = RowIds(lambda: int(NOW.timestamp() * 1000), lambda below: below // 2)
        self.storage = replace(open_storage(settings, now=lambda: NOW), _ids=ids)
        self.world = World(self.storage, settings)
        self.world.add_installation()
        add_staff(self.storage, SUPPORT, "support", PASSWORD)
        add_staff(self.storage, ADMIN, "admin", PASSWORD)
        self.ids = seed(self.world)
        listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        app = Starlette(routes=routes(settings, self.storage))
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)
        self.storage.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _attempts_begin_anew(site: Site) -> None:
    """Each test signs in, some several times: together they are more than a person may within minutes."""
    with site.storage.database.write() as connection:
        connection.execute(delete(SignInCount.__table__))  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of its own: what other tests do must not be in the pictures."""
    made = Site(tmp_path_factory.mktemp("pictured"))
    rejected = ReplaySelection("inst1", state="rejected")
    reason = "The value was mended"
    made.ids["job"] = start_replay(made.storage, rejected, actor=SUPPORT, reason=reason, total=1)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CONNECTOR_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


def open_page(browser: Browser, site: Site, email: str, *, width: int = 1280, dark: bool = False) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 860},
        color_scheme="dark" if dark else "light",
        timezone_id="Europe/Berlin",
        locale="en-GB",
        base_url=site.address,
    )
    context.clock.set_fixed_time(NOW)
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.faults = []  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.faults.append(str(error)))  # type: ignore[attr-defined]
    page.on("console", lambda line: page.faults.append(line.text) if line.type == "error" else None)  # type: ignore[attr-defined]
    page.goto("/console/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/console/")
    return page


def test_search_leads_to_the_journey_and_the_verdict(browser: Browser, site: Site) -> None:
    page = open_page(browser, site, SUPPORT)
    page.keyboard.press("/")
    page.keyboard.type("carla.kundin@example.com")
    page.keyboard.press("Enter")
    page.wait_for_url("**/installations/inst1/orders/30")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Order 30")
    text = page.locator("main").inner_text()
    for said in ("TikTok has taken this event.", "came again (2 ×)", "req-20261122-a", "req-20261122-b",
                 "51004", "10012 ms", "consent granted", "WP Consent API", "2 × Mug", "35.58 EUR"):  # fmt: skip
        assert said in text, said
    at = page.locator("time[data-moment]").first
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", at.get_attribute("title") or "")
    assert page.faults == []  # type: ignore[attr-defined]


def test_every_situation_has_its_diagnosis(browser: Browser, site: Site) -> None:
    page = open_page(browser, site, SUPPORT)
    for order, cause in (
        ("31", "The store told nothing about consent"),
        ("32", "The purchase is held"),
        ("33", "TikTok refused a field of this event."),
        ("34", "TikTok asks for fewer calls."),
        ("35", "The order is not paid yet: its status is pending"),
        ("404", "Nothing about this order has arrived"),
    ):
        page.goto(f"/console/installations/inst1/orders/{order}")
        expect(page.locator(".finding-cause").first).to_contain_text(cause)
        expect(page.get_by_text("Who must act").first).to_be_visible()


def test_filters_columns_saved_links_and_exports(browser: Browser, site: Site, tmp_path: Path) -> None:
    page = open_page(browser, site, SUPPORT)
    page.goto("/console/events")
    page.locator("summary", has_text="Filters").click()
    page.locator("#f-state").select_option("rejected")
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="Currency").uncheck()
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**state=rejected**")
    assert "currency" not in re.search(r"cols=([^&]*)", page.url)[1]  # type: ignore[index]
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_role("columnheader", name="Currency")).to_have_count(0)
    for kind in ("CSV", "JSON"):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=kind, exact=True).click()
        waiting.value.save_as(tmp_path / kind)
    assert [row["state"] for row in csv.DictReader((tmp_path / "CSV").open())] == ["rejected"]
    assert [row["order_id"] for row in json.loads((tmp_path / "JSON").read_text())] == ["33"]
    page.get_by_label("Name of the link").fill("Rejected ones")
    page.get_by_role("button", name="Save this list").click()
    page.goto("/console/events")
    page.get_by_role("link", name="Rejected ones").click()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_what_support_may_not_do_is_neither_shown_nor_possible(browser: Browser, site: Site) -> None:
    page = open_page(browser, site, SUPPORT)
    webhook = site.ids["delivered"][0]
    page.goto(f"/console/webhooks/{webhook}")
    expect(page.get_by_text("Only an administrator can reveal")).to_be_visible()
    assert page.get_by_role("link", name="Staff").count() == 0
    token = page.locator('input[name="form_token"]').first.input_value()
    for path in ("/console/staff", "/console/alerts", "/console/audit", "/console/audit/export"):
        assert page.goto(path).status == 403  # type: ignore[union-attr]
    form = {"form_token": token, "reason": "I want to see it"}
    for path in (f"/console/webhooks/{webhook}/reveal", "/console/staff", "/console/alerts"):
        assert page.request.post(path, form=form).status == 403


def test_an_admin_reveals_with_a_reason(browser: Browser, site: Site) -> None:
    page = open_page(browser, site, ADMIN)
    page.goto(f"/console/webhooks/{site.ids['delivered'][0]}")
    assert '"email": "••••"' in page.locator("pre.raw").inner_text()
    page.get_by_text("Reveal in clear").click()
    page.locator("#reveal-reason").fill("Customer asked what we hold")
    page.get_by_role("button", name="Reveal", exact=True).click()
    expect(page.get_by_text("in clear", exact=True)).to_be_visible()
    assert "••••" not in page.locator("pre.raw").inner_text()
    page.goto("/console/audit")
    expect(page.get_by_text("Customer asked what we hold")).to_be_visible()
    page.get_by_role("link", name="Verify the chain").click()
    expect(page.get_by_role("status")).to_contain_text("The chain is whole")


def test_a_held_event_is_decided_and_a_rejected_one_replayed(browser: Browser, site: Site) -> None:
    page = open_page(browser, site, SUPPORT)
    page.goto("/console/replays/new?installation=inst1&state=rejected")
    expect(page.locator(".plan-total")).to_have_text("Events selected: 1; would be sent: 1.")
    page.locator("#replay-reason").fill("Value was mended")
    page.get_by_role("button", name="Send again (1)").click()
    expect(page.locator("progress.job")).to_have_attribute("value", "1")
    expect(page.locator("h1")).to_contain_text("running")  # nobody delivers here: it waits
    page.goto("/console/installations/inst1/orders/33")
    expect(page.locator("h1")).to_contain_text("pending")
    page.goto("/console/installations/inst1/orders/32")
    page.get_by_label("Reason (for the audit log)").fill("Not in Events Manager")
    page.get_by_role("button", name="Send it").click()
    expect(page.locator("h1")).to_contain_text("pending")


def test_a_running_replay_moves_on_and_leaves_the_focus_where_it_is(browser: Browser, site: Site) -> None:
    """By keys alone somebody has to get to the button that cancels it, and the page looks anew every two seconds."""
    selection = ReplaySelection("inst3", state="rejected")
    job_id = start_replay(site.storage, selection, actor=SUPPORT, reason="The value was mended", total=5)
    page = open_page(browser, site, SUPPORT)
    page.goto(f"/console/replays/{job_id}")
    page.get_by_role("button", name="Cancel").focus()
    with site.storage.database.write() as connection:
        connection.execute(update(ReplayJob.__table__).where(ReplayJob.__table__.c.id == job_id).values(replayed=4))
    expect(page.locator("progress.job")).to_have_attribute("value", "4")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("4 sent before it was stopped, 0 taken back.")
    expect(page.locator("h1")).to_contain_text("cancelled")
    assert page.faults == []  # type: ignore[attr-defined]


def test_the_tail_shows_what_arrives_and_stays_smooth(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=site.address, viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.goto("/console/")
    page.get_by_label("E-mail").fill(SUPPORT)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/console/")
    page.goto("/console/tail?kind=webhook&text=order")
    expect(page.locator("[data-tail-status]")).to_have_text("Live")
    time.sleep(1.2)  # the first look only notes what was there before
    real = replace(site.storage, _ids=RowIds(lambda: time.time_ns() // 1_000_000, lambda below: below // 3))
    arriving = World(real, site.world.settings)
    for number in range(30):
        arriving.add_webhook("order.created" if number % 2 else "product.updated", b"{}")
    expect(page.locator("[data-tail-count]")).to_have_text("15")
    assert page.locator(".tail-row").count() == 15
    longest = page.evaluate(
        """async () => { let longest = 0, before = performance.now(), end = before + 1000;
        while (before < end) { await new Promise(requestAnimationFrame); const now = performance.now();
        longest = Math.max(longest, now - before); before = now; } return longest; }"""
    )
    print(f"longest frame {longest:.0f} ms")
    page.get_by_role("button", name="Pause").click()
    arriving.add_webhook("order.updated", b"{}")
    expect(page.locator("[data-tail-count]")).to_have_text("16")
    assert page.locator(".tail-row").count() == 15
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".tail-row")).to_have_count(16)
    context.close()


def places(site: Site) -> dict[str, str]:
    """Every page by the name of its picture."""
    ids: dict[str, Any] = site.ids
    return {
        "overview": "/console/", "installations": "/console/installations",
        "installation": "/console/installations/inst2",
        "webhooks": "/console/webhooks", "events": "/console/events?state=delivered", "attempts": "/console/attempts",
        "refused": "/console/refused", "order": "/console/installations/inst1/orders/30",
        "order-withheld": "/console/installations/inst1/orders/31", "webhook": f"/console/webhooks/{ids['cart']}",
        "event": f"/console/events/{ids['older_delivered'][1]}", "attempt": f"/console/attempts/{ids['attempt']}",
        "replay": "/console/replays/new?installation=inst1", "replays": "/console/replays", "tail": "/console/tail",
        "installation-busy": "/console/installations/inst1", "replay-job": f"/console/replays/{ids['job']}",
        "order-held": "/console/installations/inst1/orders/32", "events-none": "/console/events?state=dead",
        "webhook-unread": f"/console/webhooks/{ids['unreadable']}",
        "alerts": "/console/alerts", "audit": "/console/audit", "staff": "/console/staff",
    }  # fmt: skip


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_every_page_fits_both_widths_and_is_pictured(
    browser: Browser, pictured: Site, width: int, dark: bool
) -> None:
    page = open_page(browser, pictured, ADMIN, width=width, dark=dark)
    DOCS.mkdir(exist_ok=True)
    for name, path in places(pictured).items():
        page.goto(path)
        if name == "tail":
            expect(page.locator("[data-tail-status]")).to_have_text("Live")
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{name} is {wider} pixels too wide at {width}"
        unnamed = page.evaluate(
            """[...document.querySelectorAll("button, a, input:not([type=hidden]), select")].filter((element) =>
            !(element.textContent.trim() || element.ariaLabel || element.title || element.labels?.length
            || element.placeholder
            || element.querySelector("[aria-label]"))).map((element) => element.outerHTML)"""
        )
        assert unnamed == [], name
        assert faint_texts(page) == [], name
        keep_picture(browser, page, DOCS / f"{name}-{width}.jpg")
    assert page.evaluate("document.documentElement.dataset.bsTheme") == ("dark" if dark else "light")
    assert page.faults == []  # type: ignore[attr-defined]


def test_everything_is_reached_by_keyboard(browser: Browser, site: Site) -> None:
    page = open_page(browser, site, SUPPORT)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.innerText || document.activeElement.ariaLabel || ''").strip())
    assert {"24 hours", "7 days", "Deutsch"} <= seen


def test_the_tail_stays_smooth_at_five_hundred_a_second(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=site.address, viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.goto("/console/")
    page.get_by_label("E-mail").fill(SUPPORT)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/console/")
    page.goto("/console/tail")
    expect(page.locator("[data-tail-status]")).to_have_text("Live")
    page.evaluate(
        """() => { window.drawn = []; new MutationObserver((changes) => changes.forEach((one) =>
        window.drawn.push(one.addedNodes.length))).observe(document.querySelector("[data-tail-rows]"),
        {childList: true}); }"""
    )
    time.sleep(1.2)
    real = replace(site.storage, _ids=RowIds(lambda: time.time_ns() // 1_000_000, lambda below: below // 5))
    rows = 0
    for _ in range(16):  # a quarter of a second each
        started = time.monotonic()
        rows += add_rows(real, 125)
        time.sleep(max(0.0, 0.25 - (time.monotonic() - started)))
    expect(page.locator("[data-tail-count]")).to_have_text(str(rows), timeout=10_000)
    assert page.locator("[data-tail-dropped]").inner_text() == "0"
    expect(page.locator(".tail-row")).to_have_count(200)
    drawn = page.evaluate("window.drawn")
    assert sum(drawn) >= 200
    assert max(drawn) <= 25  # in one frame: keys and clicks get their turn between two of them
    context.close()


def add_rows(storage: Storage, count: int) -> int:
    """So many webhooks, and as many events."""
    ids, now = storage.new_ids(2 * count), datetime.now(UTC)
    webhooks = [
        {"id": one, "installation_id": "inst1", "topic": "order.updated", "received_at": now, "headers": "{}",
         "digest": one.to_bytes(16, "big"), "body": b"{}", "body_encoding": "raw", "source": "store",
         "state": "processed", "reason": ""}
        for one in ids[:count]
    ]  # fmt: skip
    events = [
        {"id": one, "installation_id": "inst1", "webhook_id": ids[0], "event_id": f"tail-{one}",
         "name": "CompletePayment", "state": "pending", "event_time": now, "created_at": now, "updated_at": now}
        for one in ids[count:]
    ]  # fmt: skip
    with storage.database.write() as connection:
        connection.execute(insert(Webhook.__table__), webhooks)
        connection.execute(insert(Event.__table__), events)
    return len(ids)
