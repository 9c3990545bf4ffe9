"""One at a time changes a store's webhooks: install page, finisher, watchdog and owner may come at once.

WooCommerce knows no unique webhook: who lists, finds none and creates while another does the same makes twins,
and each event is delivered twice.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from connector.install.services import Services
from connector.storage.leases import give_back_lease, take_lease

__all__ = ["StoreTurn", "store_turn"]

LEASE = timedelta(seconds=60)  # longer than any single call waits
_PATIENCE_SECONDS = 20.0
_LOOK_AGAIN_SECONDS = 0.25


class StoreTurn:
    """A turn at one store. Who works longer asks `renew` before each call."""

    def __init__(self, services: Services, installation_id: str) -> None:
        self._services = services
        self._name = f"hooks:{installation_id}"[:40]
        self._holder = secrets.token_hex(16)

    def renew(self) -> bool:
        """Take or keep the turn. False when another one has it."""
        return take_lease(self._services.storage, self._name, self._holder, LEASE)

    def give_back(self) -> None:
        """Let the next one in."""
        give_back_lease(self._services.storage, self._name, self._holder)


@contextmanager
def store_turn(
    services: Services, installation_id: str, *, patience: float | None = None, for_good: bool = False
) -> Iterator[StoreTurn | None]:
    """Wait for a turn, `patience` seconds at most (20 by default); None when it did not come.

    A turn taken `for_good` is not given back: nobody comes after it until its lease has run out.
    """
    turn = StoreTurn(services, installation_id)
    give_up = time.monotonic() + (_PATIENCE_SECONDS if patience is None else patience)
    while not turn.renew():
        if time.monotonic() >= give_up:
            yield None
            return
        time.sleep(_LOOK_AGAIN_SECONDS)
    try:
        yield turn
    finally:
        if not for_good:
            turn.give_back()
