"""The pre-flight's checks: what was seen in, one plain result out."""

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import orjson
import pytest

from connector.core.http_values import Reply
from connector.install.checks import Answer, Check, Seen, may_continue, run_checks
from connector.platforms.woocommerce.rest import StoreFault

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NAMESPACES = ["wp/v2", "wc/v3", "wc-pixel-connector/v1"]
FRONT = b'<meta name="generator" content="WordPress 6.9" /><meta name="generator" content="WooCommerce 9.9.5" />'


def index(namespaces: list[str] | None = None, **headers: str) -> Reply:
    body = orjson.dumps({"name": "Shop", "namespaces": namespaces or NAMESPACES})
    return Reply(200, {"date": format_datetime(NOW), **headers}, body)


GOOD = Seen(
    store_url="https://shop.example",
    own_url="https://connector.example",
    allow_private=False,
    now=NOW,
    own=Reply(200, {}, b"ok"),
    index=index(),
    plain_index=None,
    front=Reply(200, {}, FRONT),
    authorisation=Reply(401, {}, b'{"code":"invalid_username"}'),
)
AWAY = StoreFault("unreachable", 0)


def check(key: str, **changes: object) -> Check:
    (found,) = (one for one in run_checks(replace(GOOD, **changes)) if one.key == key)  # type: ignore[arg-type]
    return found


def test_a_good_store_passes_everything() -> None:
    checks = run_checks(GOOD)

    assert {one.level for one in checks} == {"ok"}
    assert may_continue(checks)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"own_url": "http://connector.example"}, "not_https"),
        ({"own_url": "https://connector.example:8443"}, "bad_port"),
        ({"own": AWAY}, "unreachable"),
        ({"own": Reply(301, {}, b"")}, "redirects"),
        ({"own": Reply(404, {}, b"")}, "wrong_answer"),
    ],
)
def test_our_own_address_must_be_one_that_stores_can_use(changes: dict[str, object], outcome: str) -> None:
    found = check("own_address", **changes)

    assert (found.level, found.outcome) == ("fail", outcome)


@pytest.mark.parametrize("port", [80, 443, 8080])
def test_wordpress_delivers_to_three_ports(port: int) -> None:
    assert check("own_address", own_url=f"https://connector.example:{port}").level == "ok"


def test_a_local_address_is_fit_for_development_only() -> None:
    found = check("own_address", own_url="http://127.0.0.1:8000", allow_private=True)

    assert (found.level, found.outcome) == ("warn", "local")


@pytest.mark.parametrize(
    ("own_url", "outcome"),
    [("http://connector.example", "not_https"), ("https://connector.example:8443", "bad_port")],
)
def test_the_switch_for_development_excuses_no_public_address(own_url: str, outcome: str) -> None:
    found = check("own_address", own_url=own_url, allow_private=True)

    assert (found.level, found.outcome) == ("fail", outcome)


@pytest.mark.parametrize(("kind", "outcome"), [("unreachable", "no_answer"), ("address_refused", "private")])
def test_a_store_that_cannot_be_reached_ends_the_look(kind: str, outcome: str) -> None:
    fault = StoreFault(kind, 0)
    checks = run_checks(replace(GOOD, index=fault, front=fault))

    assert [(one.key, one.outcome) for one in checks[1:]] == [("reachable", outcome)]
    assert not may_continue(checks)


@pytest.mark.parametrize(
    ("answer", "plain", "outcome"),
    [
        (Reply(404, {}, b"<html>"), index(), "plain_permalinks"),
        (Reply(404, {}, b"<html>"), AWAY, "missing"),
        (Reply(403, {}, b"<html>"), AWAY, "blocked"),
        (Reply(503, {}, b""), AWAY, "blocked"),
        (Reply(301, {}, b""), AWAY, "redirects"),
        (Reply(200, {}, b"<html>a page for everything</html>"), AWAY, "missing"),
        (AWAY, AWAY, "no_answer"),
    ],
)
def test_each_way_of_having_no_rest_api_has_its_remedy(answer: Answer, plain: Answer, outcome: str) -> None:
    found = check("rest_api", index=answer, plain_index=plain)

    assert (found.level, found.outcome) == ("fail", outcome)


def test_a_rest_api_that_is_closed_to_visitors_may_be_open_to_keys() -> None:
    closed = Reply(401, {}, b'{"code":"rest_login_required","message":"REST API restricted to authenticated users."}')

    checks = run_checks(replace(GOOD, index=closed, plain_index=closed))

    assert [one.level for one in checks if one.key == "rest_api"] == ["warn"]
    assert may_continue(checks)


def test_wordpress_without_woocommerce_is_no_store() -> None:
    assert check("woocommerce", index=index(["wp/v2"])).outcome == "missing"


@pytest.mark.parametrize(
    ("version", "level"), [("8.1.9", "fail"), ("8.2.0", "ok"), ("9.9.5", "ok"), ("10.0.1", "ok")]
)
def test_woocommerce_must_be_new_enough(version: str, level: str) -> None:
    front = Reply(200, {}, f'<meta name="generator" content="WooCommerce {version}">'.encode())

    assert check("woocommerce", front=front).level == level


@pytest.mark.parametrize(
    ("scheme", "minutes", "level"),
    [("https", 1, "ok"), ("https", 60, "warn"), ("http", 10, "warn"), ("http", 20, "fail")],
)
def test_a_wrong_clock_matters_more_where_calls_are_signed(scheme: str, minutes: int, level: str) -> None:
    behind = NOW.replace(hour=11, minute=60 - minutes) if minutes < 60 else NOW.replace(hour=11)

    found = check("clock", store_url=f"{scheme}://shop.example", index=index(date=format_datetime(behind)))

    assert found.level == level


def test_a_store_without_a_clock_is_not_judged_by_it() -> None:
    keys = [one.key for one in run_checks(replace(GOOD, index=index(date="nonsense")))]

    assert "clock" not in keys


def test_a_header_that_may_be_dropped_stops_nobody() -> None:
    found = check("authorisation", authorisation=Reply(401, {}, b'{"code":"rest_not_logged_in"}'))

    assert (found.level, found.outcome) == ("info", "unknown")


def test_a_missing_plugin_stops_nobody() -> None:
    found = check("plugin", index=index(["wp/v2", "wc/v3"]))

    assert (found.level, found.outcome) == ("info", "missing")


@pytest.mark.parametrize(
    ("html", "named"),
    [
        (b"<script>ttq.load('C4A1B2C3D4E5F6G7H8I9');</script>", "TikTok pixel C4A1B2C3D4E5F6G7H8I9"),
        (
            b'<script src="https://analytics.tiktok.com/i18n/pixel/events.js?sdkid=CABCDEFGHIJ&lib=ttq">',
            "CABCDEFGHIJ",
        ),
        (b'<link href="/wp-content/plugins/tiktok-for-business/a.css">', "TikTok for WooCommerce"),
        (b'<script src="/wp-content/plugins/pixelyoursite/js/x.js">', "PixelYourSite"),
        (b"j.src='https://www.googletagmanager.com/gtm.js?id='+i;}(window,'GTM-ABC123')", "Google Tag Manager"),
    ],
)
def test_whoever_else_fires_a_pixel_is_named(html: bytes, named: str) -> None:
    found = check("conflicts", front=Reply(200, {}, html))

    assert found.level == "warn"
    assert named in found.values["names"]


def test_a_page_cache_is_told() -> None:
    assert (
        check("page_cache", front=Reply(200, {"x-litespeed-cache": "hit"}, FRONT)).values["names"]
        == "LiteSpeed Cache"
    )
