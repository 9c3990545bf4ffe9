"""What a browser may say by `/collect`, and the webhook body that we make of it.

A beacon proves nothing: whoever sees the page's source can send one. So it carries a name from a fixed list, a
product id and a random visitor id, never money or an order. The body has the shape of the companion plugin's
topics (COMPANION_TOPICS.md), so that one reader understands both.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from connector.core.consent import decide
from connector.core.countries import known_country
from connector.core.event_names import STOREFRONT_EVENTS, VIEW_CONTENT
from connector.core.installation_settings import ConsentPolicy
from connector.core.page_urls import reduced_url
from connector.core.plain_text import plain_text
from connector.core.store_events import ConsentStatement, ConsentStatus
from connector.errors import WebhookRefused

__all__ = ["CONSENT_CHANGED", "Beacon", "Sender", "beacon_body", "read_beacon", "topic_of"]

CONSENT_CHANGED = "consent_changed"
_NAMES = STOREFRONT_EVENTS | {VIEW_CONTENT, CONSENT_CHANGED}
_NEEDS: Mapping[str, tuple[str, ...]] = {
    CONSENT_CHANGED: ("visitor",),
    VIEW_CONTENT: ("event_id", "product_id"),
    "AddToWishlist": ("event_id", "product_id"),
    "Search": ("event_id", "search"),
}
_RANDOM_ID = re.compile(r"[0-9a-f]{32}")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{1,600}")
_SOURCE = re.compile(r"[a-z0-9_]{1,40}")
_LARGEST_ID = 2**63 - 1
_CHOICES = {"granted": ConsentStatus.GRANTED, "denied": ConsentStatus.DENIED}


@dataclass(frozen=True, slots=True)
class Beacon:
    """What was understood of a browser's report; None where nothing of the right form came."""

    name: str
    event_id: str | None
    visitor: str | None
    product_id: int | None
    variation_id: int | None
    search: str | None
    page: str | None
    referrer: str | None
    ttclid: str | None
    ttp: str | None
    country: str | None
    consent: ConsentStatement


@dataclass(frozen=True, slots=True)
class Sender:
    """What the connection itself tells: address and user agent."""

    ip: str | None
    user_agent: str | None


def topic_of(name: str) -> str:
    """The companion topic that a name belongs to."""
    topics = {VIEW_CONTENT: "storefront.product_viewed", CONSENT_CHANGED: "storefront.consent_changed"}
    return topics.get(name, "storefront.standard_event")


def read_beacon(raw: bytes, now: datetime) -> Beacon:
    """Check a report. Raises WebhookRefused 400 with `not_json`, `name_not_taken` or `field_missing`."""
    said = _object(raw)
    name = said.get("name")
    if not isinstance(name, str) or name not in _NAMES:
        raise WebhookRefused(400, "name_not_taken", "Browsers do not tell events of this name here.")
    beacon = Beacon(
        name=name,
        event_id=_text(said.get("event_id"), _RANDOM_ID),
        visitor=_text(said.get("visitor"), _RANDOM_ID),
        product_id=_number(said.get("product_id")),
        variation_id=_number(said.get("variation_id")),
        search=plain_text(said.get("search") if isinstance(said.get("search"), str) else None, 100),
        page=_address(said.get("page")),
        referrer=_address(said.get("referrer")),
        ttclid=_text(said.get("ttclid"), _TOKEN),
        ttp=_text(said.get("ttp"), _TOKEN),
        country=known_country(country) if isinstance(country := said.get("country"), str) else None,
        consent=_consent(said, now),
    )
    for needed in _NEEDS.get(name, ("event_id",)):
        if getattr(beacon, needed) is None:
            raise WebhookRefused(400, "field_missing", f"{name} needs {needed}.")
    return beacon


def beacon_body(
    beacon: Beacon, sender: Sender, item: Mapping[str, Any], policy: ConsentPolicy, now: datetime
) -> bytes:
    """The webhook body. Where the visitor's data may not be used, only what decides on that is kept of them."""
    allowed = decide(beacon.consent, policy, beacon.country).may_send
    body: dict[str, Any] = {
        "event_id": beacon.event_id,
        "time": _iso(now),
        "visitor": {"country": beacon.country},
        "consent": {
            "status": beacon.consent.status,
            "at": _iso(beacon.consent.stated_at),
            "source": beacon.consent.source,
            "gpc": beacon.consent.global_privacy_control,
        },
        "witness": "browser",
    }
    if allowed:
        body["visitor"] |= _traits(beacon, sender)
        body["page"] = {"url": beacon.page, "referrer": beacon.referrer}
    elif beacon.name == CONSENT_CHANGED:
        body["visitor"]["id"] = beacon.visitor  # a withdrawal must be able to name what it withdraws
    return orjson.dumps(body | _own_part(beacon, item))


def _traits(beacon: Beacon, sender: Sender) -> dict[str, Any]:
    return {
        "id": beacon.visitor,
        "ip": sender.ip,
        "user_agent": sender.user_agent,
        "ttclid": beacon.ttclid,
        "ttp": beacon.ttp,
    }


def _own_part(beacon: Beacon, item: Mapping[str, Any]) -> dict[str, Any]:
    if beacon.name == CONSENT_CHANGED:
        return {}
    if beacon.name == VIEW_CONTENT:
        return {"item": dict(item)}
    own: dict[str, Any] = {"name": beacon.name}
    if beacon.product_id is not None:
        own["items"] = [dict(item)]
    if beacon.name == "Search":
        own["search_string"] = beacon.search
    return own


def _object(raw: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise WebhookRefused(400, "not_json", "The body is not a JSON object.")
    return said


def _text(value: object, form: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _number(value: object) -> int | None:
    return value if type(value) is int and 0 < value < _LARGEST_ID else None


def _address(value: object) -> str | None:
    return reduced_url(value[:2000]) if isinstance(value, str) else None


def _consent(said: Mapping[str, Any], now: datetime) -> ConsentStatement:
    given = said.get("consent")
    given = given if isinstance(given, dict) else {}
    status = _CHOICES.get(str(given.get("status")), ConsentStatus.UNKNOWN)
    return ConsentStatement(
        status=status,
        stated_at=None if status is ConsentStatus.UNKNOWN else _moment(given.get("at"), now),
        source=_text(given.get("source"), _SOURCE) or "",
        global_privacy_control=said.get("gpc") is True,
    )


def _moment(value: object, now: datetime) -> datetime | None:
    """A time with its zone, never after now: a clock that runs ahead must not outrank every later word."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= 40 else None
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None:
        return None
    try:
        return min(moment.astimezone(UTC), now)
    except OverflowError:
        return None


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")
