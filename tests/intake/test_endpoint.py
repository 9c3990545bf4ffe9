"""The intake's answers over a real socket, one by one. Authentic is stored, whatever it says; forged never is."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from connector.demo import samples
from connector.intake import sources
from connector.storage.installations import add_credential, change_installation
from connector.storage.tables import Credential, RefusedWebhook, WebhookKey
from tests.clock import Clock
from tests.installations import SECRET, add_installation
from tests.intake.serving import LIMIT, ORDER, Served, request, said, wait_until

both_databases = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


@pytest.fixture
def database_kind() -> str:
    """Most of this is said before any database is asked."""
    return "sqlite"


@both_databases
def test_a_good_one_is_stored_byte_for_byte_and_its_copy_is_not(served: Served) -> None:
    assert said(served.signed(ORDER)) == (200, "stored")
    assert said(served.signed(ORDER, X_WC_Webhook_Delivery_ID="another")) == (200, "duplicate")
    assert said(served.signed(ORDER, topic="order.updated")) == (200, "stored")
    assert served.bodies() == [ORDER, ORDER]
    assert [row.topic for row in served.rows()] == ["order.created", "order.updated"]
    with served.storage.database.read() as connection:
        copies = connection.execute(select(WebhookKey.__table__.c.copies)).scalars()  # type: ignore[attr-defined]
        assert sorted(copies) == [0, 1]


def test_an_unknown_topic_is_stored(served: Served) -> None:
    assert said(served.signed(b'{"id":1}', topic="moon.risen")) == (200, "stored")
    assert said(served.signed(b'{"id":2}', topic="")) == (200, "stored")
    assert len(served.bodies()) == 2


def test_the_creation_ping_is_answered_and_never_stored(served: Served) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert said(served.post(b"webhook_id=34", **form)) == (200, "pong")
    assert said(served.post(b"webhook_id=34&x=1", **form)) == (401, "signature_missing")
    assert said(served.post(b"webhook_id=34")) == (401, "signature_missing")
    assert said(served.post(b"webhook_id=34", X_WC_Webhook_Signature="", **form)) == (401, "signature_missing")
    assert said(served.post(ORDER, **form)) == (401, "signature_missing")
    assert served.bodies() == []


_SIGNATURES = {
    "": "signature_missing",
    "not base64!": "signature_malformed",
    "c2hvcnQ=": "signature_malformed",
    "\xff\xfe": "signature_malformed",
    "A" * 43 + "=": "signature_wrong",
    samples.sign(ORDER, "another secret"): "signature_wrong",
    samples.sign(ORDER + b" ", SECRET): "signature_wrong",
}


def test_a_signature_that_does_not_fit_is_refused(served: Served) -> None:
    for signature, word in _SIGNATURES.items():
        assert said(served.post(ORDER, X_WC_Webhook_Signature=signature)) == (401, word)
    assert said(served.post(ORDER)) == (401, "signature_missing")
    assert served.bodies() == []


def test_a_secret_with_entities_fits_as_the_store_signs(served: Served) -> None:
    add_installation(served.storage, "entities", secret="a&amp;b&#039;c<d")
    assert said(served.signed(ORDER, secret="a&amp;b&#039;c<d", path="/webhooks/woocommerce/entities")) == (
        200,
        "stored",
    )
    assert said(served.signed(b'{"id":7}', secret="a&b'c<d", path="/webhooks/woocommerce/entities")) == (
        200,
        "stored",
    )


def test_a_rotated_secret_counts_until_it_expires(served: Served, clock: Clock) -> None:
    storage = served.storage
    with storage.database.write() as connection:
        add_credential(
            connection,
            storage.keys,
            row_id=storage.new_id(),
            installation_id="installation1",
            kind="webhook_secret",
            text="the earlier secret",
            now=clock(),
        )
        c = Credential.__table__.c  # type: ignore[attr-defined]
        earlier = select(func.max(c.id)).scalar_subquery()
        until = clock() + timedelta(hours=1)
        connection.execute(update(Credential).where(c.id == earlier).values(expires_at=until))
    served.service.directory.refresh()
    assert said(served.signed(b'{"id":1}')) == (200, "stored")
    assert said(served.signed(b'{"id":2}', secret="the earlier secret")) == (200, "stored")
    clock.advance(hours=2)
    assert said(served.signed(b'{"id":3}', secret="the earlier secret")) == (401, "signature_wrong")
    assert said(served.signed(b'{"id":4}')) == (200, "stored")
    assert len(served.bodies()) == 3


def test_addresses(served: Served) -> None:
    storage = served.storage
    assert said(served.signed(ORDER, path="/webhooks/woocommerce/nobody")) == (404, "installation_unknown")
    assert said(served.signed(ORDER, path="/webhooks/othershop/installation1")) == (404, "installation_unknown")
    assert said(served.signed(ORDER, path="/webhooks/woocommerce/a/b")) == (404, "installation_unknown")
    assert said(served.signed(ORDER, path="/webhooks/woocommerce/%00%0a")) == (404, "installation_unknown")
    with storage.database.write() as connection:
        change_installation(connection, "installation1", storage.now(), state="removed")
    served.service.directory.refresh()
    assert said(served.signed(ORDER)) == (410, "installation_removed")
    assert served.bodies() == []


@both_databases
def test_a_new_installation_is_known_at_its_first_webhook(served: Served) -> None:
    add_installation(served.storage, "brand-new")
    assert said(served.signed(ORDER, path="/webhooks/woocommerce/brand-new")) == (200, "stored")


def test_a_trailing_slash_is_taken_and_not_redirected(served: Served) -> None:
    assert said(served.signed(ORDER, path="/webhooks/woocommerce/installation1/")) == (200, "stored")


def test_other_methods_are_refused(served: Served) -> None:
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
        answer = served.talk(request(b"", method=method))
        assert (answer.status, answer.headers["allow"]) == (405, "POST"), method


def test_a_paused_installation_still_takes_its_webhooks(served: Served) -> None:
    with served.storage.database.write() as connection:
        change_installation(connection, "installation1", served.storage.now(), state="paused", access="lost")
    served.service.directory.refresh()
    assert said(served.signed(ORDER)) == (200, "stored")


# Bodies that are no orders


_ODD_BODIES = {
    "empty": b"",
    "spaces": b" \n",
    "no json": b"<html>Fatal error</html>",
    "cut short": ORDER[:-5],
    "a list": b"[1,2]",
    "a number": b"17",
    "null": b"null",
    "nul bytes": b'{"id":1,"note":"a\0b"}',
    "nul escapes": b'{"id":1,"note":"a\\u0000b"}',
    "lone surrogates": b'{"id":1,"note":"\\ud800 \\udfff"}',
    "broken utf-8": b'{"id":1,"note":"\xff\xfe\xc3"}',
    "deep nesting": b'{"id":1,"a":' + b"[" * 40_000 + b"]" * 40_000 + b"}",
    "deep and broken": b"[" * 90_000,
    "huge number": b'{"id":1,"total":' + b"9" * 50_000 + b"}",
    "huge exponent": b'{"id":1,"total":1e99999}',
    "huge id": b'{"id":' + b"9" * 400 + b"}",
    "id below": b'{"id":-5}',
    "duplicate keys": b'{"id":1,"id":2,"status":"processing","status":"failed"}',
    "binary": bytes(range(256)) * 20,
    "byte order mark": b"\xef\xbb\xbf" + ORDER,
    "the limit itself": b'{"id":1,"note":"' + b"x" * (LIMIT - 18) + b'"}',
    "action and arg": b'{"action":"woocommerce_new_order","arg":55}',
}


@both_databases
def test_whatever_is_signed_is_stored_and_is_never_our_fault(served: Served) -> None:
    for name, body in _ODD_BODIES.items():
        assert said(served.signed(body)) == (200, "stored"), name
        assert said(served.signed(body, secret="not the secret")) == (401, "signature_wrong"), name
    assert served.bodies() == list(_ODD_BODIES.values())
    wait_until(lambda: all(row.state != "received" for row in served.rows()))
    assert served.bodies() == list(_ODD_BODIES.values())


@both_databases
def test_the_stores_own_errors_are_counted_each_time(served: Served) -> None:
    for name in ("order_created_gone", "order_updated_gone", "order_updated_rights_lost"):
        body = samples.load(name).body
        assert [said(served.signed(body)) for _ in range(3)] == [(200, "stored")] * 3, name
    assert len(served.bodies()) == 9


@both_databases
def test_odd_headers_are_kept_readable(served: Served) -> None:
    assert said(served.signed(b'{"id":1}', User_Agent="caf\xe9 \x85\xa0", X_Odd="\xff" * 100)) == (200, "stored")
    assert said(served.signed(b'{"id":2}', topic="order.created\xff")) == (200, "stored")
    assert said(served.signed(b'{"id":3}', topic="x" * 5000)) == (200, "stored")
    rows = served.rows()
    assert json.loads(rows[0].headers)["user-agent"] == "caf\xe9 ?\xa0"
    assert max(len(row.topic) for row in rows) == 100


def test_of_a_header_that_comes_twice_the_first_counts(served: Served) -> None:
    good, bad = samples.sign(ORDER, SECRET), samples.sign(ORDER, "other")
    for first, second, status in ((good, bad, 200), (bad, good, 401)):
        whole = request(ORDER, X_WC_Webhook_Signature=first)
        assert (
            served.talk(
                whole.replace(b"\r\n\r\n", f"\r\nX-WC-Webhook-Signature: {second}\r\n\r\n".encode(), 1)
            ).status
            == status
        )


# When nothing can be stored


@both_databases
def test_when_neither_database_nor_spool_takes_it_the_sender_hears_503_and_readyz_tells(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = served.service.journal

    def fail(_group: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(journal._writer, "write", fail)
        assert said(served.signed(b'{"id":1}')) == (200, "spooled")
        ready = json.loads(served.talk(request(b"", method="GET", path="/readyz")).body)
        assert ready["checks"] | {"worker": True} == {
            "database": False, "spool": True, "spool_empty": False, "worker": True,
        }  # fmt: skip
        broken.setattr(journal._spool, "append", fail)
        answer = served.signed(b'{"id":2}')
        assert said(answer) == (503, "not_stored")
        assert int(answer.headers["retry-after"]) > 0
        assert not json.loads(served.talk(request(b"", method="GET", path="/readyz")).body)["checks"]["spool"]
    wait_until(lambda: served.bodies() == [b'{"id":1}'])
    assert said(served.signed(b'{"id":2}')) == (200, "stored")


# Abuse


def test_many_refusals_of_one_source_are_counted_and_not_sampled(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh, looked = served.service.directory.refresh, []

    def refresh_and_count() -> None:
        looked.append(1)
        refresh()

    monkeypatch.setattr(served.service.directory, "refresh", refresh_and_count)
    monkeypatch.setattr(served.service.directory, "may_look_again", lambda: True)
    for _ in range(sources.REFUSALS_PER_MINUTE + 40):
        assert served.signed(ORDER, path="/webhooks/woocommerce/nobody").status == 404
    assert served.service.refusals.totals["installation_unknown"] == sources.REFUSALS_PER_MINUTE + 40
    seen = len(looked)
    assert served.signed(ORDER, path="/webhooks/woocommerce/nobody").status == 404
    assert len(looked) - seen <= 1, "only the refresh of each second"
    served.service.refusals.flush()
    rows = select(func.count()).select_from(RefusedWebhook.__table__)  # type: ignore[attr-defined]
    with served.storage.database.read() as connection:
        assert 0 < connection.execute(rows).scalar_one() <= sources.REFUSALS_PER_MINUTE


def test_a_source_over_its_rate_still_delivers_what_is_signed(served: Served) -> None:
    for _ in range(sources.REFUSALS_PER_MINUTE + 20):
        assert served.post(ORDER, X_WC_Webhook_Signature="forged").status == 401
    for number in range(50):
        assert said(served.signed(b'{"id":%d}' % number)) == (200, "stored")
    assert len(served.bodies()) == 50


@both_databases
def test_a_flood_against_one_installation_leaves_the_other_its_webhooks(served: Served) -> None:
    add_installation(served.storage, "other")
    stop, refused = threading.Event(), []

    def flood_it() -> None:
        while not stop.is_set():
            refused.append(served.post(ORDER, X_WC_Webhook_Signature=samples.sign(ORDER, "guess")).status)

    def a_webhook(number: int) -> tuple[int, str]:
        return said(served.signed(b'{"id":%d}' % number, path="/webhooks/woocommerce/other"))

    with ThreadPoolExecutor(8) as threads:
        attackers = [threads.submit(flood_it) for _ in range(4)]
        try:
            answers = [a_webhook(number) for number in range(40)]
        finally:
            stop.set()
        for each in attackers:
            each.result()
    assert answers == [(200, "stored")] * 40
    assert set(refused) == {401}
    assert [row.installation_id for row in served.rows()] == ["other"] * 40
