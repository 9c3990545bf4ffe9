"""Every page answers, for both roles, and no role reaches what its row of the table does not allow."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import delete, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from connector.console.application import _entries, _list_entries, routes
from connector.console.permissions import PERMISSIONS, Action, Role
from connector.console.rendering import ConsolePages
from connector.console.services import console_services
from connector.operations.replay import ReplaySelection, run_replay_steps, start_replay
from connector.storage.tables import EventWork
from connector.storage.tables_console import AuditEntry
from tests.console.world import ADMIN, PASSWORD, SUPPORT, World

PAGES = (
    "/console/", "/console/installations", "/console/webhooks", "/console/events", "/console/attempts",
    "/console/refused", "/console/events?state=held", "/console/replays", "/console/replays/new",
    "/console/tail", "/console/installations/inst1", "/console/installations/inst1?span=30d",
    "/console/installations/inst1/orders/30", "/console/installations/inst1/orders/none",
)  # fmt: skip
ADMIN_PAGES = ("/console/alerts", "/console/audit", "/console/audit?verify=1", "/console/staff")


def client_of(world: World, email: str | None) -> TestClient:
    client = TestClient(Starlette(routes=routes(world.settings, world.storage)), base_url="http://localhost")
    if email:
        sign_in(client, email)
    return client


def token(client: TestClient, path: str = "/console/sign-in") -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', client.get(path).text)
    assert found
    return found[1]


def sign_in(client: TestClient, email: str, password: str = PASSWORD):
    fields = {"email": email, "password": password, "form_token": token(client)}
    return client.post("/console/sign-in", data=fields, follow_redirects=False)


@pytest.mark.parametrize("language", ["en", "de", "es", "fr"])
def test_every_page_answers_in_every_language(staffed: World, language: str) -> None:
    webhook, event = staffed.add_order()
    attempt = staffed.add_attempt([event])
    client = client_of(staffed, ADMIN)
    places = (f"/console/webhooks/{webhook}", f"/console/events/{event}", f"/console/attempts/{attempt}")
    for page in (*PAGES, *ADMIN_PAGES, *places):
        answer = client.get(page, headers={"accept-language": language})
        assert answer.status_code == 200, page
        assert f'<html lang="{language}"' in answer.text
        assert "console." not in re.sub(r"<[^>]*>", "", answer.text), page


def addresses(world: World) -> list[tuple[str, str, Action]]:
    """Every address of the console's own table, with a row that is there in it."""
    webhook, event = world.add_order()
    rows = {"/webhooks/": webhook, "/events/": event, "/attempts/": world.add_attempt([event])}
    found = []
    for method, path, action, _ in entries(world):
        number = next((row for start, row in rows.items() if path.startswith(start)), 1)
        filled = path.replace("{id:int}", str(number)).replace("{id}", "inst1").replace("{order_id}", "30")
        found.append((method, f"/console{filled}", action))
    return found


def entries(world: World) -> Sequence[Any]:
    services = console_services(world.settings, world.storage)
    pages = ConsolePages(services)
    return (*_list_entries(services, pages), *_entries(services, pages))


def test_support_may_not_reach_what_only_admins_may(staffed: World) -> None:
    client = client_of(staffed, SUPPORT)
    form = {"form_token": token(client, "/console/"), "reason": "because I want to"}
    refused = 0
    for method, path, action in addresses(staffed):
        if action in PERMISSIONS[Role.SUPPORT]:
            continue
        for how in {method, "HEAD" if method == "GET" else method}:
            assert client.request(how, path, data=form if how == "POST" else None).status_code == 403, (how, path)
        refused += 1
    assert refused >= 9
    with staffed.storage.database.read() as connection:
        deeds = {row.actor for row in connection.execute(select(AuditEntry.__table__)) if row.action != "sign_in"}
    assert SUPPORT not in deeds


def test_nobody_reaches_anything_without_signing_in(staffed: World) -> None:
    client = client_of(staffed, None)
    form = {"form_token": token(client), "reason": "because I want to"}
    for method, path, _ in addresses(staffed):
        answer = client.request(method, path, data=form if method == "POST" else None, follow_redirects=False)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/console/sign-in?next="), path
        stream = client.request(method, path, headers={"accept": "application/json"}, follow_redirects=False)
        assert stream.status_code == 401, path


def test_every_form_is_refused_without_the_page_s_token_or_from_elsewhere(staffed: World) -> None:
    client = client_of(staffed, ADMIN)
    good = token(client, "/console/")
    posts = [path for method, path, _ in addresses(staffed) if method == "POST"]
    assert len(posts) >= 12
    for path in (*posts, "/console/sign-in"):
        fields = {"reason": "a good reason", "email": ADMIN, "password": PASSWORD, "decision": "send"}
        tries = (
            (fields, {}),
            (fields | {"form_token": "0" * 64}, {}),
            (fields | {"form_token": good}, {"sec-fetch-site": "cross-site"}),
            (fields | {"form_token": good}, {"sec-fetch-site": "same-site"}),
            (fields | {"form_token": good}, {"origin": "https://evil.example"}),
            (fields | {"form_token": good}, {"origin": "null"}),
        )
        for form, headers in tries:
            answer = client.post(path, data=form, headers=headers, follow_redirects=False)
            assert answer.status_code == 403, (path, headers)
        assert client.get(path, follow_redirects=False).status_code in (200, 405), path
    assert client.get("/console/", follow_redirects=False).status_code == 200


def test_another_language_keeps_the_list_and_its_filters(staffed: World) -> None:
    client = client_of(staffed, SUPPORT)
    text = client.get("/console/webhooks?state=ignored&lang=en").text
    assert 'href="?state=ignored&amp;lang=de"' in text
    form = {"form_token": token(client, "/console/"), "q": "nothing there"}
    links = re.findall(r'href="([^"]*lang=de)"', client.post("/console/search", data=form).text)
    assert [client.get(link).status_code for link in links] == [200]


def test_a_cancelled_replay_says_how_many_were_sent_and_how_many_taken_back(staffed: World) -> None:
    for number in range(3):
        staffed.add_order(str(number), state="rejected")
    job_id = start_replay(staffed.storage, ReplaySelection("inst1"), actor=SUPPORT, reason="try", total=3)
    run_replay_steps(staffed.storage)
    client = client_of(staffed, SUPPORT)
    page = client.get(f"/console/replays/{job_id}").text
    assert "Waiting in the replay lane of this store: 3." in page
    with staffed.storage.database.write() as connection:  # one has left
        first = select(EventWork.__table__.c.id).order_by(EventWork.__table__.c.id).limit(1).scalar_subquery()
        connection.execute(delete(EventWork.__table__).where(EventWork.__table__.c.id == first))
    form = {"form_token": token(client, "/console/")}
    page = client.post(f"/console/replays/{job_id}/cancel", data=form).text
    assert "1 sent before it was stopped, 2 taken back." in page
    assert f'action="/console/replays/{job_id}/cancel"' not in page
    audit = client_of(staffed, ADMIN).get("/console/audit").text
    assert "cancelled a replay" in audit
    assert "took back the rest of a replay" in audit
