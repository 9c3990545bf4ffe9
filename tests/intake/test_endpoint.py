"""The intake's answers over a real socket, one by one. Authentic is stored, whatever it says; forged never is."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from connector.demo import samples
from connector.intake import sources
from connector.settings import Settings
from connector.storage.installations import add_credential, change_installation
from connector.storage.opening import Storage
from connector.storage.tables import Credential, RefusedWebhook, WebhookKey
from tests.clock import Clock
from tests.installations import SECRET, add_installation
from tests.intake.serving import Answer, Served, read_answer, request

LIMIT = 100_000
ORDER = samples.load("order_created_classic_guest").body


both_databases = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


@pytest.fixture
def database_kind() -> str:
    """Most of this is said before any database is asked."""
    return "sqlite"


@pytest.fixture
def served(settings: Settings, storage: Storage) -> Iterator[Served]:
    limits = {"max_body_bytes": LIMIT, "body_timeout": 0.6, "header_timeout": 0.6, "commit_patience": 20.0}
    with Served(settings.model_copy(update=limits), storage) as running:
        yield running


def said(answer: Answer) -> tuple[int, str]:
    """Status and the one word of the body."""
    told = json.loads(answer.body)
    assert set(told) in ({"status"}, {"error", "reason"})
    assert "\n" not in told.get("reason", "")
    return answer.status, told.get("status") or told["error"]


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


# Lengths and speeds


def test_a_body_over_the_limit_is_refused_readably_to_a_sender_that_writes_everything_first(served: Served) -> None:
    large = b"x" * (LIMIT * 40)
    for whole in (
        request(large, X_WC_Webhook_Signature=samples.sign(large, SECRET)),
        b"POST /webhooks/woocommerce/installation1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n" % len(large)
        + large
        + b"\r\n0\r\n\r\n",
    ):
        assert said(served.talk(whole)) == (413, "body_too_large")
    assert served.bodies() == []


def test_a_sender_that_asks_first_need_not_send_what_is_too_large(served: Served) -> None:
    head = request(b"", Expect="100-continue", Content_Length=str(LIMIT + 1))
    answer = served.talk(head)
    assert said(answer) == (413, "body_too_large")
    assert answer.headers["connection"] == "close"


def test_a_sender_that_asks_first_is_told_to_go_on(served: Served) -> None:
    signature = samples.sign(ORDER, SECRET)
    whole = request(ORDER, Expect="100-continue", X_WC_Webhook_Signature=signature)
    head, body = whole[: -len(ORDER)], whole[-len(ORDER) :]
    with served.connect() as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert said(read_answer(connection)) == (200, "stored")


def test_chunks_of_any_size_are_one_body(served: Served) -> None:
    pieces = [ORDER[start : start + 700] for start in range(0, len(ORDER), 700)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    head = request(b"", X_WC_Webhook_Signature=samples.sign(ORDER, SECRET)).replace(
        b"Content-Length: 0", b"Transfer-Encoding: chunked"
    )
    assert said(served.talk(head, chunks)) == (200, "stored")
    assert served.bodies() == [ORDER]


def test_without_a_length_there_is_no_body(served: Served) -> None:
    head = request(b"", X_WC_Webhook_Signature=samples.sign(ORDER, SECRET)).replace(b"Content-Length: 0\r\n", b"")
    assert said(served.talk(head + ORDER)) == (401, "signature_wrong")
    assert served.bodies() == []


def test_a_length_that_is_none_is_refused(served: Served) -> None:
    signature = samples.sign(ORDER, SECRET)
    for length in ("-1", "1e3", "0x10", "99999999999999999999999999", "5, 5", ""):
        answer = served.talk(request(ORDER, Content_Length=length, X_WC_Webhook_Signature=signature))
        assert answer.status in (400, 401, 413), length
    assert served.bodies() == []


def test_a_length_that_says_too_little_is_not_the_signed_body(served: Served) -> None:
    whole = request(ORDER, Content_Length=str(len(ORDER) - 10), X_WC_Webhook_Signature=samples.sign(ORDER, SECRET))
    assert said(served.talk(whole)) == (401, "signature_wrong")
    assert served.bodies() == []


def test_a_length_that_says_too_much_runs_out_of_time(served: Served) -> None:
    whole = request(ORDER, Content_Length=str(len(ORDER) + 10), X_WC_Webhook_Signature=samples.sign(ORDER, SECRET))
    assert said(served.talk(whole)) == (408, "body_too_slow")
    assert served.bodies() == []


def test_a_slow_sender_is_not_waited_for(served: Served) -> None:
    whole = request(ORDER, X_WC_Webhook_Signature=samples.sign(ORDER, SECRET))
    with served.connect() as connection:
        connection.sendall(whole[:-200])
        stop = threading.Event()

        def dribble() -> None:
            for number in range(200):
                if stop.wait(0.05):
                    return
                try:
                    connection.sendall(whole[-200 + number : -199 + number or None])
                except OSError:
                    return

        thread = threading.Thread(target=dribble)
        thread.start()
        answer = read_answer(connection)
        stop.set()
        thread.join()
    assert said(answer) == (408, "body_too_slow")
    assert served.bodies() == []


def test_a_connection_cut_in_the_middle_of_a_body_leaves_nothing(served: Served) -> None:
    whole = request(ORDER, X_WC_Webhook_Signature=samples.sign(ORDER, SECRET))
    for _ in range(5):
        with served.connect() as connection:
            connection.sendall(whole[:-100])
    assert said(served.signed(b'{"id":1}')) == (200, "stored")
    assert served.bodies() == [b'{"id":1}']


def test_a_sender_that_hangs_up_before_the_answer_is_stored_all_the_same(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(request(ORDER, X_WC_Webhook_Signature=samples.sign(ORDER, SECRET)))
    wait_until(lambda: served.bodies() == [ORDER])


def test_one_connection_carries_many_webhooks(served: Served) -> None:
    with served.connect() as connection:
        for number in range(5):
            body = b'{"id":%d}' % number
            connection.sendall(request(body, X_WC_Webhook_Signature=samples.sign(body, SECRET)))
            assert said(read_answer(connection)) == (200, "stored")
        connection.sendall(request(b"{}", X_WC_Webhook_Signature="forged"))
        assert read_answer(connection).status == 401
        connection.sendall(request(ORDER, X_WC_Webhook_Signature=samples.sign(ORDER, SECRET)))
        assert said(read_answer(connection)) == (200, "stored")
    assert len(served.bodies()) == 6


def test_a_refusal_is_answered_at_once_on_an_open_connection(served: Served) -> None:
    """Nobody waits for a body that has come: a hundred of these in a row take no time-out each."""
    began = time.monotonic()
    for _ in range(20):
        with served.connect() as connection:
            connection.sendall(request(ORDER, X_WC_Webhook_Signature="forged"))
            assert read_answer(connection).status == 401
    assert time.monotonic() - began < 15, "each refusal waited for its sender to hang up"


# Heads


def test_a_head_without_end_is_refused(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"POST /webhooks/woocommerce/installation1 HTTP/1.1\r\n")
        answer = flood(connection, lambda number: b"X-%d: %s\r\n" % (number, b"y" * 1000))
    assert said(answer) == (431, "head_too_large")


def test_a_header_without_end_is_refused(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"POST /webhooks/woocommerce/installation1 HTTP/1.1\r\nX-A: ")
        answer = flood(connection, lambda _: b"y" * 4096)
    assert said(answer) == (431, "head_too_large")


def test_an_address_without_end_is_refused(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"GET /")
        answer = flood(connection, lambda _: b"y" * 4096)
    assert said(answer) == (431, "head_too_large")


def test_a_head_that_dribbles_is_not_waited_for(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"POST /webhooks/woocommerce/installation1 HTTP/1.1\r\n")
        answer = flood(connection, lambda number: b"X-%d: 1\r\n" % number, pause=0.05)
    assert said(answer) == (408, "head_too_slow")


def test_a_connection_on_which_nothing_is_said_is_closed(served: Served) -> None:
    with served.connect() as connection:
        assert connection.recv(1) == b""


def test_a_head_that_dribbles_after_a_good_request_is_not_waited_for(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(request(ORDER, X_WC_Webhook_Signature=samples.sign(ORDER, SECRET)))
        assert said(read_answer(connection)) == (200, "stored")
        connection.sendall(b"POST /webhooks/")
        assert said(flood(connection, lambda _: b"a", pause=0.05)) == (408, "head_too_slow")


def test_what_is_no_http_is_refused(served: Served) -> None:
    assert said(served.talk(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello TLS\r\n\r\n")) == (400, "not_http")
    assert said(served.talk(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))[0] == 400


def test_a_broken_second_request_does_not_cost_the_first_its_answer(served: Served) -> None:
    first = request(ORDER, X_WC_Webhook_Signature=samples.sign(ORDER, SECRET))
    assert said(served.talk(first + b"\x00\x01 nonsense\r\n\r\n")) == (200, "stored")
    assert served.bodies() == [ORDER]


def test_a_sender_that_closes_its_side_first_still_hears_the_answer(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(request(ORDER, X_WC_Webhook_Signature=samples.sign(ORDER, SECRET)))
        connection.shutdown(socket.SHUT_WR)
        assert said(read_answer(connection)) == (200, "stored")
        assert connection.recv(1) == b""


def test_an_offer_to_upgrade_does_not_cost_a_webhook(served: Served) -> None:
    answer = served.signed(ORDER, Connection="Upgrade, HTTP2-Settings", Upgrade="h2c", HTTP2_Settings="AAMAAABk")
    assert said(answer) == (200, "stored")
    assert served.bodies() == [ORDER]


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


def flood(connection: socket.socket, line: Callable[[int], bytes], pause: float = 0.0) -> Answer:
    """Send lines until the other side has had enough; its answer."""
    connection.settimeout(20)
    for number in range(5000):
        try:
            connection.sendall(line(number))
        except OSError:
            break
        if pause:
            time.sleep(pause)
            connection.setblocking(False)
            try:
                if connection.recv(1, socket.MSG_PEEK):
                    break
            except BlockingIOError:
                pass
            finally:
                connection.settimeout(20)
    return read_answer(connection)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
