"""Single sign-on against an issuer of our own over real sockets: who is let in, and every way it may be forged."""

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.testclient import TestClient

from connector.console.application import routes
from tests.console.world import SUPPORT, World


class Issuer:
    """Discovery, keys and tokens; `claims` and `key` are what the next token is made of."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.signing = self.key
        self.claims: dict[str, object] = {}
        self.form: dict[str, list[str]] = {}
        issuer = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pages = {
                    "/.well-known/openid-configuration": issuer.discovery,
                    "/keys": {"keys": [issuer.key.as_dict(private=False)]},
                }
                self._answer(pages.get(self.path, {}))

            def do_POST(self) -> None:
                issuer.form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                self._answer({"id_token": jwt.encode({"alg": "RS256", "kid": "one"}, issuer.claims, issuer.signing)})

            def _answer(self, value: object) -> None:
                body = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.discovery = {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorise",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
        }
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.server.shutdown()
    made.server.server_close()


def browser_of(world: World, issuer: Issuer, *, allow_private: bool = True) -> TestClient:
    changed = {"oidc_issuer": issuer.address, "oidc_client_id": "console", "allow_private_addresses": allow_private}
    settings = world.settings.model_copy(update=changed)
    return TestClient(
        Starlette(routes=routes(settings, world.storage)), base_url="http://localhost", follow_redirects=False
    )


def begin(client: TestClient, issuer: Issuer, **claims: object) -> str:
    """Start, and have the issuer answer with these claims. Returns the state."""
    answer = client.get("/console/sign-in/single?next=/console/events")
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    now = int(time.time())
    good = {
        "iss": issuer.address,
        "aud": "console",
        "sub": "7",
        "iat": now,
        "exp": now + 60,
        "nonce": asked["nonce"][0],
        "email": SUPPORT,
        "email_verified": True,
    }
    issuer.claims = {name: value for name, value in (good | claims).items() if value is not None}
    return asked["state"][0]


def test_staff_are_let_in_and_led_where_they_wanted(staffed: World, issuer: Issuer) -> None:
    client = browser_of(staffed, issuer)
    state = begin(client, issuer)
    answer = client.get(f"/console/sign-in/single/return?code=abc&state={state}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/events")
    assert issuer.form["code_verifier"]
    assert client.get("/console/").status_code == 200
    assert client.get("/console/staff").status_code == 403


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "stranger@mail.example"},
        {"email_verified": False},
        {"email_verified": "false"},
        {"email": None},
        {"iss": "https://other.example"},
        {"aud": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1000},
        {"sub": None},
    ],
    ids=lambda claims: next(iter(claims)),
)
def test_others_are_not(staffed: World, issuer: Issuer, claims: dict[str, object]) -> None:
    client = browser_of(staffed, issuer)
    state = begin(client, issuer, **claims)
    assert client.get(f"/console/sign-in/single/return?code=abc&state={state}").status_code == 403
    assert client.get("/console/").status_code == 303


def test_a_token_of_another_key_a_foreign_state_and_a_second_use_are_refused(staffed: World, issuer: Issuer) -> None:
    client = browser_of(staffed, issuer)
    state = begin(client, issuer)
    issuer.signing = RSAKey.generate_key(2048, {"kid": "one"})
    assert client.get(f"/console/sign-in/single/return?code=abc&state={state}").status_code == 403
    issuer.signing = issuer.key
    assert client.get(f"/console/sign-in/single/return?code=abc&state={state}").status_code == 403  # used up
    begin(client, issuer)
    assert client.get("/console/sign-in/single/return?code=abc&state=another").status_code == 403
    assert (
        browser_of(staffed, issuer).get(f"/console/sign-in/single/return?code=abc&state={state}").status_code == 403
    )


def test_an_issuer_whose_name_ends_with_a_slash_is_taken_at_its_word(staffed: World, issuer: Issuer) -> None:
    issuer.discovery["issuer"] = f"{issuer.address}/"
    client = browser_of(staffed, issuer)
    state = begin(client, issuer, iss=f"{issuer.address}/")
    assert client.get(f"/console/sign-in/single/return?code=abc&state={state}").status_code == 303
    state = begin(client, issuer, iss=issuer.address)  # not the name that discovery gave
    assert client.get(f"/console/sign-in/single/return?code=abc&state={state}").status_code == 403


def test_discovery_goes_through_the_address_guard(staffed: World, issuer: Issuer) -> None:
    answer = browser_of(staffed, issuer, allow_private=False).get("/console/sign-in/single")
    assert answer.status_code == 403
    assert "127.0.0.1" not in re.sub(r"<[^>]*>", "", answer.text)


def test_it_is_off_until_it_is_configured(staffed: World) -> None:
    client = TestClient(Starlette(routes=routes(staffed.settings, staffed.storage)))
    assert client.get("/console/sign-in/single").status_code == 404
    assert "/sign-in/single" not in client.get("/console/sign-in").text
