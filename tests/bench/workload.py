"""Bodies of as many different orders and storefront events as are wanted, made from recorded ones."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from connector.core.event_ids import purchase_id
from connector.demo.samples import PUBLIC_ID, RECORDING_SECRET, load, moved_to, signed, with_event_id, with_order_id

__all__ = ["EVENT_KINDS", "PIXEL_CODE", "Made", "Template", "make", "requests"]

PIXEL_CODE = "C4SAMPLEPIXEL00000001"  # stamped on the sample orders
ORDER, CART, VIEW = "order_stamped_consent_granted", "cart_item_added", "product_viewed"
EVENT_KINDS = (ORDER, CART, VIEW)

_ID, _KEY, _EVENT = 987654321, "wc_order_BENCHBENCHBEN", "b" * 32
_OWN_HEADERS = frozenset({"x-wc-webhook-signature", "connection"})
_FIRST_ORDER = 100_000_000


@dataclass(frozen=True, slots=True)
class Made:
    """One body and the event id under which TikTok will see it."""

    body: bytes
    event_id: str


class Template:
    """A sample cut at what differs from one buyer to the next: ids, keys, e-mail, phone, visitor."""

    def __init__(self, name: str) -> None:
        sample = moved_to(load(name), datetime.now(UTC))
        self.name = name
        self.topic = sample.topic
        self.is_order = name == ORDER
        changed = with_order_id(sample, _ID, _KEY) if self.is_order else with_event_id(sample, _EVENT)
        visitor = b"0c8f5b1c6f0e4d0b9a35e0f3a1b2c3d4"
        marks: dict[bytes, int] = {_EVENT.encode(): 0, visitor: 3}
        if self.is_order:
            stamp = purchase_id(PUBLIC_ID, _ID, _KEY).encode()
            marks = {stamp: 0, b"%d" % _ID: 1, _KEY.encode(): 2, visitor: 3, b"zoe@": 4, b"30 1234567": 5}
        cut = re.split(b"(" + b"|".join(map(re.escape, marks)) + b")", changed.body)
        self._literals = cut[0::2]
        self._marks = [marks[mark] for mark in cut[1::2]]
        self.headers, _ = signed(changed, RECORDING_SECRET)

    def body(self, number: int) -> Made:
        """The body of that number: always the same for it, and no other's."""
        visitor = hashlib.md5(b"%d" % number, usedforsecurity=False).hexdigest()
        order_id, key = _FIRST_ORDER + number, f"wc_order_{visitor[:13]}"
        event_id = purchase_id(PUBLIC_ID, order_id, key) if self.is_order else visitor[::-1]
        values = (
            event_id.encode(),
            b"%d" % order_id,
            key.encode(),
            visitor.encode(),
            b"buyer%d@" % number,
            b"30 %07d" % (1_000_000 + number % 9_000_000),
        )
        parts = [self._literals[0]]
        for mark, literal in zip(self._marks, self._literals[1:], strict=True):
            parts += (values[mark], literal)
        return Made(b"".join(parts), event_id)


def make(template: Template, start: int, count: int) -> Iterator[Made]:
    """Bodies `start` to `start + count`."""
    return map(template.body, range(start, start + count))


def requests(template: Template, path: str, *, close: bool = False, forged: bool = False) -> Callable[[bytes], bytes]:
    """Turns a body into the bytes of a signed HTTP request, as WooCommerce sends it; `forged`: by somebody else."""
    lines = [f"{name}: {value}" for name, value in template.headers.items() if name.lower() not in _OWN_HEADERS]
    connection = ["Connection: close"] if close else []
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *lines, *connection]).encode()
    secret = b"a guess" if forged else RECORDING_SECRET.encode()

    def request(body: bytes) -> bytes:
        signature = base64.b64encode(hmac.digest(secret, body, "sha256"))
        return b"%b\r\nX-WC-Webhook-Signature: %b\r\nContent-Length: %d\r\n\r\n%b" % (
            head, signature, len(body), body,
        )  # fmt: skip

    return request
