import hashlib

import pytest

from connector.core.event_ids import is_valid_event_id, purchase_id, registration_id


def test_ids_are_those_that_the_plugin_computes() -> None:
    assert purchase_id("abc", 12, "wc_order_x") == hashlib.sha256(b"abc:order:12:wc_order_x").hexdigest()
    assert registration_id("abc", 3) == hashlib.sha256(b"abc:registration:3").hexdigest()


def test_the_order_key_and_the_store_make_the_id() -> None:
    ids = {purchase_id(store, order, key) for store in "ab" for order in (1, 2) for key in ("k", "l", "")}
    assert len(ids) == 12


def test_a_key_that_is_no_text_still_has_an_id() -> None:
    assert is_valid_event_id(purchase_id("abc", 12, "\ud800"))


@pytest.mark.parametrize("event_id", ["a", "9f" * 16, "A-b_c.d", "x" * 128])
def test_minted_ids_we_take(event_id: str) -> None:
    assert is_valid_event_id(event_id)


@pytest.mark.parametrize("event_id", [None, "", "x" * 129, "a b", "a\n", "é", "a/b", "a'--"])
def test_minted_ids_we_refuse(event_id: str | None) -> None:
    assert not is_valid_event_id(event_id)
