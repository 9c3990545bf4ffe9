"""Lost access pauses one installation and nothing is lost. On a real socket, over both databases."""

import asyncio
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import update

from connector.delivery.worker import DeliveryWorker
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.outbound import Outbound
from connector.storage.deliveries import resume_access
from connector.storage.opening import Storage
from connector.storage.tables import Event, Installation
from tests.clock import Clock
from tests.delivery.road import PIXEL, TOKEN, Road, accepted_ids, options, rounds


def test_lost_access_pauses_burns_nothing_and_all_goes_after_a_new_token(road: Road, tiktok: StandInTikTok) -> None:
    ids = road.events(10)
    del tiktok.tokens[TOKEN]
    tiktok.add_access("another", PIXEL)
    rounds(road.storage, tiktok)
    (installation,) = road.rows(Installation)
    assert (installation.access, installation.access_reason) == ("lost", "token_revoked")
    (notice,) = road.notices
    assert (notice.kind, notice.resolved_at) == ("access_lost", None)
    assert {each.attempts for each in road.rows(Event)} == {0}
    ids += road.events(5)  # a paused installation still takes its webhooks
    calls = tiktok.calls
    assert rounds(road.storage, tiktok, 2) == [0, 0]
    assert tiktok.calls == calls
    road.give_token("store-1", "another")
    with road.storage.database.write() as connection:
        resume_access(connection, "store-1", road.storage.now())
    rounds(road.storage, tiktok)
    assert road.states() == {"delivered": 15}
    assert accepted_ids(tiktok) == sorted(ids)
    assert road.notices[0].resolved_at is not None


def test_resuming_brings_forward_what_waited_for_a_retry(road: Road, tiktok: StandInTikTok, clock: Clock) -> None:
    road.events(600)
    tiktok.set_mode("server_error")
    rounds(road.storage, tiktok, 2)
    with road.storage.database.write() as connection:
        assert resume_access(connection, "store-1", road.storage.now()) == 600
    assert {each.run_at for each in road.work} == {clock()}


def test_a_new_token_given_during_a_refused_call_stays_good(road: Road, tiktok: StandInTikTok) -> None:
    """The refusal of the old token, come late, says nothing of the new one."""
    road.events(1)
    tiktok.set_mode("slow", seconds=0.5)
    del tiktok.tokens[TOKEN]
    tiktok.add_access("another", PIXEL)

    async def go() -> None:
        async with Outbound() as outbound:
            worker = DeliveryWorker(road.storage, outbound, options(tiktok))
            sending = asyncio.create_task(worker.run_once())
            while not tiktok.calls:  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.01)
            await asyncio.to_thread(road.give_token, "store-1", "another")
            await sending
            await worker.run_once()

    asyncio.run(go())
    assert road.states() == {"delivered": 1}
    assert road.notices == []


def test_without_a_token_the_owner_is_told_and_nothing_is_called(storage: Storage, tiktok: StandInTikTok) -> None:
    road = Road(storage)
    road.installation(token=None)
    road.events(2)
    assert rounds(storage, tiktok, 2) == [0, 0]
    (installation,) = road.rows(Installation)
    assert (installation.access, installation.access_reason) == ("lost", "token_missing")
    assert tiktok.calls == 0
    assert road.states() == {"pending": 2}


def test_a_credential_that_does_not_open_is_told_and_tried_later(
    road: Road, make_storage: Callable[..., Storage], tiktok: StandInTikTok, clock: Clock
) -> None:
    road.events(2)
    from connector.storage.encryption import KeyRing

    good = road.storage.keys
    object.__setattr__(road.storage, "keys", KeyRing(["another key of 32 characters or more"], lambda n: b"n" * n))
    assert rounds(road.storage, tiktok, 2) == [0, 0]
    (notice,) = road.notices
    assert (notice.kind, notice.count) == ("credential_unreadable", 1)
    object.__setattr__(road.storage, "keys", good)
    assert rounds(road.storage, tiktok) == [2]


def test_an_older_pixel_that_is_refused_stops_only_its_own_events(road: Road, tiktok: StandInTikTok) -> None:
    road.events(2, pixel_code="COLDPIXEL00000000001")
    tiktok.add_access("somebody else", "COLDPIXEL00000000001")
    road.events(3)
    rounds(road.storage, tiktok)
    assert road.states() == {"rejected old_pixel_refused": 2, "delivered": 3}
    assert road.notices == []
    assert road.rows(Installation)[0].access == "ok"


def test_the_own_pixel_refused_loses_access(storage: Storage, tiktok: StandInTikTok) -> None:
    road = Road(storage)
    road.installation(pixel="CUNKNOWN000000000001")
    road.events(2, pixel_code="CUNKNOWN000000000001")
    rounds(storage, tiktok)
    assert road.rows(Installation)[0].access_reason == "pixel_code"
    assert {each.state for each in road.rows(Event)} == {"pending"}


def test_a_paused_installation_keeps_its_work(road: Road, tiktok: StandInTikTok) -> None:
    road.events(2)
    _set_state(road, "paused")
    assert rounds(road.storage, tiktok) == [0]
    assert len(road.work) == 2
    _set_state(road, "active")
    assert rounds(road.storage, tiktok) == [2]


def _set_state(road: Road, state: str) -> None:
    with road.storage.database.write() as connection:
        connection.execute(update(Installation.__table__).values(state=state))


@pytest.mark.parametrize("status", [401, 403])
def test_a_gateway_that_refuses_twice_means_lost_access(road: Road, clock: Clock, status: int) -> None:
    road.events(2)
    with _Gateway(status) as gateway:
        rounds(road.storage, gateway)  # type: ignore[arg-type]
        assert road.states() == {"pending gateway_auth": 2}
        clock.advance(minutes=1)
        rounds(road.storage, gateway)  # type: ignore[arg-type]
    assert road.rows(Installation)[0].access_reason == "gateway_auth"
    assert {(each.state, each.attempts) for each in road.rows(Event)} == {("pending", 1)}


class _Gateway:
    """Answers every call with one status and a page."""

    def __init__(self, status: int) -> None:
        class Page(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"<html>no</html>")

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "_Gateway":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
