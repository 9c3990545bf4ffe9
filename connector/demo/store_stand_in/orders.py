"""The body of an order as the store's REST API and its webhooks write it: the fields that a connector reads."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

__all__ = ["order_body"]

_HOODIES: Mapping[str, Any] = {
    "id": 1,
    "name": "Hoodie",
    "product_id": 18,
    "variation_id": 0,
    "quantity": 2,
    "total": "85.00",
    "total_tax": "0.00",
    "sku": "HOODIE",
    "price": 42.5,
}


def order_body(
    order_id: int, status: str, currency: str, placed: datetime, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Two hoodies and their shipping, 85.00 + 5.40."""
    moment = placed.replace(tzinfo=None).isoformat(timespec="seconds")
    body: dict[str, Any] = {
        "id": order_id,
        "number": str(order_id),
        "order_key": f"wc_order_standin{order_id}",
        "status": status,
        "currency": currency,
        "created_via": "store-api",
        "date_created_gmt": moment,
        "date_modified_gmt": moment,
        "date_paid_gmt": moment if status in ("processing", "completed") else None,
        "total": "90.40",
        "total_tax": "0.00",
        "shipping_total": "5.40",
        "shipping_tax": "0.00",
        "discount_total": "0.00",
        "customer_id": 0,
        "customer_ip_address": "203.0.113.7",
        "customer_user_agent": "Mozilla/5.0 (stand-in)",
        "billing": {"email": "shopper@example.com", "phone": "+49 30 901820", "country": "DE"},
        "shipping": {"country": "DE"},
        "line_items": [dict(_HOODIES)],
        "refunds": [],
        "meta_data": [],
    }
    return body | dict(changes)
