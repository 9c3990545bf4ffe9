"""Bodies of `order.created`, `order.updated`, `order.restored` and `order.deleted`."""

from decimal import Decimal
from typing import Any

from connector.core.store_events import LineItem, Order, OrderDeleted, StoreError
from connector.errors import UnreadablePayload
from connector.platforms.json_bodies import JsonObject
from connector.platforms.woocommerce.buyers import read_buyer
from connector.platforms.woocommerce.fields import (
    code,
    currency,
    decimal,
    identifier,
    objects,
    text,
    utc,
)
from connector.platforms.woocommerce.order_meta import read_consent, read_meta, read_stamp, read_visit
from connector.platforms.woocommerce.store_errors import read_store_error

__all__ = ["read_deleted_order", "read_line_item", "read_order"]

_ZERO, _ONE = Decimal(0), Decimal(1)


def read_order(body: JsonObject) -> Order | StoreError:
    """An order, or the store's own error in its place.

    Only id, status, currency and total must be there (UnreadablePayload `id_missing`, `status_missing`, ...).
    Times come from the `*_gmt` fields: the others are in the store's zone without saying which.
    """
    order_id = identifier(body.get("id"))
    if order_id is None:
        return read_store_error(body)
    get = body.get
    status, money, total = text(get("status"), 60), currency(get("currency")), decimal(get("total"))
    if status is None or money is None or total is None:
        missing = "status" if status is None else "currency" if money is None else "total"
        raise UnreadablePayload(f"{missing}_missing", f"the order has no readable {missing}")
    meta = read_meta(get("meta_data"))
    created_via = text(get("created_via"), 60) or ""
    return Order(
        order_id=order_id,
        order_key=text(get("order_key"), 100) or "",
        number=text(get("number"), 100) or str(order_id),
        status=status.removeprefix("wc-"),
        currency=money,
        total=total,
        total_tax=decimal(get("total_tax")) or _ZERO,
        shipping_total=decimal(get("shipping_total")) or _ZERO,
        created_at=utc(get("date_created_gmt")),
        modified_at=utc(get("date_modified_gmt")),
        paid_at=utc(get("date_paid_gmt")),
        created_via=created_via,
        is_renewal=created_via == "subscription" or _names_something(meta.get("_subscription_renewal")),
        buyer=read_buyer(body, identifier(get("customer_id"))),
        visit=read_visit(meta, get("customer_ip_address"), get("customer_user_agent")),
        consent=read_consent(meta),
        stamp=read_stamp(meta),
        lines=_read_lines(get("line_items")),
    )


def _names_something(value: Any) -> bool:
    """Whether PHP would take the value for true: a subscription's number, and not nothing, 0 or "0"."""
    return bool(value) and value != "0"


def read_deleted_order(body: JsonObject) -> OrderDeleted | StoreError:
    """An order in the trash: `{"id": N}` and nothing more. Deleting for good sends nothing at all."""
    order_id = identifier(body.get("id"))
    return read_store_error(body) if order_id is None else OrderDeleted(order_id)


def read_line_item(line: JsonObject) -> LineItem:
    """One line. `price` is a number, net per piece after discounts, unrounded; else total / quantity."""
    get = line.get
    quantity = decimal(get("quantity"))
    price = decimal(get("price"))
    if price is None and quantity and (total := decimal(get("total"))) is not None:
        price = total / quantity
    return LineItem(
        product_id=identifier(get("product_id")),
        variation_id=identifier(get("variation_id")),
        sku=code(get("sku")),
        name=text(get("name"), 500),
        quantity=_ONE if quantity is None else quantity,
        unit_price=price,
    )


def _read_lines(lines: Any) -> tuple[LineItem, ...]:
    return tuple([read_line_item(line) for line in objects(lines)])
