"""Addresses and forms that no page of ours makes: a clear answer in words, never a fault of the server."""

from itertools import cycle, product

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.testclient import TestClient

from connector.console import list_pages
from connector.console.application import routes
from tests.console.test_pages_render import sign_in, token
from tests.console.world import ADMIN, World

HUGE = ("9" * 19, "9223372036854775808", "9" * 40, "0")
ODD = (
    "%00", "²", "--5", "-", "٣", "%F0%9F%92%A9", "%ED%A0%80", "%FF", "a" * 5000, "%0d%0aset-cookie:a=b", "'; DROP--",
    "..%2f..", "%25", "[]", "{}", "null", "1e400", "NaN", "-1",
)  # fmt: skip
TIMES = ("0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "0001-01-01", "9999-12-31", "2026-02-30", "²",
         "1969-12-31", "2026-11-22T12:00:00%2B99:00")  # fmt: skip
LISTS = ("webhooks", "events", "attempts", "refused")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(staffed: World) -> TestClient:
    _, made_event = staffed.add_order()
    staffed.add_attempt([made_event])
    made = TestClient(
        Starlette(routes=routes(staffed.settings, staffed.storage)),
        base_url="http://localhost",
        raise_server_exceptions=False,
        follow_redirects=False,
    )
    sign_in(made, ADMIN)
    return made


def faults_of(client: TestClient, paths: list[str]) -> list[tuple[str, int]]:
    found = []
    for path in paths:
        answer = client.get(path)
        if answer.status_code >= 500:
            found.append((path, answer.status_code))
    return found


def test_ids_out_of_range_are_not_found(client: TestClient) -> None:
    places = ("webhooks/{}", "webhooks/{}/body", "events/{}", "attempts/{}", "replays/{}")
    paths = [f"/console/{place.format(number)}" for place, number in product(places, HUGE)]
    assert faults_of(client, paths) == []
    assert {client.get(path).status_code for path in paths} == {404}


def test_forms_about_ids_out_of_range_are_refused(client: TestClient) -> None:
    form = {"form_token": token(client, "/console/"), "reason": "a good reason", "decision": "send"}
    places = ("webhooks/{}/reveal", "webhooks/{}/replay", "events/{}/decide", "replays/{}/cancel",
              "alerts/{}/remove", "links/{}/remove", "staff/{}/remove")  # fmt: skip
    answers = {
        path: client.post(path, data=form).status_code
        for path in (f"/console/{place.format(number)}" for place, number in product(places, HUGE))
    }
    assert {path: status for path, status in answers.items() if status not in (303, 400, 404)} == {}


def test_filters_of_lists_take_anything(client: TestClient) -> None:
    names = ("installation", "topic", "state", "reason", "code", "http_status", "status", "order_id", "event_id",
             "request_id", "before", "after", "sort", "cols", "size", "lang", "name", "format")  # fmt: skip
    # Each filter of each list with three of the texts in turn: every text meets every list and most filters.
    texts = cycle((*ODD, *HUGE))
    paths = [f"/console/{one}?{name}={next(texts)}" for one, name, _ in product(LISTS, names, range(3))]
    paths += [f"/console/{one}?{name}={text}" for one, name, text in product(LISTS, ("since", "until"), TIMES)]
    paths += [f"/console/{one}/export?format={kind}&since={text}" for one, kind, text in
              product(LISTS, ("csv", "json"), TIMES)]  # fmt: skip
    paths += [f"/console/{one}/export?before={text}&code={text}&installation={text}" for one, text in
              product(LISTS, (*ODD, *HUGE))]  # fmt: skip
    assert faults_of(client, paths) == []


def test_other_pages_take_anything(client: TestClient) -> None:
    addresses = """installations?q={} installations/{} installations/{}/orders/1 installations/inst1/orders/{}
        installations/inst1?span={} ?span={} audit?before={} audit?actor={}&action={} tail?text={} sign-in?next={}
        tail?kind={}&installation={} replays/new?installation={} nothing/{} links/{} search
        replays/new?installation=inst1&event={} replays/new?installation=inst1&webhook={}
        replays/new?installation=inst1&of=webhooks&topic={}&why={}&order_id={}""".split()
    texts = cycle((*ODD, *HUGE))
    paths = [f"/console/{address.replace('{}', next(texts))}" for address, _ in product(addresses, range(10))]
    paths += [f"/console/replays/new?installation=inst1&of={of}&since={text}&until={text}" for of, text in
              product(("events", "webhooks"), TIMES)]  # fmt: skip
    assert faults_of(client, paths) == []


def test_forms_take_anything(client: TestClient) -> None:
    good = token(client, "/console/")
    odd = [bytes.fromhex(text) for text in ("00", "ff", "eda080", "f09f92a9", "0d0a", "c2b2")] + [
        b"9" * 19,
        b"x" * 3000,
    ]
    forms = {
        "search": "q", "links": "title address", "alerts": "kind threshold target installation secret",
        "staff": "email role password", "replays": "installation event webhook since reason",
    }  # fmt: skip
    found = []
    for (place, names), text in product(forms.items(), odd):
        escaped = "".join(f"%{byte:02x}" for byte in text)
        whole = f"form_token={good}&" + "&".join(f"{name}={escaped}" for name in names.split())
        kind = {"content-type": "application/x-www-form-urlencoded"}
        status = client.post(f"/console/{place}", content=whole, headers=kind).status_code
        if status >= 500:
            found.append((place, text, status))
    assert found == []


def test_another_method_is_refused_in_words(client: TestClient) -> None:
    for method, path in (("GET", "/console/search"), ("PUT", "/console/"), ("DELETE", "/console/webhooks")):
        answer = client.request(method, path)
        assert answer.status_code == 405
        assert "<h1" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_database_that_does_not_answer_is_said_in_words(staffed: World, client: TestClient) -> None:
    staffed.storage.database.engine.dispose()

    @event.listens_for(staffed.storage.database.engine, "before_cursor_execute")
    def fail(*_: object) -> None:
        raise OperationalError("SELECT 'somebody@mail.example'", {}, Exception("canceling statement"))

    try:
        answer = client.get("/console/webhooks")
    finally:
        event.remove(staffed.storage.database.engine, "before_cursor_execute", fail)
    assert answer.status_code == 503
    assert "did not answer in time" in answer.text
    assert "somebody@" not in answer.text


def test_a_fault_of_ours_is_said_without_its_details(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, staffed: World
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("somebody@mail.example")

    monkeypatch.setattr(list_pages, "read_page", broken)
    answer = client.get("/console/webhooks")
    assert answer.status_code == 500
    assert "<h1" in answer.text
    assert "somebody@" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
