"""A store under load: senders post orders, cart additions, copies of both and forgeries, and note each answer."""

import http.client
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from connector.core.event_ids import purchase_id
from connector.demo import samples
from tests.soak.fleet import SECRET

__all__ = ["Load", "Posted"]

_FORGED_KEY = "wc_order_forged"
_PROXY_SECONDS = 5.0


@dataclass(slots=True)
class Posted:
    """One distinct request and the answers it got, copies included; 0 is no answer."""

    installation: str
    topic: str
    body: bytes
    event_id: str
    forged: bool
    answers: list[int]

    @property
    def acknowledged(self) -> bool:
        return 200 in self.answers


class Load:
    """Senders in threads; `stop` ends them. `urls` are the receivers, `installations` who may be addressed.

    `behind_proxy`: where nobody listens another receiver is tried; what was sent is never sent again.
    """

    def __init__(
        self,
        urls: list[str],
        installations: tuple[str, ...],
        *,
        senders: int = 6,
        pause: float = 0.01,
        seed: int = 1,
        behind_proxy: bool = False,
        public_id: Callable[[str], str] = "public-{}".format,
    ) -> None:
        self._urls = urls
        self._public_id = public_id
        self._behind_proxy = behind_proxy
        self._installations = installations
        self._pause = pause
        self._numbers = itertools.count(1000)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.posted: list[Posted] = []
        self.answers: Counter[int] = Counter()
        now = datetime.now(UTC)
        self._order = samples.moved_to(samples.load("order_updated_set_paid"), now)
        self._cart = samples.moved_to(samples.load("cart_item_added"), now)
        chances = [random.Random(seed * 100 + n) for n in range(senders)]
        self._threads = [threading.Thread(target=self._run, args=(chance,), daemon=True) for chance in chances]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End and wait for the last answers."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, chance: random.Random) -> None:
        mine: list[Posted] = []
        while not self._stop.is_set():
            posted = self._next(chance, mine)
            status = self._post(chance, posted, f"{posted.installation}-{chance.random()}")
            posted.answers.append(status)
            self.answers[status] += 1
            time.sleep(self._pause if status else 0.25)  # as a store that has something else to do meanwhile

    def _next(self, chance: random.Random, mine: list[Posted]) -> Posted:
        """Something new, or, one time in six, something of before once more."""
        if mine and chance.random() < 0.17:
            return chance.choice(mine[-40:])
        made = self._make(chance)
        mine.append(made)
        with self._lock:
            self.posted.append(made)
        return made

    def _make(self, chance: random.Random) -> Posted:
        number, installation = next(self._numbers), chance.choice(self._installations)
        kinds: tuple[Callable[[int, str], Posted], ...] = (
            self._an_order,
            self._an_order,
            self._a_cart,
            self._a_forgery,
        )
        return chance.choice(kinds)(number, installation)

    def _an_order(self, number: int, installation: str) -> Posted:
        key = f"wc_order_soak{number}"
        body = samples.with_order_id(self._order, number, key).body
        event_id = purchase_id(self._public_id(installation), number, key)
        return Posted(installation, "order.updated", body, event_id, False, [])

    def _a_cart(self, number: int, installation: str) -> Posted:
        event_id = f"{number:032x}"
        body = samples.with_event_id(self._cart, event_id).body
        return Posted(installation, "cart.item_added", body, event_id, False, [])

    def _a_forgery(self, number: int, installation: str) -> Posted:
        key = f"{_FORGED_KEY}{number}"
        body = samples.with_order_id(self._order, number, key).body
        return Posted(
            installation, "order.updated", body, purchase_id(self._public_id(installation), number, key), True, []
        )

    def _post(self, chance: random.Random, posted: Posted, delivery: str) -> int:
        sample = self._order if posted.topic == "order.updated" else self._cart
        secret = "not the secret" if posted.forged else SECRET
        headers, _ = samples.signed(sample, secret)
        headers["X-WC-Webhook-Signature"] = samples.sign(posted.body, secret)
        headers["X-WC-Webhook-Delivery-ID"] = delivery
        try:
            connection = self._connected(chance)
        except OSError:
            return 0
        try:
            connection.request("POST", f"/webhooks/woocommerce/{posted.installation}", posted.body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def _connected(self, chance: random.Random) -> http.client.HTTPConnection:
        end = time.monotonic() + (_PROXY_SECONDS if self._behind_proxy else 0)
        while True:
            connection = http.client.HTTPConnection(urlsplit(chance.choice(self._urls)).netloc, timeout=20)
            try:
                connection.connect()
                return connection
            except ConnectionRefusedError:
                if time.monotonic() >= end:
                    raise
