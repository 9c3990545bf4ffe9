"""Forms, cookies and headers of the pages."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from connector.pages.cookies import Cookie, SignedTexts
from connector.pages.forms import FormGuard, FormRefused
from connector.pages.security import PageSecurity


def application(guard: FormGuard) -> Starlette:
    async def show(request: Request) -> Response:
        response = PlainTextResponse(guard.token(request))
        guard.keep(request, response)
        return response

    async def take(request: Request) -> Response:
        try:
            form = await guard.read(request)
        except FormRefused as refused:
            return PlainTextResponse("", refused.status)
        return PlainTextResponse(form.get("word") + str(form.all("many")))

    routes = [Route("/", show), Route("/", take, methods=["POST"])]
    return Starlette(routes=routes, middleware=[Middleware(PageSecurity, https=True)])


@pytest.fixture
def browser() -> TestClient:
    guard = FormGuard([b"old key", b"new key"], Cookie("form", 60, https=False), ("own.example",))
    return TestClient(application(guard))


def send(browser: TestClient, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
    token = browser.get("/").text
    return browser.post("/", data={"form_token": token, **fields}, headers=headers)


def test_a_form_of_our_own_page_is_read(browser: TestClient) -> None:
    token = browser.get("/").text

    answer = browser.post("/", data={"form_token": token, "word": " x ", "many": ["a", "b"]})

    assert answer.text == "x['a', 'b']"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://testserver"}, 200),
        ({"origin": "https://own.example"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_the_browsers_word_about_the_origin_counts(browser: TestClient, headers: dict[str, str], status: int) -> None:
    assert send(browser, headers, word="x").status_code == status


def test_a_token_of_another_browser_is_refused(browser: TestClient) -> None:
    stranger = TestClient(browser.app)
    foreign = stranger.get("/").text
    browser.get("/")

    assert browser.post("/", data={"form_token": foreign}).status_code == 403
    assert browser.post("/", data={}).status_code == 403


def test_a_token_made_with_an_older_key_still_fits() -> None:
    cookie = Cookie("form", 60, https=False)
    before = TestClient(application(FormGuard([b"old key"], cookie)))
    token = before.get("/").text
    after = TestClient(application(FormGuard([b"old key", b"new key"], cookie)))
    after.cookies = before.cookies

    assert after.post("/", data={"form_token": token}).status_code == 200


def test_a_form_that_is_too_large_is_refused(browser: TestClient) -> None:
    assert send(browser, word="x" * 70_000).status_code == 413


def test_every_answer_has_its_own_nonce_and_the_headers(browser: TestClient) -> None:
    one, other = (browser.get("/").headers for _ in range(2))

    assert "nonce-" in one["content-security-policy"]
    assert one["content-security-policy"] != other["content-security-policy"]
    assert one["strict-transport-security"].startswith("max-age=")
    assert (one["x-frame-options"], one["x-content-type-options"]) == ("DENY", "nosniff")


def test_cookies_are_bound_to_this_host_on_https() -> None:
    response = Response()
    Cookie("owner", 60, https=True).write(response, "v")

    header = response.headers["set-cookie"].lower()
    assert header.startswith("__host-owner=v;")
    for flag in ("secure", "httponly", "samesite=lax", "path=/"):
        assert flag in header


@given(st.lists(st.text(max_size=20), max_size=4))
def test_signed_texts_come_back_and_pass_through_any_address(parts: list[str]) -> None:
    texts = SignedTexts([b"key"], "purpose")
    signed = texts.sign(*parts)

    assert texts.read(signed, 60) == tuple(parts)
    assert set(signed) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")


@given(st.text(max_size=60))
def test_what_we_did_not_sign_is_nothing(text: str) -> None:
    assert SignedTexts([b"key"], "purpose").read(text, 60) is None


def test_a_signature_is_for_its_purpose_its_keys_and_its_time() -> None:
    signed = SignedTexts([b"key"], "purpose").sign("x")

    assert SignedTexts([b"key"], "another").read(signed, 60) is None
    assert SignedTexts([b"other"], "purpose").read(signed, 60) is None
    assert SignedTexts([b"key", b"newer"], "purpose").read(signed, 60) == ("x",)
    assert SignedTexts([b"key"], "purpose").read(signed, -1) is None
