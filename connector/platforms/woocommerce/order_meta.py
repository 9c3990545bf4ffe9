"""What the companion plugin stamped on an order: meta keys `_pixel_connector_*` (COMPANION_TOPICS.md).

Keys of a prototype (`_tc_*`) in recorded requests are not read.
"""

from typing import Any

from connector.core.store_events import ConsentStatement, ConsentStatus, OrderStamp, Visit
from connector.platforms.woocommerce.fields import (
    consent_status,
    country,
    event_id,
    flag,
    objects,
    query_parameter,
    text,
    utc,
    web_address,
    whole,
    word,
)

__all__ = ["LONGEST_CLICK_ID", "Meta", "read_consent", "read_meta", "read_stamp", "read_visit"]

Meta = dict[str, Any]

LONGEST_CLICK_ID = 2000  # what TikTok is sent has its own limit, `identity.click_id`

_NO_CONSENT = ConsentStatement()
_NO_STAMP = OrderStamp()
_CONSENT = "_pixel_connector_consent"
_CONSENT_AT = "_pixel_connector_consent_at"
_CONSENT_SOURCE = "_pixel_connector_consent_source"
_GPC = "_pixel_connector_gpc"
_EVENT_ID = "_pixel_connector_event_id"
_EVENT_NAME = "_pixel_connector_event_name"
_PIXEL_CODE = "_pixel_connector_pixel_code"
_BROWSER_SENT = "_pixel_connector_browser_sent"
_VISITOR_ID = "_pixel_connector_visitor_id"
_PAGE_URL = "_pixel_connector_page_url"
_REFERRER = "_pixel_connector_referrer"
_TTCLID = "_pixel_connector_ttclid"
_TTP = "_pixel_connector_ttp"
_COUNTRY = "_pixel_connector_country"
# WooCommerce's own order attribution, filled by its script in the shopper's browser.
_ATTRIBUTED_REFERRER = "_wc_order_attribution_referrer"
_ATTRIBUTED_ENTRY = "_wc_order_attribution_session_entry"


def read_meta(entries: Any) -> Meta:
    """Meta values by key, the last of equal keys; entries that are no such thing are left out.

    A refusal outweighs an equal key with another value: whichever was meant, nothing leaves against it.
    """
    found: Meta = {}
    for entry in entries if type(entries) is list else objects(entries):
        if type(entry) is dict and type(key := entry.get("key")) is str:
            value = entry.get("value")
            if key in found and _refuses(key, found[key]):
                continue
            found[key] = value
    return found


def _refuses(key: str, value: Any) -> bool:
    if key == _GPC:
        return flag(value) is True
    return key == _CONSENT and consent_status(value) is ConsentStatus.DENIED


def read_consent(meta: Meta) -> ConsentStatement:
    """The consent that held at checkout; unknown when nothing was stamped."""
    said, private = meta.get(_CONSENT), meta.get(_GPC)
    if said is None and private is None:
        return _NO_CONSENT
    return ConsentStatement(
        status=consent_status(said),
        stated_at=utc(meta.get(_CONSENT_AT)),
        source=text(meta.get(_CONSENT_SOURCE), 100) or "",
        global_privacy_control=flag(private) is True,
    )


def read_stamp(meta: Meta) -> OrderStamp:
    """Event id, name and pixel as both halves send them, and whether the browser has."""
    sent = flag(meta.get(_BROWSER_SENT))
    identifier = event_id(meta.get(_EVENT_ID))
    name, pixel = word(meta.get(_EVENT_NAME)), word(meta.get(_PIXEL_CODE))
    if sent is None and identifier is None and name is None and pixel is None:
        return _NO_STAMP
    return OrderStamp(identifier, name, pixel, sent)


def read_visit(meta: Meta, ip: Any, user_agent: Any) -> Visit:
    """The checkout's visit. WooCommerce's own order attribution fills in the referrer and the click id."""
    referrer = meta.get(_REFERRER) or meta.get(_ATTRIBUTED_REFERRER)
    entry = meta.get(_ATTRIBUTED_ENTRY)
    return Visit(
        visitor_id=event_id(meta.get(_VISITOR_ID)),
        page_url=web_address(meta.get(_PAGE_URL)),
        referrer=web_address(referrer),
        ttclid=whole(meta.get(_TTCLID), LONGEST_CLICK_ID) or query_parameter(entry, "ttclid", LONGEST_CLICK_ID),
        ttp=whole(meta.get(_TTP), 200),
        ip=text(ip, 200),
        user_agent=text(user_agent),
        country=country(meta.get(_COUNTRY)),
    )
