"""Mapping is total: whatever a reader could hand over has an outcome, and what may be sent is fit to be."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from connector.core import event_ids, mapping
from connector.core.currencies import LISTED_CURRENCIES
from connector.core.installation_settings import InstallationSettings
from connector.core.mapping import Conversion, Filtered, Skip, map_event
from connector.core.store_events import (
    Buyer,
    CartItemAdded,
    ConsentChanged,
    ConsentStatement,
    ConsentStatus,
    CustomerCreated,
    CustomEvent,
    LineItem,
    Named,
    NothingToDo,
    Order,
    OrderDeleted,
    OrderStamp,
    ProductViewed,
    StandardEvent,
    StoreError,
    StoreEvent,
    Visit,
)
from tests.core.mapping_cases import MINTED, NOW, shop

# Everything a reader could hand over, and more: the types say text, not which.
texts = st.text(st.characters(exclude_categories=()), max_size=30)
maybe = st.one_of(st.none(), texts)
numbers = st.one_of(st.none(), st.integers())
decimals = st.one_of(
    st.decimals(), st.decimals(0, 1000, places=2), st.just(Decimal("sNaN")), st.just(Decimal("0E-9999"))
)
times = st.one_of(st.none(), st.datetimes(timezones=st.just(UTC)))
visits = st.builds(
    Visit,
    maybe,
    maybe,
    maybe,
    maybe,
    maybe,
    st.one_of(maybe, st.ip_addresses().map(str)),
    maybe,
    maybe,
    st.booleans(),
)
buyers = st.builds(Buyer, st.one_of(maybe, st.emails()), maybe, maybe, st.sampled_from([None, "DE", "xx"]), numbers)
consents = st.builds(ConsentStatement, st.sampled_from(ConsentStatus), times, texts, st.booleans())
lines = st.builds(LineItem, numbers, numbers, maybe, maybe, decimals, st.one_of(st.none(), decimals))
currencies = st.one_of(texts, st.sampled_from(sorted(LISTED_CURRENCIES)))
statuses = st.one_of(st.sampled_from(["processing", "wc-completed", "checkout-draft", "refunded"]), texts)
stamps = st.builds(OrderStamp, maybe, maybe, maybe, st.one_of(st.none(), st.booleans()))
orders = st.builds(
    Order,
    order_id=st.integers(),
    order_key=texts,
    number=texts,
    status=statuses,
    currency=currencies,
    total=decimals,
    total_tax=decimals,
    shipping_total=decimals,
    created_at=times,
    modified_at=times,
    paid_at=times,
    created_via=texts,
    is_renewal=st.booleans(),
    buyer=buyers,
    visit=visits,
    consent=consents,
    stamp=stamps,
    lines=st.lists(lines, max_size=3).map(tuple),
)
ids = st.one_of(texts, st.just(MINTED))
names = st.one_of(texts, st.sampled_from(["Search", "Lead", "CompletePayment"]))
events = st.one_of(
    orders,
    st.builds(OrderDeleted, st.integers()),
    st.builds(CustomerCreated, st.integers(), buyers, times, visits, consents),
    st.builds(CartItemAdded, ids, times, lines, currencies, visits, consents, numbers),
    st.builds(ProductViewed, ids, times, lines, currencies, visits, consents, numbers),
    st.builds(ConsentChanged, texts, consents, numbers),
    st.builds(
        StandardEvent,
        name=names,
        event_id=ids,
        happened_at=times,
        visit=visits,
        consent=consents,
        items=st.lists(lines, max_size=3).map(tuple),
        currency=currencies,
        value=st.one_of(st.none(), decimals),
        search_string=maybe,
        customer_id=numbers,
    ),
    st.builds(CustomEvent, names, ids, times, visits, consents, buyers, st.one_of(st.none(), decimals), currencies),
    st.builds(StoreError, texts),
    st.builds(Named, texts, texts),
    st.builds(NothingToDo, texts),
)
settings_strategy = st.fixed_dictionaries(
    {},
    optional={
        "value_basis": st.sampled_from(["total", "without_tax", "without_tax_and_shipping"]),
        "content_id": st.sampled_from(["sku", "id"]),
        "send_renewals": st.booleans(),
    },
)


def all_texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, tuple):
        return [text for each in value for text in all_texts(each)]
    slots = getattr(value, "__slots__", ()) if not isinstance(value, Decimal | datetime) else ()
    return [text for name in slots for text in all_texts(getattr(value, name))]


@given(events, settings_strategy)
def test_mapping_is_total(event: StoreEvent, settings: dict[str, Any]) -> None:
    result = map_event(event, shop(**settings))
    assert isinstance(result, Conversion | Filtered | Skip)
    if isinstance(result, Skip):
        assert result.reason
        return
    told = result.event if isinstance(result, Conversion) else result
    assert (told.value is None) == (told.currency is None)
    assert told.value is None or (told.value.is_finite() and told.value >= 0)
    assert told.currency is None or told.currency in LISTED_CURRENCIES
    assert event_ids.is_valid_event_id(told.event_id)
    if isinstance(result, Conversion):
        assert result.event.event_time <= NOW
        found = all_texts(result.event)
        assert len(found) >= 4
        assert all(text and text == text.strip() and "\x00" not in text for text in found)
        "".join(found).encode()


@given(orders)
def test_an_order_is_a_purchase_or_withdraws_or_is_a_draft(order: Order) -> None:
    result = map_event(order, shop())
    draft = isinstance(result, Skip) and result.reason == "draft_order"
    assert isinstance(result, Skip) == (draft or mapping.withdraws(order, InstallationSettings()))


def test_every_kind_of_store_event_has_a_mapper() -> None:
    assert set(mapping._MAPPERS) == set(get_args(StoreEvent))
