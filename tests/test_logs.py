"""Log lines hide what is secret or personal, and a broken standard error never breaks the work."""

import io
import json
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.logs import configure_logs, log, redact


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
