"""Every page answers, for both roles, and no role reaches what its row of the table does not allow."""

import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from connector.console.application import routes
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


def test_support_may_not_reach_what_only_admins_may(staffed: World) -> None:
    webhook, _ = staffed.add_order()
    client = client_of(staffed, SUPPORT)
    form = {"form_token": token(client, "/console/"), "reason": "because I want to"}
    for page in ADMIN_PAGES:
        assert client.get(page).status_code == 403, page
    for path in (
        f"/console/webhooks/{webhook}/reveal",
        "/console/alerts",
        "/console/staff",
        "/console/staff/1/remove",
    ):
        assert client.post(path, data=form).status_code == 403, path


def test_nobody_reaches_anything_without_signing_in(staffed: World) -> None:
    client = client_of(staffed, None)
    for page in (*PAGES, *ADMIN_PAGES):
        answer = client.get(page, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/console/sign-in?next=")
