"""Exact search without a second copy of the text: keyed hashes of what identifies a webhook.

A term is bound to its installation and to its kind, so that equal terms of two stores say nothing about one
another. The normal forms are those of `core.identity`: what one function writes, the other finds.
"""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache

from sqlalchemy import Connection, TextClause, delete
from sqlalchemy import text as sql

from connector.core.identity import click_id, normal_email, normal_phone
from connector.core.row_ids import id_at
from connector.storage.bulk import BulkInsert
from connector.storage.encryption import subject_digest
from connector.storage.tables import SearchTerm

__all__ = [
    "TermKind",
    "add_terms",
    "find_webhooks",
    "normal_text",
    "remove_terms",
    "search_terms",
    "term",
    "terms_of",
]

_rows = SearchTerm.__table__  # type: ignore[attr-defined]
_NEW_TERMS = BulkInsert(_rows, ("term", "webhook_id"), conflict="DO NOTHING")
_ORDER_NUMBER_LIMIT = 60
_NOT_DIGITS = re.compile(r"[\s().\-/]")
# One term's newest webhooks. The names are fixed, the values are bound.
_NEWEST = (
    "SELECT webhook_id FROM (SELECT webhook_id FROM search_term WHERE term = :term{number} AND webhook_id < :top"
    " ORDER BY webhook_id DESC LIMIT :most) AS newest{number}"
)
_TERMS_AT_ONCE = 100
# SQLite allows 32,766 values in one statement by default, PostgreSQL's driver 65,535; this stays far below.
_PART = 500


class TermKind(StrEnum):
    """What a term was made from."""

    EMAIL = "email"
    PHONE = "phone"
    ORDER_NUMBER = "order_number"
    CLICK_ID = "click_id"


def normal_text(kind: TermKind, text: str, country: str | None = None) -> str | None:
    """The one form that is hashed; None when the text cannot be of that kind.

    A phone number without `+` needs the country (ISO 3166 alpha-2) that it is dialled in.
    """
    if kind is TermKind.EMAIL:
        return normal_email(text)
    if kind is TermKind.PHONE:
        # As it stands first: mapping has just asked for the same text, and the answer is remembered.
        return normal_phone(text, country) or normal_phone(_NOT_DIGITS.sub("", text), country)
    if kind is TermKind.CLICK_ID:
        return click_id(text)
    number = text.strip().removeprefix("#").strip().casefold()
    return number if 0 < len(number) <= _ORDER_NUMBER_LIMIT else None


def term(
    hash_key: bytes, installation_id: str, kind: TermKind, text: str, country: str | None = None
) -> bytes | None:
    """The keyed hash, 16 bytes; None when the text cannot be of that kind."""
    normal = normal_text(kind, text, country)
    return None if normal is None else subject_digest(hash_key, "search", installation_id, kind, normal)


def search_terms(
    hash_key: bytes,
    installation_id: str,
    *,
    email: str | None = None,
    phone: str | None = None,
    order_number: str | None = None,
    ttclid: str | None = None,
    country: str | None = None,
) -> list[bytes]:
    """Every term of one webhook's facts, in clear as the store sent them; `country` is the buyer's, for the phone.

    Give the terms to `add_terms` with the webhook's id, in the transaction that processes it.
    """
    facts = (
        (TermKind.EMAIL, email),
        (TermKind.PHONE, phone),
        (TermKind.ORDER_NUMBER, order_number),
        (TermKind.CLICK_ID, ttclid),
    )
    found = (term(hash_key, installation_id, kind, text, country) for kind, text in facts if text)
    return [one for one in found if one is not None]


def terms_of(
    hash_key: bytes, installation_ids: Iterable[str], text: str, countries: Sequence[str] = ()
) -> dict[str, list[bytes]]:
    """Every term that a text typed into the search box can mean, by kind, in every one of the installations.

    `countries` are tried for a phone number that was typed without its international prefix.
    """
    ids = list(installation_ids)
    found: dict[str, list[bytes]] = {}
    for kind in TermKind:
        regions: tuple[str | None, ...] = (None, *countries) if kind is TermKind.PHONE else (None,)
        normal = {form for region in regions if (form := normal_text(kind, text, region)) is not None}
        if normal:
            found[kind] = [
                subject_digest(hash_key, "search", installation_id, kind, form)
                for installation_id in ids
                for form in sorted(normal)
            ]
    return found


def add_terms(connection: Connection, pairs: Iterable[tuple[bytes, int]]) -> None:
    """Write (term, webhook id) pairs; those already there stay."""
    _NEW_TERMS.run(connection, list(pairs))


def find_webhooks(connection: Connection, terms: Sequence[bytes], limit: int, before: int | None = None) -> list[int]:
    """Ids of webhooks that carry any of the terms, newest first, at most `limit`."""
    top = id_at(1 << 41) if before is None else before
    found: set[int] = set()
    for start in range(0, len(terms), _TERMS_AT_ONCE):
        part = terms[start : start + _TERMS_AT_ONCE]
        values = {f"term{number}": one for number, one in enumerate(part)}
        found.update(connection.execute(_newest_of(len(part)), {**values, "top": top, "most": limit}).scalars())
    return sorted(found, reverse=True)[:limit]


@cache
def _newest_of(terms: int) -> TextClause:
    """Each term by itself: a list of terms would be read whole before it is sorted, and one e-mail may be on a
    million orders."""
    return sql(" UNION ALL ".join(_NEWEST.format(number=number) for number in range(terms)))


def remove_terms(connection: Connection, webhook_ids: Sequence[int]) -> None:
    """Forget the terms of these webhooks; retention and erasure call it."""
    for start in range(0, len(webhook_ids), _PART):
        part = webhook_ids[start : start + _PART]
        connection.execute(delete(_rows).where(_rows.c.webhook_id.in_(part)))
