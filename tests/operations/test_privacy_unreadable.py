"""A person in a webhook that nobody could read: found and erased, and no later replay brings anything back."""

from connector.operations.privacy import erase_person, export_person
from connector.storage.opening import Storage
from tests.installations import add_installation
from tests.road.road import arrive_body, events, order_body, process, webhooks

_EMAIL = "zoe@example.com"


def _unreadable(storage: Storage, body: bytes) -> None:
    """As a fault of the mapping left it: authentic, kept, not understood."""
    arrive_body(storage, "order.updated", body[:-1])
    process(storage)
    assert webhooks(storage)[-1].state == "unreadable"


def test_an_unreadable_webhook_is_given_out_and_erased(storage: Storage) -> None:
    add_installation(storage)
    _unreadable(storage, order_body(1))
    _unreadable(storage, order_body(2, billing={"email": "other@example.com"}))
    assert len(export_person(storage, "installation1", _EMAIL)["webhooks"]) == 1

    assert erase_person(storage, "installation1", _EMAIL).webhooks_erased == 1

    mine, other = webhooks(storage)
    assert (bytes(mine.body), mine.body_encoding) == (b"", "expired")
    assert other.body_encoding != "expired"
    assert export_person(storage, "installation1", _EMAIL)["webhooks"] == []
    assert events(storage) == []
