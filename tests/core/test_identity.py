import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core import identity
from connector.core.plain_text import plain_text, sha256_hex

# The vectors that TikTok publishes with the Events API 2.0 reference.
ALICE = "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"
PHONE = "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd"
USER = "80fba0ae1c48e3978e43e4efc365e14e12ea0c830ba8ba5b9a2dafc7e3f2ab8b"


def test_published_email_vector() -> None:
    assert identity.normal_email(" ALICE_abc@gmail.com ") == "alice_abc@gmail.com"
    assert identity.hash_email(" ALICE_abc@gmail.com ") == ALICE


def test_invisible_signs_that_were_pasted_along_are_no_part_of_an_address() -> None:
    assert identity.normal_email("\u200b alice@example.com\ufeff ") == "alice@example.com"


@pytest.mark.parametrize("country", ["US", None, "DE"])
def test_published_phone_vector(country: str | None) -> None:
    assert identity.normal_phone("(+1)2133734253", country) == "+12133734253"
    assert identity.hash_phone("(+1)2133734253", country) == PHONE


def test_published_external_id_vector() -> None:
    assert sha256_hex("user_123") == USER


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "  ",
        "0",
        "anna",
        "anna@",
        "@example.com",
        "anna@localhost",
        "a b@example.com",
        "a@b@c.de",
        "anna@example.com\x00",
        "anna@ex\ud800ample.com",
        "a" * 250 + "@example.com",
        "anna@example.",
    ],
)
def test_what_is_no_email_is_absent(text: str | None) -> None:
    assert identity.hash_email(text) is None


@pytest.mark.parametrize(
    ("text", "country", "normal"),
    [
        ("+49 30 1234567", "DE", "+49301234567"),
        ("030 1234567", "DE", "+49301234567"),
        ("030 1234567", " de ", "+49301234567"),
        ("0049 30 1234567", "DE", "+49301234567"),
        ("0049 30 1234567", None, "+49301234567"),
        ("+49 (0)30 1234567", "DE", "+49301234567"),
        ("(415) 555-0100", "US", "+14155550100"),
        ("+81 3-1234-5678", "DE", "+81312345678"),
        ("+39 06 69812345", None, "+390669812345"),
        ("030 1234567", None, None),
        ("030 1234567", "XX", None),
        ("+49 30 99", "DE", None),
        ("+90 212 000", "TR", None),
        ("0049 30 1234567", "US", "+49301234567"),
        ("011 49 30 1234567", "US", "+49301234567"),
        ("+49 30/1234567 Mobil", "DE", "+49301234567"),
        ("030 1234567 (privat)", "DE", "+49301234567"),
        ("Tel. 030 1234567", "DE", "+49301234567"),
        ("030 1234567 ext. 12", "DE", "+49301234567"),
        ("0170 1234 mobil", "DE", None),
        ("+1-800-FLOWERS", "US", "+18003569377"),
        ("0", "DE", None),
        ("", "DE", None),
        (None, "DE", None),
        ("not given", "DE", None),
        ("1" * 500, "DE", None),
    ],
)
def test_phone_numbers_in_e164(text: str | None, country: str | None, normal: str | None) -> None:
    assert identity.normal_phone(text, country) == normal


def test_external_ids_are_those_of_the_plugin() -> None:
    customer = hashlib.sha256(b"abc:customer:7").hexdigest()
    visitor = hashlib.sha256(b"abc:visitor:0f0f").hexdigest()
    assert identity.external_id("abc", 7, "0f0f") == customer
    assert identity.external_id("abc", None, "0f0f") == visitor
    assert identity.external_id("abc", 0, "0f0f") == visitor
    assert identity.external_id("abc", 0, "") is None
    assert identity.external_id("abc", None, "0") is None
    assert identity.external_id("abc", None, None) is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8.8.8.8", "8.8.8.8"),
        (" 81.2.69.142 ", "81.2.69.142"),
        ("203.0.113.7", None),
        ("2001:db8::7", None),
        ("2A00:1450:4001:0::1", "2a00:1450:4001::1"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("::ffff:192.168.1.1", None),
        ("127.0.0.1", None),
        ("10.1.2.3", None),
        ("192.168.0.1", None),
        ("172.16.0.9", None),
        ("100.64.0.1", None),
        ("169.254.169.254", None),
        ("0.0.0.0", None),
        ("224.0.0.1", None),
        ("::1", None),
        ("::", None),
        ("fe80::1", None),
        ("fe80::1%eth0", None),
        ("fc00::1", None),
        ("8.8.8.8, 10.0.0.1", "8.8.8.8"),
        ("10.0.0.1, 8.8.8.8", None),
        ("8.8.8.8:80", "8.8.8.8"),
        ("[2a00:1450:4001:82a::200e]:443", "2a00:1450:4001:82a::200e"),
        ("[8.8.8.8", "8.8.8.8"),
        (":80", None),
        (",", None),
        ("", None),
        (None, None),
    ],
)
def test_only_a_visitors_address_passes(text: str | None, address: str | None) -> None:
    assert identity.public_ip(text) == address


def test_click_ids_stay_whole_or_are_absent() -> None:
    assert identity.click_id(" E.C.P.aBc-_ ") == "E.C.P.aBc-_"
    assert identity.click_id("x" * 1024) == "x" * 1024
    for text in (None, "", " ", "0", "null", "a b", "a\nb", "x" * 1025, "é"):
        assert identity.click_id(text) is None
    assert identity.browser_id("01JAB_x-") == "01JAB_x-"
    assert identity.browser_id("x" * 129) is None


def test_user_agents_are_cleaned() -> None:
    assert identity.user_agent(" Mozilla/5.0 \x00(X11) ") == "Mozilla/5.0 (X11)"
    assert identity.user_agent("a" * 3000) == "a" * 1024
    assert identity.user_agent("  ") is None
    assert identity.user_agent("0") is None


anything = st.one_of(st.none(), st.text(st.characters(exclude_categories=()), max_size=60))


@given(anything, st.one_of(st.none(), st.sampled_from(["DE", "US", "xx", ""])))
def test_identity_never_raises_and_never_gives_empty_text(text: str | None, country: str | None) -> None:
    found = (
        identity.hash_email(text),
        identity.hash_phone(text, country),
        identity.external_id("abc", None, text),
        identity.click_id(text),
        identity.browser_id(text),
        identity.user_agent(text),
        identity.public_ip(text),
    )
    assert "" not in found
    assert all(value is None or len(value) == 64 for value in found[:3])


@given(st.emails(), st.sampled_from(["", " ", "\t", "\n "]))
def test_normalising_an_email_again_changes_nothing(address: str, blanks: str) -> None:
    once = identity.normal_email(blanks + address + blanks)
    assert identity.normal_email(once) == once
    assert identity.hash_email(address) == identity.hash_email(once)


@given(st.from_regex(r"\+?[0-9 ().-]{7,18}", fullmatch=True), st.sampled_from(["DE", "US", "IT", "AR", "GB"]))
def test_normalising_a_phone_number_again_changes_nothing(text: str, country: str) -> None:
    once = identity.normal_phone(text, country)
    if once is not None:
        assert once.startswith("+")
        assert once[1:].isdigit()
        assert identity.normal_phone(once, None) == once


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 50))
def test_plain_text_fits_json_and_databases(text: str, limit: int) -> None:
    plain = plain_text(text, limit)
    if plain is not None:
        plain.encode()
        assert "\x00" not in plain
        assert 0 < len(plain) <= limit
        assert plain_text(plain, limit) == plain


def test_plain_text_has_no_blank_at_a_cut_end() -> None:
    assert plain_text(" ab cd", 3) == "ab"
    assert plain_text(" \x00 ", 3) is None
