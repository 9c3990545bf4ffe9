"""A member of staff who is signed in to the console of a throw-away place."""

from connector.console.staff import add_staff
from connector.storage.staff import find_staff, open_session
from tests.bench.places import Place

__all__ = ["TOKEN", "sign_in"]

TOKEN = "bench-session-token-0123456789abcdef"
_STAFF = "bench@shop.example"


def sign_in(place: Place) -> None:
    """Add the account, open its session."""
    add_staff(place.storage, _STAFF, "support", None)
    with place.storage.database.write() as connection:
        found = find_staff(connection, _STAFF)
        assert found is not None
        open_session(connection, TOKEN, found[0].id, place.storage.now())
