import json
from datetime import UTC, datetime

import pytest

from connector.core.store_events import Buyer, CustomerCreated, NothingToDo, StoreError
from connector.demo.samples import load
from tests.platforms.woocommerce.test_orders import read, read_body


def test_a_new_customer():
    assert read("customer_created") == CustomerCreated(
        customer_id=5,
        buyer=Buyer("c1795332808@example.com", "+90 212 000", None, None, 5),
        created_at=datetime(2026, 11, 22, 7, 33, 28, tzinfo=UTC),
    )


def test_a_change_or_a_deletion_is_not_used():
    for name in ("customer_updated", "customer_updated_at_checkout", "customer_deleted"):
        assert read(name) == NothingToDo("topic_not_used")


def test_an_error_body_in_a_customers_place():
    body = b'{"code":"woocommerce_rest_invalid_id","message":"Invalid resource ID.","data":{"status":404}}'
    assert read_body(body, "customer.created") == StoreError(
        "woocommerce_rest_invalid_id", {"message": "Invalid resource ID.", "status": 404}
    )


@pytest.mark.parametrize(
    ("role", "is_staff"), [("customer", False), ("subscriber", False), ("shop_manager", True), (["customer"], False)]
)
def test_an_account_for_somebody_who_works_there_is_no_customers(role, is_staff):
    body = json.loads(load("customer_created").body) | {"role": role}
    assert read_body(json.dumps(body).encode(), "customer.created").visit.is_staff is is_staff
