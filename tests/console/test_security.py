"""What somebody might try: fixation, forged forms, open redirects, stored scripts, formulas, guessing, secrets."""

import csv
import io
import json
import logging
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import func, select

from connector.console.gate import safe_next
from connector.console.permissions import PERMISSIONS, Action, Role
from connector.logs import configure_logs
from connector.storage.installations import add_credential
from connector.storage.staff import ABSOLUTE_LIMIT, IDLE_LIMIT
from connector.storage.tables_console import SignInCount
from tests.console.test_pages_render import client_of, sign_in, token
from tests.console.world import ADMIN, PASSWORD, SUPPORT, World


def test_a_session_brought_from_elsewhere_is_not_taken_over(staffed: World) -> None:
    client = client_of(staffed, None)
    client.cookies.set("staff_session", "chosen-by-the-attacker")
    answer = sign_in(client, SUPPORT)
    assert answer.status_code == 303
    assert "staff_session=" in answer.headers["set-cookie"]
    assert "chosen-by-the-attacker" not in answer.headers["set-cookie"]
    stranger = client_of(staffed, None)
    stranger.cookies.set("staff_session", "chosen-by-the-attacker")
    assert stranger.get("/console/", follow_redirects=False).status_code == 303


def test_signing_in_again_closes_the_session_before(staffed: World) -> None:
    client = client_of(staffed, SUPPORT)
    before = client.cookies["staff_session"]
    sign_in(client, ADMIN)
    assert client.cookies["staff_session"] != before
    old = client_of(staffed, None)
    old.cookies.set("staff_session", before)
    assert old.get("/console/", follow_redirects=False).status_code == 303


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(staffed: World) -> None:
    answer = sign_in(client_of(staffed, None), SUPPORT)
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("staff_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie.replace("Lax", "lax")


@pytest.mark.parametrize(
    ("wait", "steps"), [(IDLE_LIMIT, 1), (timedelta(minutes=20), ABSOLUTE_LIMIT // timedelta(minutes=20))]
)
def test_sessions_end_when_idle_and_after_half_a_day(staffed: World, later, wait: timedelta, steps: int) -> None:
    client = client_of(staffed, SUPPORT)
    for _ in range(steps - 1):
        later(wait)
        assert client.get("/console/staff").status_code == 403  # signed in, only not allowed
    later(wait)
    assert client.get("/console/", follow_redirects=False).status_code == 303


def test_signing_out_and_switching_off_end_sessions(staffed: World) -> None:
    support, admin = client_of(staffed, SUPPORT), client_of(staffed, ADMIN)
    page = admin.get("/console/staff").text
    staff_id = re.search(r"/console/staff/(\d+)/remove", page)
    assert staff_id
    form = {"form_token": token(admin, "/console/staff"), "reason": "left the company"}
    assert admin.post(f"/console/staff/{staff_id[1]}/remove", data=form, follow_redirects=False).status_code == 303
    assert support.get("/console/", follow_redirects=False).status_code == 303
    admin.post("/console/sign-out", data={"form_token": token(admin, "/console/")})
    assert admin.get("/console/", follow_redirects=False).status_code == 303


def test_wrong_password_unknown_and_switched_off_look_alike_and_are_throttled(staffed: World) -> None:
    client = client_of(staffed, None)
    wrong = sign_in(client, SUPPORT, "not the password")
    unknown = sign_in(client, "nobody@staff.example", "not the password")
    assert wrong.status_code == unknown.status_code == 401
    said = [re.search(r'role="alert">([^<]*)<', answer.text) for answer in (wrong, unknown)]
    assert said[0] is not None
    assert said[1] is not None
    assert said[0][1] == said[1][1]
    statuses = [sign_in(client, SUPPORT, "not the password").status_code for _ in range(9)]
    assert statuses[-1] == 429
    assert sign_in(client, SUPPORT, PASSWORD).status_code == 429


def test_attempts_are_counted_for_all_processes_together(staffed: World, later: Callable[[timedelta], None]) -> None:
    one, other = client_of(staffed, None), client_of(staffed, None)  # each with its own application
    statuses = [sign_in(one, SUPPORT, "not the password").status_code for _ in range(8)]
    assert statuses == [401] * 8
    assert sign_in(other, SUPPORT, PASSWORD).status_code == 429
    assert sign_in(other, ADMIN, PASSWORD).status_code == 303
    with staffed.storage.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(SignInCount.__table__)).scalar_one() <= 3
    later(timedelta(minutes=6))
    assert sign_in(other, SUPPORT, PASSWORD).status_code == 303


def test_forms_without_our_token_or_from_elsewhere_change_nothing(staffed: World) -> None:
    webhook, event = staffed.add_order()
    client = client_of(staffed, ADMIN)
    good = token(client, "/console/")
    paths = (
        "/console/search",
        "/console/links",
        f"/console/webhooks/{webhook}/reveal",
        f"/console/webhooks/{webhook}/replay",
        f"/console/events/{event}/decide",
        "/console/replays",
        "/console/alerts",
        "/console/staff",
        "/console/sign-out",
    )
    for path in paths:
        assert client.post(path, data={"reason": "a good reason"}).status_code == 403, path
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert (
            client.post(path, data={"form_token": good, "reason": "x" * 9}, headers=elsewhere).status_code == 403
        ), path
    assert client.get("/console/", follow_redirects=False).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/console/../evil",
        "/owner/",
        "javascript:alert(1)",
        "/console//evil.example",
        "/console/%2e%2e//evil.example",
        "/console/.%2E/owner/",
        "/console/%2f%2fevil.example",
        "/console/%5cevil.example",
        "/console/\t/evil.example",
        "/console/\r\nset-cookie: a=b",
        "／／evil.example",
        "/console\u2215\u2215evil.example",
        "\u2028//evil.example",
        " https://evil.example",
        "",
        None,
    ],
)
def test_after_signing_in_nobody_is_sent_elsewhere(staffed: World, path: str | None) -> None:
    assert safe_next(path) == "/console/"
    client = client_of(staffed, None)
    fields = {"email": SUPPORT, "password": PASSWORD, "form_token": token(client), "next": path or ""}
    answer = client.post("/console/sign-in", data=fields, follow_redirects=False)
    assert answer.headers["location"] == "/console/"


def test_a_list_with_any_filter_is_led_back_to(staffed: World) -> None:
    wanted = "/console/webhooks?reason=a%2Fb%5C..%2F%2Fc&since=2026-11-22T12%3A00%3A00Z&topic=x//y"
    assert safe_next(wanted) == wanted


def test_pages_carry_a_strict_policy_and_every_script_its_nonce(staffed: World) -> None:
    webhook, _ = staffed.add_order()
    client = client_of(staffed, ADMIN)
    for page in (
        "/console/sign-in",
        "/console/",
        "/console/webhooks",
        f"/console/webhooks/{webhook}",
        "/console/tail",
    ):
        answer = client.get(page)
        policy = answer.headers["content-security-policy"]
        nonce = re.search(r"'nonce-([^']+)'", policy)
        assert nonce is not None
        assert "unsafe" not in policy
        scripts = re.findall(r"<script[^>]*>", answer.text)
        assert scripts
        assert all(f'nonce="{nonce[1]}"' in script for script in scripts)
        assert not re.search(r"<[^>]+\son\w+=", answer.text)
        assert not re.search(r"<[^>]+\sstyle=|<style", answer.text)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"


SCRIPT = "<script>alert(1)</script>"


def test_a_script_in_a_product_a_header_or_a_reason_stays_text(staffed: World) -> None:
    contents = {"properties": {"contents": [{"content_id": SCRIPT, "content_name": SCRIPT, "quantity": 1}]}}
    body = json.dumps({"id": 9, "line_items": [{"name": SCRIPT}], "status": SCRIPT, "number": SCRIPT}).encode()
    webhook = staffed.add_webhook(
        SCRIPT, body, {"x-wc-webhook-topic": SCRIPT, SCRIPT: "x"}, order_id="9", reason=SCRIPT
    )
    event = staffed.add_event(
        webhook, order_id="9", payload=json.dumps(contents).encode(), reason=SCRIPT, name=SCRIPT
    )
    attempt = staffed.add_attempt([event], message=SCRIPT, request_id=SCRIPT)
    client = client_of(staffed, ADMIN)
    pages = ["/console/webhooks", "/console/events", "/console/attempts", f"/console/webhooks/{webhook}",
             f"/console/events/{event}", f"/console/attempts/{attempt}", "/console/installations/inst1/orders/9",
             f"/console/webhooks?topic={SCRIPT}", "/console/"]  # fmt: skip
    for page in pages:
        text = client.get(page).text
        assert SCRIPT not in text, page
    form = {"form_token": token(client, "/console/"), "reason": "looking for scripts"}
    assert SCRIPT not in client.post(f"/console/webhooks/{webhook}/reveal", data=form).text


def test_a_formula_in_an_export_is_only_text(staffed: World) -> None:
    for start in ("=1+1", "+SUM(A1)", "-2+3", "@cmd", "\t=1", " =HYPERLINK(1)"):
        staffed.add_webhook(f"{start}|x", b"{}", reason=start)
    client = client_of(staffed, SUPPORT)
    rows = list(csv.DictReader(io.StringIO(client.get("/console/webhooks/export?format=csv").text)))
    assert len(rows) == 6
    for row in rows:
        for cell in (row["topic"], row["reason"]):
            assert cell[:1] in ("'",) or cell.lstrip()[:1] not in "=+-@"
    assert len(json.loads(client.get("/console/webhooks/export?format=json").text)) == 6


CANARIES = (
    "canary.person@mail.example", "+4915199988877", "Canarina", "Vogelweide", "203.0.113.77", "CANARY-STREET-5",
    "ttclid-canary-0001", "wc_order_CanaryKey", "canary-access-token", "canary-webhook-secret",
)  # fmt: skip


def test_no_page_export_log_or_error_shows_a_person_or_a_secret(staffed: World, capsys, caplog) -> None:
    configure_logs("json", "debug")
    caplog.set_level(logging.DEBUG)
    email, phone, first, last, ip, street, click, key, access, secret = CANARIES
    with staffed.storage.database.write() as connection:
        for kind, text in (("access_token", access), ("webhook_secret", secret)):
            add_credential(
                connection, staffed.storage.keys, row_id=staffed.storage.new_id(), installation_id="inst1", kind=kind,
                text=text, now=staffed.storage.now(),
            )  # fmt: skip
    person = {
        "first_name": first,
        "last_name": last,
        "address_1": street,
        "email": email,
        "phone": phone,
        "country": "DE",
    }
    order = {
        "id": 77, "number": "77", "status": "processing", "currency": "EUR", "total": "10.00", "order_key": key,
        "billing": person, "shipping": person, "customer_ip_address": ip, "customer_note": f"call {phone} {first}",
        "meta_data": [
            {"id": 1, "key": "_pixel_connector_ttclid", "value": click},
            {"id": 2, "key": "gift_for", "value": first},
            {"id": 3, "key": "_pixel_connector_page_url", "value": f"https://shop.example/?ttclid={click}"},
        ],
        "line_items": [{"id": 1, "name": f"Gift for {email}", "quantity": 1, "price": 10, "product_id": 5}],
        "a_new_plugin": {"who": first, "where": [street]}, "payment_url": f"https://shop.example/?key={key}",
    }  # fmt: skip
    headers = {"x-forwarded-for": ip, "x-wc-webhook-signature": secret, "user-agent": "WooCommerce", "cookie": key}
    webhook = staffed.add_webhook(
        "order.updated", json.dumps(order).encode(), headers, order_id="77", reason="processing"
    )
    staffed.add_terms(webhook, email=email, phone=phone, order_number="77", ttclid=click)
    payload = {
        "user": {"email": "a" * 64, "ttclid": click, "ip": ip},
        "page": {"url": f"https://shop.example/?ttclid={click}"},
    }
    event = staffed.add_event(webhook, order_id="77", payload=json.dumps(payload).encode())
    attempt = staffed.add_attempt([event], message=f"invalid email {email} from {ip}", result="rejected")
    client = client_of(staffed, SUPPORT)
    form = {"form_token": token(client, "/console/")}
    lists = ("webhooks", "events", "attempts", "refused")
    exports = [f"/console/{name}/export?format={kind}" for name in lists for kind in ("csv", "json")]
    pages = [
        "/console/",
        *(f"/console/{name}" for name in lists),
        "/console/installations",
        "/console/installations/inst1",
        f"/console/webhooks/{webhook}",
        f"/console/webhooks/{webhook}/body",
        f"/console/events/{event}",
        f"/console/attempts/{attempt}",
        "/console/installations/inst1/orders/77",
        "/console/replays/new?installation=inst1",
        "/console/tail",
        "/console/nothing-here",
    ]
    answers = [client.get(page) for page in pages + exports]
    answers += [
        client.post("/console/search", data={**form, "q": text}) for text in (email, phone, "77", click, "x" * 400)
    ]
    answers.append(client.post(f"/console/webhooks/{webhook}/reveal", data={**form, "reason": "let me see"}))
    answers.append(
        client.post("/console/replays", data={**form, "installation": "inst1", "event": "no number", "reason": "x"})
    )
    found = " ".join(text for answer in answers for text in (answer.text, str(answer.headers)))
    logs = " ".join((*capsys.readouterr(), caplog.text))
    for canary in CANARIES:
        assert canary not in found, canary
        assert canary not in logs, canary
    structlog.reset_defaults()


def test_reveal_wants_a_reason_and_leaves_an_entry(staffed: World) -> None:
    webhook, _ = staffed.add_order()
    client = client_of(staffed, ADMIN)
    form = {"form_token": token(client, "/console/")}
    assert client.post(f"/console/webhooks/{webhook}/reveal", data={**form, "reason": "x"}).status_code == 400
    shown = client.post(f"/console/webhooks/{webhook}/reveal", data={**form, "reason": "customer asked for it"})
    assert "first_name&#34;: &#34;••••" not in shown.text
    assert "wc-webhook-signature" in shown.text
    saved = client.post(
        f"/console/webhooks/{webhook}/reveal", data={**form, "reason": "for the lawyers", "download": "1"}
    )
    assert saved.headers["content-disposition"].startswith("attachment")
    assert json.loads(saved.content)["billing"]["email"]
    log = client.get("/console/audit").text
    assert "customer asked for it" in log
    assert "for the lawyers" in log


def test_the_table_of_permissions_is_whole() -> None:
    assert set(PERMISSIONS) == set(Role)
    assert PERMISSIONS[Role.SUPPORT] < PERMISSIONS[Role.ADMIN] == frozenset(Action)


def test_the_search_text_stands_in_no_address(staffed: World) -> None:
    webhook, _ = staffed.add_order("41")
    staffed.add_terms(webhook, email="somebody@example.org")
    client = client_of(staffed, SUPPORT)
    form = {"form_token": token(client, "/console/"), "q": " Somebody@Example.org "}
    answer = client.post("/console/search", data=form, follow_redirects=False)
    assert answer.headers["location"] == "/console/installations/inst1/orders/41"
    assert client.get("/console/search").status_code in (404, 405)
