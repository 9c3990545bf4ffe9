"""The stand-in TikTok over its real socket: refuses what TikTok refuses, merges, misbehaves as told."""

import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from connector.core.results import Accepted, AccessLost, Rejected
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.tiktok.payload import batch_request, event_bytes, event_json
from connector.tiktok.replies import read_reply
from tests.tiktok.test_payload import ORDER, SMALLEST

ACCESS, PIXEL = "access-1", "CPIXEL00000000000001"
TRACK = "/open_api/v1.3/event/track/"


@pytest.fixture(scope="module")
def running() -> Iterator[StandInTikTok]:
    with StandInTikTok({ACCESS: {PIXEL}, "access-2": {"COTHER"}}) as tiktok:
        yield tiktok


@pytest.fixture
def tiktok(running: StandInTikTok) -> StandInTikTok:
    running.forget()
    running.set_mode("ok", poison=(), code=40100, retry_after=None)
    return running


def good(event_id: str = "id-1") -> dict[str, Any]:
    return {
        "event": "CompletePayment",
        "event_time": int(time.time()),
        "event_id": event_id,
        "user": {"email": "a" * 64, "phone": ["b" * 64], "ip": "93.184.216.34", "user_agent": "M"},
        "page": {"url": "https://shop.example/checkout/"},
        "properties": {
            "contents": [{"content_id": "A", "price": 19.99, "quantity": 1}],
            "content_ids": ["A"],
            "content_type": "product",
            "value": 19.99,
            "currency": "EUR",
            "order_id": "12",
        },
    }


def call(
    tiktok: StandInTikTok, events: list[Any], access: str = ACCESS, seconds: float = 5, **top: Any
) -> httpx.Response:
    fields = {"event_source": "web", "event_source_id": PIXEL, "data": events, **top}
    return httpx.post(tiktok.url + TRACK, json=fields, headers={"Access-Token": access}, timeout=seconds)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.status_code == 200
    fields = answer.json()
    assert fields["request_id"]
    assert fields["data"] == {}
    return fields["code"], fields["message"]


BAD: list[tuple[str, Any, str]] = [
    ("event", "", "event"),
    ("event", "x" * 51, "event"),
    ("event_id", 17, "event_id"),
    ("event_id", "", "event_id"),
    ("event_id", None, "event_id"),
    ("event_time", "1772366400", "event_time"),
    ("event_time", 1772366400.5, "event_time"),
    ("event_time", int(time.time() * 1000), "event_time"),
    ("event_time", int(time.time()) + 3600, "event_time"),
    ("event_time", int(time.time()) - 40 * 86400, "event_time"),
    ("user", "anna", "user"),
    ("user.email", "anna@shop.example", "user.email"),
    ("user.email", "A" * 64, "user.email"),
    ("user.phone", ["b" * 64, ""], "user.phone.1"),
    ("user.external_id", "0", "user.external_id"),
    ("user.ttclid", "", "user.ttclid"),
    ("user.ip", "192.168.1.5", "user.ip"),
    ("user.ip", "1.2.3", "user.ip"),
    ("user.user_agent", "", "user.user_agent"),
    ("page.url", "shop.example", "page.url"),
    ("page.url", "ftp://shop.example/", "page.url"),
    ("properties.value", "19.99", "properties.value"),
    ("properties.value", -1, "properties.value"),
    ("properties.value", True, "properties.value"),
    ("properties.currency", "eur", "properties.currency"),
    ("properties.currency", "XXX", "properties.currency"),
    ("properties.content_type", "products", "properties.content_type"),
    ("properties.content_ids", "A", "properties.content_ids"),
    ("properties.content_ids", [7], "properties.content_ids.0"),
    ("properties.contents", [{"content_id": 7}], "properties.contents.0.content_id"),
    ("properties.contents", [{"price": 1}], "properties.contents.0.content_id"),
    ("properties.contents", [{"content_id": "A", "price": "1"}], "properties.contents.0.price"),
    ("properties.contents", [{"content_id": "A", "quantity": "1"}], "properties.contents.0.quantity"),
    ("properties.order_id", 12, "properties.order_id"),
    ("properties.num_items", 1.5, "properties.num_items"),
    ("limited_data_use", "yes", "limited_data_use"),
]


# Named by their place in the list: some values are times, and every test process must name its tests alike.
@pytest.mark.parametrize(("where", "value", "path"), BAD, ids=[f"{n}-{row[0]}" for n, row in enumerate(BAD)])
def test_one_bad_field_refuses_the_whole_batch_and_is_named(
    tiktok: StandInTikTok, where: str, value: Any, path: str
) -> None:
    bad = good("bad")
    *parents, last = where.split(".")
    inner = bad
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    code, message = refusal(call(tiktok, [good(), bad]))
    assert code == 40002
    assert message.startswith(f"Batch.1.{path}: ")
    assert tiktok.accepted == []


@pytest.mark.parametrize("missing", ["event", "event_time", "event_id", "page"])
def test_required_fields(tiktok: StandInTikTok, missing: str) -> None:
    event = good()
    del event[missing]
    assert refusal(call(tiktok, [event]))[1].startswith(f"Batch.0.{missing}: Missing")


def test_value_needs_its_currency(tiktok: StandInTikTok) -> None:
    event = good()
    del event["properties"]["currency"]
    assert refusal(call(tiktok, [event])) == (
        40002,
        "Batch.0.properties.currency: Required together with value.",
    )


@pytest.mark.parametrize(
    ("access", "top", "code"),
    [
        ("", {}, 40104),
        ("Bearer access-1", {}, 40105),
        ("nobody", {}, 40105),
        (ACCESS, {"event_source": "app"}, 40002),
        (ACCESS, {"event_source_id": "CUNKNOWN"}, 40002),
        (ACCESS, {"event_source_id": "COTHER"}, 40001),
        (ACCESS, {"data": []}, 40002),
        (ACCESS, {"data": [good(str(number)) for number in range(1001)]}, 40002),
        (ACCESS, {"data": {}}, 40002),
    ],
)
def test_the_call_as_a_whole(tiktok: StandInTikTok, access: str, top: dict[str, Any], code: int) -> None:
    assert refusal(call(tiktok, [good()], access, **top))[0] == code
    assert tiktok.received == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"7"])
def test_a_body_that_is_no_object(tiktok: StandInTikTok, content: bytes) -> None:
    headers = {"Access-Token": ACCESS, "Content-Type": "application/json"}
    answer = httpx.post(tiktok.url + TRACK, content=content, headers=headers)
    assert refusal(answer)[0] == 40002


def test_a_thousand_events_are_taken(tiktok: StandInTikTok) -> None:
    assert refusal(call(tiktok, [good(str(number)) for number in range(1000)])) == (0, "OK")
    assert len(tiktok.accepted) == 1000
    assert tiktok.values() == {"EUR": "19990.00"}


def test_copies_are_merged_for_48_hours(tiktok: StandInTikTok) -> None:
    view = {**good(), "event": "ViewContent"}
    call(tiktok, [good(), good(), view])
    call(tiktok, [good()])
    assert [(one.event["event"], one.copies) for one in tiktok.accepted] == [
        ("CompletePayment", 3),
        ("ViewContent", 1),
    ]
    assert (len(tiktok.received), tiktok.summary()["duplicates"]) == (4, 2)
    later = time.time() + 49 * 3600
    tiktok.clock = lambda: later
    call(tiktok, [good()])
    tiktok.clock = time.time
    assert len(tiktok.accepted) == 3


def test_test_events_are_kept_apart(tiktok: StandInTikTok) -> None:
    assert refusal(call(tiktok, [good()], test_event_code="TEST1"))[0] == 0
    assert (tiktok.accepted, [code for code, _ in tiktok.test_events]) == ([], ["TEST1"])


def test_unknown_keys_are_dropped_with_a_warning(tiktok: StandInTikTok) -> None:
    event = deepcopy(good())
    event["user"]["phone_number"] = ""
    event["properties"]["query"] = "mug"
    assert refusal(call(tiktok, [event], extra=1))[0] == 0
    assert dict(tiktok.warnings) == {"user.phone_number": 1, "properties.query": 1, "extra": 1}


@pytest.mark.parametrize(
    ("mode", "options", "status", "code"),
    [
        ("throttle", {"code": 40100}, 200, 40100),
        ("throttle", {"code": 40016, "retry_after": "3"}, 200, 40016),
        ("throttle", {"code": 429}, 429, None),
        ("revoked", {}, 200, 40105),
        ("server_error", {}, 200, 50000),
        ("bad_gateway", {}, 502, None),
        ("code", {"code": 40001, "message": "No permission"}, 200, 40001),
        ("partial_always", {}, 200, 20001),
    ],
)
def test_modes_that_answer(
    tiktok: StandInTikTok, mode: str, options: dict[str, Any], status: int, code: int | None
) -> None:
    tiktok.set_mode(mode, count=1, **options)
    answer = call(tiktok, [good()])
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == options.get("retry_after", "1" if status == 429 else None)
    assert code is None or answer.json()["code"] == code
    assert refusal(call(tiktok, [good()]))[0] == 0  # the count is used up


@pytest.mark.parametrize(("mode", "taken"), [("down", 0), ("close_after_accept", 1)])
def test_modes_that_drop_the_connection(tiktok: StandInTikTok, mode: str, taken: int) -> None:
    tiktok.mode = mode
    with pytest.raises(httpx.TransportError):
        call(tiktok, [good()])
    assert len(tiktok.accepted) == taken


def test_mode_hang_never_answers_until_it_ends(tiktok: StandInTikTok) -> None:
    tiktok.mode = "hang"
    with pytest.raises(httpx.ReadTimeout):
        call(tiktok, [good()], seconds=0.3)
    tiktok.mode = "ok"
    assert refusal(call(tiktok, [good()]))[0] == 0


def test_mode_slow_answers_in_the_end(tiktok: StandInTikTok) -> None:
    tiktok.set_mode("slow", seconds=0.4)
    with pytest.raises(httpx.ReadTimeout):
        call(tiktok, [good()], seconds=0.1)
    assert refusal(call(tiktok, [good()]))[0] == 0


def test_mode_garbage_is_never_an_answer(tiktok: StandInTikTok) -> None:
    tiktok.mode = "garbage"
    for _ in range(3):
        answer = call(tiktok, [good()])
        assert answer.status_code == 200
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            answer.json()


def test_mode_partial_takes_some_of_a_batch_and_all_of_a_single_call(tiktok: StandInTikTok) -> None:
    tiktok.mode = "partial"
    assert refusal(call(tiktok, [good("1"), good("2")]))[0] == 20001
    assert [one.event["event_id"] for one in tiktok.accepted] == ["1"]
    assert refusal(call(tiktok, [good("2")]))[0] == 0


def test_a_poison_event_is_refused_without_a_place(tiktok: StandInTikTok) -> None:
    tiktok.poison = {"bad"}
    assert refusal(call(tiktok, [good(), good("bad")])) == (40002, "Invalid parameter")
    assert refusal(call(tiktok, [good()]))[0] == 0


def test_control_over_http(tiktok: StandInTikTok) -> None:
    control = tiktok.url + "/_control"
    assert httpx.post(control, json={"mode": "server_error", "count": 1}).json()["mode"] == "server_error"
    assert refusal(call(tiktok, [good()]))[0] == 50000
    assert httpx.post(control, json={"mode": "poison", "event_ids": ["x"]}).status_code == 200
    assert refusal(call(tiktok, [good("x")]))[0] == 40002
    assert httpx.post(control, json={"mode": "nonsense"}).status_code == 400
    call(tiktok, [good()])
    call(tiktok, [good()])
    summary = httpx.get(control, params={"events": "1"}).json()
    assert (summary["accepted"], summary["duplicates"], summary["values"]) == (1, 1, {"EUR": "19.99"})
    assert summary["codes"] == {"50000": 1, "40002": 1, "0": 2}
    assert summary["events"][0]["copies"] == 2


def test_stopped_it_refuses_connections_and_comes_back_on_its_port() -> None:
    tiktok = StandInTikTok({ACCESS: {PIXEL}})
    tiktok.start()
    call(tiktok, [good()])
    tiktok.stop()
    with pytest.raises(httpx.ConnectError):
        call(tiktok, [good()])
    with tiktok:
        call(tiktok, [good()])
    assert [one.copies for one in tiktok.accepted] == [2]


def test_what_the_connector_builds_is_taken_without_a_warning(tiktok: StandInTikTok) -> None:
    order = replace(ORDER, event_time=datetime.now(UTC), pixel_code=PIXEL)
    request = batch_request(
        [event_bytes(order), event_bytes(replace(SMALLEST, event_time=order.event_time))],
        pixel_code=PIXEL,
        access_token=ACCESS,
        api_url=tiktok.url,
    )
    answer = httpx.post(request.url, headers=dict(request.headers), content=request.body)
    assert read_reply(answer.status_code, answer.headers, answer.content).result == Accepted()
    assert tiktok.accepted[0].event == event_json(order)
    assert not tiktok.warnings


def test_the_path_in_the_message_leads_to_the_bad_event(tiktok: StandInTikTok) -> None:
    answer = call(tiktok, [good("1"), good("2"), {**good("3"), "event_time": 0}])
    assert read_reply(200, {}, answer.content).result == Rejected("invalid_parameter", 2)


def test_a_pixel_of_nobody_is_a_fault_of_the_pixel_code(tiktok: StandInTikTok) -> None:
    answer = call(tiktok, [good()], event_source_id="CUNKNOWN")
    assert read_reply(200, {}, answer.content).result == AccessLost("pixel_code")


def test_the_browser_script_reports_to_the_stand_in(tiktok: StandInTikTok) -> None:
    script = httpx.get(tiktok.url + "/i18n/pixel/events.js", params={"sdkid": PIXEL, "lib": "ttq"})
    assert script.headers["content-type"].startswith("application/javascript")
    assert "__ttq_calls" in script.text
    call(tiktok, [good()])
    seen = {"method": "track", "event": "CompletePayment", "event_id": "id-1", "pixel_code": PIXEL}
    assert httpx.post(tiktok.url + "/_browser", json=seen).status_code == 204
    assert tiktok.summary()["merged_with_browser"] == 1
