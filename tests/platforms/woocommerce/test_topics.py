import pytest

from connector.core.store_events import NothingToDo, Order
from connector.demo.samples import load
from connector.platforms import PLATFORMS
from tests.platforms.woocommerce.test_orders import read, read_body


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("product.created", "topic_not_used"),
        ("coupon.updated", "topic_not_used"),
        ("customer.updated", "topic_not_used"),
        ("action.woocommerce_thankyou", "topic_not_used"),
        ("invoice.created", "unknown_topic"),
        ("order.unheard_of", "unknown_topic"),
        ("", "unknown_topic"),
    ],
)
def test_topics_that_we_do_not_use_are_not_even_parsed(topic, reason):
    assert read_body(b"not json", topic) == NothingToDo(reason)


def test_an_order_back_from_the_trash_is_read_as_an_order():
    assert isinstance(read_body(load("order_created_usd").body, "order.restored"), Order)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("order_created_block_guest", True),
        ("order_deleted_trash", True),
        ("customer_created", True),
        ("cart_item_added", True),
        ("product_viewed_earlier_shape", True),
        ("order_updated_gone", False),
        ("order_updated_rights_lost", False),
        ("action_thankyou", False),
        ("action_own_hook", False),
    ],
)
def test_trap_2_equal_bodies_are_one_webhook_only_when_they_name_what_they_are_about(name, same):
    assert PLATFORMS["woocommerce"].deduplicates(load(name).body) is same


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b'{"id":0}', b'{"id":"x"}', b'{"event_id":""}', b'{"id":null}'])
def test_bodies_that_name_nothing_are_counted_only(body):
    assert PLATFORMS["woocommerce"].deduplicates(body) is False


def test_an_id_that_is_not_first_counts_too():
    assert PLATFORMS["woocommerce"].deduplicates(b'{ "status":"x", "id" : 5 }') is True


def test_trap_2_two_recorded_events_in_one_second_are_not_merged_by_the_delivery_id():
    first, second = load("product_viewed_earlier_shape"), load("product_viewed_earlier_shape_second_visitor")
    assert first.body != second.body
    assert read(first.name) != read(second.name)
