"""Log lines hide what is secret or personal, and a broken standard error never breaks the work."""

import io
import json
import re
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.logs import configure_logs, log, redact, request_id


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    configure_logs("json", "info")
    return lambda: capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "mail of zoe@example.com",
        "key ck_" + "0" * 40,
        "call +49 30 1234567",
        "order wc_order_nTr91vRGvsja9",
    ],
)
def test_shapes_that_give_themselves_away_are_hidden(lines: Callable[[], str], text: str) -> None:
    log.warning("something", text=text, deeper={"list": [text]})

    line = lines()
    assert "[hidden]" in line
    assert text.split()[-1] not in line


@pytest.mark.parametrize("name", ["access_token", "Authorization", "customer_ip", "user_agent", "email", "body"])
def test_names_that_hold_secrets_are_hidden(lines: Callable[[], str], name: str) -> None:
    log.warning("something", **{name: "anything"})

    assert json.loads(lines())[name] == "[hidden]"


def test_an_exception_is_named_and_placed_but_not_quoted(lines: Callable[[], str]) -> None:
    try:
        raise RuntimeError("parameters: zoe@example.com")
    except RuntimeError as error:
        log.error("failed", exc_info=error)

    written = lines()
    line = json.loads(written)
    assert line["error"] == "RuntimeError"
    assert "test_logs" in line["at"]
    assert "zoe" not in written


def test_ids_and_counts_stay_readable(lines: Callable[[], str]) -> None:
    log.info("stored", webhook_id=382890138936668160, webhooks=12)

    line = json.loads(lines())
    assert (line["webhook_id"], line["webhooks"]) == (382890138936668160, 12)


@pytest.mark.parametrize("name", ["request_id", "tiktok_request_id"])
def test_an_id_of_digits_is_no_phone_number_and_an_id_that_is_none_is_looked_through(
    lines: Callable[[], str], name: str
) -> None:
    log.info("answered", **{name: "20261126054938010244195155"})
    log.info("answered", **{name: "for zoe@example.com"})

    first, second = (json.loads(line) for line in lines().splitlines())
    assert (first[name], second[name]) == ("20261126054938010244195155", "for [hidden]")


def test_a_request_keeps_the_name_that_a_proxy_gave_it_unless_it_is_none() -> None:
    assert request_id("1a2b-3c.d:7") == "1a2b-3c.d:7"
    made = {request_id(given) for given in (None, "", "two words", "x" * 101, "zoe@example.com", "a\nb")}
    assert len(made) == 6
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in made)


def test_a_closed_standard_error_costs_only_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logs()
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)

    log.error("nobody reads this")


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_redacting_takes_anything(value: object) -> None:
    redact(value)
