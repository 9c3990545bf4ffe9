"""Who somebody is, in the forms that TikTok matches on. The only place that makes the hashed types.

Every function is total: what cannot be used becomes None, so that absent stays absent. Normal forms before
hashing are those of the Events API 2.0 reference: e-mail trimmed and lower-cased, phone in E.164 with `+`.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

import phonenumbers

from connector.core.conversion_events import HashedEmail, HashedExternalId, HashedPhone
from connector.core.plain_text import plain_text, sha256_hex

__all__ = [
    "browser_id",
    "click_id",
    "customer_external_id",
    "external_id",
    "hash_email",
    "hash_phone",
    "normal_email",
    "normal_phone",
    "public_ip",
    "user_agent",
    "visitor_external_id",
]

_EMAIL = re.compile(r"[^\s@<>,;\"]{1,64}@[^\s@<>,;\"]+\.[^\s@<>,;\".]{2,}")
_EMAIL_LIMIT = 254  # RFC 5321
_TOKEN = re.compile(r"[!-~]+")
_VISITOR_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_CLICK_ID_LIMIT = 1024  # TikTok gives none; real ones are a few hundred characters
_BROWSER_ID_LIMIT = 128  # `_ttp` is 27 characters today
_USER_AGENT_LIMIT = 1024
_FEWEST_DIGITS = 7  # of a number in E.164
_NUMBER_THEN_WORDS = re.compile(r"([^A-Za-z]*\d[^A-Za-z]*)[A-Za-z]")
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"  # pasted along with an address, and no blanks to `strip`
_NO_VALUE = frozenset({"0", "null", "undefined", "none", "false"})


def normal_email(text: str | None) -> str | None:
    """The address trimmed and lower-cased; None when it cannot be one."""
    if not text:
        return None
    address = text.strip().strip(_INVISIBLE).strip().lower()
    if len(address) > _EMAIL_LIMIT or _EMAIL.fullmatch(address) is None:
        return None
    return address if plain_text(address, _EMAIL_LIMIT) == address else None


def hash_email(text: str | None) -> HashedEmail | None:
    """The hash of the normal form, None when there is none."""
    address = normal_email(text)
    return None if address is None else HashedEmail(sha256_hex(address))


@lru_cache(maxsize=8192)
def _e164(text: str, country: str | None) -> str | None:
    number = _parsed(_without_words(text), country)
    if number is None and text.startswith("00"):  # from abroad, where a country's own prefix may be another
        number = _parsed("+" + text[2:], country)
    return None if number is None else phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _parsed(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _without_words(text: str) -> str:
    """The number without what is said about it ("030 1234567 Mobil"): the library would dial the letters."""
    found = _NUMBER_THEN_WORDS.match(text)
    return found[1] if found is not None and sum(map(str.isdigit, found[1])) >= _FEWEST_DIGITS else text


def normal_phone(text: str | None, country: str | None) -> str | None:
    """The number in E.164 with `+`; `country` is the order's (ISO 3166 alpha-2). None when invalid."""
    if not text:
        return None
    text = text.strip()
    # E.164 has 7 digits at least; a number that long with its decoration still fits 40 characters.
    if not 7 <= len(text) <= 40:
        return None
    region = country.strip().upper() if country else None
    return _e164(text, region if region in phonenumbers.SUPPORTED_REGIONS else None)


def hash_phone(text: str | None, country: str | None) -> HashedPhone | None:
    """The hash of the E.164 form, None when there is none."""
    number = normal_phone(text, country)
    return None if number is None else HashedPhone(sha256_hex(number))


def customer_external_id(public_id: str, customer_id: int) -> HashedExternalId:
    """A customer of the store. The id is the store's number."""
    return HashedExternalId(sha256_hex(f"{public_id}:customer:{customer_id}"))


def visitor_external_id(public_id: str, visitor_id: str) -> HashedExternalId:
    """A visitor who is no customer yet. The id is the random one on the visitor's device."""
    return HashedExternalId(sha256_hex(f"{public_id}:visitor:{visitor_id}"))


def external_id(public_id: str, customer_id: int | None, visitor_id: str | None) -> HashedExternalId | None:
    """The customer's if there is one (guests have none, or 0), else the visitor's, else None."""
    if customer_id is not None and customer_id > 0:
        return customer_external_id(public_id, customer_id)
    if visitor_id and _VISITOR_ID.fullmatch(visitor_id) and visitor_id.lower() not in _NO_VALUE:
        return visitor_external_id(public_id, visitor_id)
    return None


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if address.is_multicast or address.is_unspecified:
        return False
    return address.is_global


def _first_address(text: str) -> str:
    """The visitor's of a proxy's header that reached the order whole: the first of a list, without its port."""
    first = text.partition(",")[0].strip()
    if first.startswith("["):
        return first[1:].partition("]")[0]
    return first.partition(":")[0] if first.count(":") == 1 else first


@lru_cache(maxsize=8192)
def public_ip(text: str | None) -> str | None:
    """The address when it can be a visitor's: not private, loopback, reserved. An IPv4 in IPv6 is unwrapped."""
    if not text or "%" in text:
        return None
    try:
        address = ip_address(_first_address(text))
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address) if _is_public(address) else None


def _opaque(text: str | None, limit: int) -> str | None:
    """A value that only TikTok can read: whole or not at all, since a shortened one names nothing."""
    if not text:
        return None
    text = text.strip()
    if len(text) > limit or _TOKEN.fullmatch(text) is None or text.lower() in _NO_VALUE:
        return None
    return text


def click_id(text: str | None) -> str | None:
    """`ttclid` with its case kept; None when empty, not printable ASCII or beyond 1,024 characters."""
    return _opaque(text, _CLICK_ID_LIMIT)


def browser_id(text: str | None) -> str | None:
    """The `_ttp` cookie's value."""
    return _opaque(text, _BROWSER_ID_LIMIT)


def user_agent(text: str | None) -> str | None:
    """The browser's own name for itself, at most 1,024 characters."""
    agent = plain_text(text, _USER_AGENT_LIMIT)
    return None if agent is None or agent.lower() in _NO_VALUE else agent
