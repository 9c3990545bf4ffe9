"""Senders as they should not be: too much, too little, too slow, or no HTTP at all. Over a real socket."""

import socket
import threading
import time
from collections.abc import Callable

import pytest

from connector.demo import samples
from tests.installations import SECRET
from tests.intake.serving import LIMIT, ORDER, Answer, Served, read_answer, request, said, wait_until


@pytest.fixture
def database_kind() -> str:
    """This is said before any database is asked."""
    return "sqlite"


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


def test_a_sender_that_says_too_much_and_waits_is_answered_at_once(served: Served) -> None:
    """It never sends what it promised: the answer must not wait for the rest."""
    with served.connect() as connection:
        connection.settimeout(3)
        connection.sendall(request(b"{}", Content_Length=str(10**9)))
        assert said(read_answer(connection)) == (413, "body_too_large")


def test_a_sender_that_closes_its_side_too_early_hears_why(served: Served) -> None:
    whole = request(ORDER, X_WC_Webhook_Signature=samples.sign(ORDER, SECRET))
    for part, expected in (
        (whole[:-100], (400, "body_cut_short")),
        (whole[:50], (400, "not_http")),
        (request(b"{}", Content_Length=str(10**9)), (413, "body_too_large")),
    ):
        with served.connect() as connection:
            connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
            assert said(read_answer(connection)) == expected
            assert connection.recv(1) == b""
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
