"""Authorisation and pixels, both as bare values and against the stand-in's real socket."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.http_values import OutgoingRequest, Reply
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.tiktok import oauth

APP = {"app_id": "stand-in-app", "secret": "stand-in-app-secret"}
RETURN = "https://connector.example/install/tiktok/return"


@pytest.fixture
def tiktok() -> Iterator[StandInTikTok]:
    with StandInTikTok() as running:
        yield running


def make(request: OutgoingRequest) -> Reply:
    answer = httpx.request(request.method, request.url, headers=dict(request.headers), content=request.body or None)
    return Reply(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)


def authorised(tiktok: StandInTikTok) -> oauth.AccessGrant:
    url = oauth.authorise_url(tiktok.url, app_id=APP["app_id"], state="s&1", redirect_uri=RETURN)
    target = urlsplit(httpx.get(url).headers["location"])
    query = parse_qs(target.query)
    assert target._replace(query="").geturl() == RETURN
    assert query["state"] == ["s&1"]
    reply = make(oauth.token_request(tiktok.url, **APP, auth_code=query["auth_code"][0]))
    again = make(oauth.token_request(tiktok.url, **APP, auth_code=query["auth_code"][0]))
    fault = oauth.read_token(again)
    assert isinstance(fault, oauth.ApiFault)
    assert (fault.reason, fault.code, fault.may_retry) == ("auth_code_invalid", 40110, False)
    grant = oauth.read_token(reply)
    assert isinstance(grant, oauth.AccessGrant)
    assert grant.access_token not in repr(grant)
    return grant


def test_from_the_authorise_page_to_a_new_pixel(tiktok: StandInTikTok) -> None:
    grant = authorised(tiktok)
    access = {"access_token": grant.access_token}
    found = oauth.read_advertisers(make(oauth.advertisers_request(tiktok.url, **APP, **access)))
    assert isinstance(found, tuple)
    assert [one.advertiser_id for one in found] == list(grant.advertiser_ids)
    account = {"advertiser_id": found[0].advertiser_id, **access}
    name = "My shop \U0001f600 " + "x" * 60
    created = oauth.read_created_pixel(make(oauth.create_pixel_request(tiktok.url, **account, name=name)))
    assert isinstance(created, oauth.Pixel)
    assert created.name == ("My shop " + "x" * 60)[:40]
    first = oauth.read_pixels(make(oauth.pixels_request(tiktok.url, **account, page_size=1)))
    assert isinstance(first, oauth.PixelPage)
    assert first.next_page == 2
    last = oauth.read_pixels(make(oauth.pixels_request(tiktok.url, **account, page=2, page_size=1)))
    assert last == oauth.PixelPage((created,), None)


def test_a_revoked_token_is_refused(tiktok: StandInTikTok) -> None:
    token = authorised(tiktok).access_token
    assert oauth.read_revoked(make(oauth.revoke_request(tiktok.url, **APP, access_token=token))) == (oauth.Revoked())
    fault = oauth.read_advertisers(make(oauth.advertisers_request(tiktok.url, **APP, access_token=token)))
    assert isinstance(fault, oauth.ApiFault)
    assert fault.reason == "token_revoked"


def test_a_wrong_app_secret_is_the_operators_fault(tiktok: StandInTikTok) -> None:
    request = oauth.token_request(tiktok.url, app_id=APP["app_id"], secret="wrong", auth_code="x")
    fault = oauth.read_token(make(request))
    assert isinstance(fault, oauth.ApiFault)
    assert fault.reason == "app_credentials"
    assert "wrong" not in repr(request)


@pytest.mark.parametrize("body", [b'{"code":0}', b'{"code":0,"data":[]}', b'{"code":0,"data":{}}', b"<html>"])
def test_an_answer_without_a_token_is_a_fault_to_retry(body: bytes) -> None:
    fault = oauth.read_token(Reply(200, {}, body))
    assert isinstance(fault, oauth.ApiFault)
    assert (fault.reason, fault.may_retry) == ("garbage_answer", True)


def test_ids_may_be_numbers_and_pixels_without_a_code_are_left_out() -> None:
    body = b'{"code":0,"data":{"pixels":[{"pixel_code":"C1","pixel_id":7},{"pixel_id":8},3]}}'
    assert oauth.read_pixels(Reply(200, {}, body)) == oauth.PixelPage((oauth.Pixel("C1", "", "7"),), None)


@given(st.text())
def test_every_store_name_makes_a_pixel_name(name: str) -> None:
    made = oauth.pixel_name(name)
    assert 1 <= len(made) <= 40
    assert made == made.strip()
