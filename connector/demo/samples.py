"""The recorded and self-made webhooks of `webhook_samples/`, ready to be played on any day to any shop.

A sample carries the dates of its recording and a recording's signature. Whoever plays it moves the dates
(`moved_to`) and signs again (`signed`); both work on the raw text, the rest stays byte for byte.
"""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connector.core.event_ids import purchase_id
from connector.errors import UsageError
from connector.platforms.woocommerce.signature import sign

__all__ = [
    "PUBLIC_ID",
    "RECORDING_SECRET",
    "STORE_URL",
    "Sample",
    "all_samples",
    "library",
    "load",
    "moved_to",
    "signed",
    "with_event_id",
    "with_order_id",
]

# The throw-away secret of the store that the samples were recorded from; no shop uses it.
RECORDING_SECRET = "whsec_test_0123456789abcdef"  # noqa: S105 -- published on purpose, see webhook_samples/README.md
# The installation that the samples' own event ids and expectations belong to.
PUBLIC_ID = "pub_sample"
STORE_URL = "https://shop.example"

_DATE = re.compile(rb"(?<![0-9])([0-9]{4}-[0-9]{2}-[0-9]{2})([T ])([0-9]{2}:[0-9]{2}:[0-9]{2})(?![0-9])")
# A unix time stands alone as a value: digits in an e-mail address or a SKU are none.
_UNIX_TIME = re.compile(rb"(?<=[:\[,\"])([0-9]{10})(?=[,\]}\"])")
_UNIX_TIME_NEAR = timedelta(days=400)
_EVENT_STAMP = re.compile(rb'("key":"_pixel_connector_event_id","value":")([0-9a-f]{64})(")')
_TRANSPORT_HEADERS = frozenset({"host", "content-length", "connection", "accept-encoding"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One webhook request. `body` is raw; `recorded_at` is when a real store sent it, or would have."""

    name: str
    platform: str
    note: str
    recorded_at: datetime
    recorded: bool
    method: str
    headers: Mapping[str, str]
    body: bytes
    recorded_with_secret: str = RECORDING_SECRET

    @property
    def topic(self) -> str:
        """The topic that the headers name; empty for a ping."""
        return self._header("x-wc-webhook-topic")

    @property
    def signature(self) -> str:
        """The recorded signature; empty for a ping and for a self-made sample."""
        return self._header("x-wc-webhook-signature")

    def _header(self, lower_name: str) -> str:
        return next((value for name, value in self.headers.items() if name.lower() == lower_name), "")


def library() -> Path:
    """The folder `webhook_samples`: inside the installed package, else at the top of the checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "webhook_samples"
    return inside if inside.is_dir() else package.parent / "webhook_samples"


def all_samples() -> Iterator[Sample]:
    """Every sample of the library, by name."""
    for path in sorted(library().glob("*/*.json")):
        if not path.name.endswith(".expected.json"):
            yield load(path)


def load(path: Path | str) -> Sample:
    """The sample in a file; a bare name such as `order_updated_cod_paid` is looked up in the library.

    Raises UsageError when there is no such file or it is no sample.
    """
    path = _found(Path(path))
    try:
        return _parsed(path.stem, json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or 'no such file'})") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UsageError(f"{path}: is not a webhook sample") from error


def moved_to(sample: Sample, now: datetime) -> Sample:
    """The same request as if it had been recorded at `now`: every date in the body moves by the same time."""
    if now.tzinfo is None:
        raise ValueError("`now` needs a time zone")
    by = timedelta(seconds=round((now - sample.recorded_at).total_seconds()))
    body = _DATE.sub(_shifted_date(by), sample.body)
    body = _UNIX_TIME.sub(_shifted_unix_time(by, sample.recorded_at), body)
    return replace(sample, body=body, recorded_at=sample.recorded_at + by)


def signed(sample: Sample, secret: str, topic: str | None = None) -> tuple[dict[str, str], bytes]:
    """Headers and body as the store would send them under `secret`, optionally under another topic.

    A ping stays unsigned. Host, length and the like are left to the client that sends it.
    """
    headers = {name: value for name, value in sample.headers.items() if name.lower() not in _TRANSPORT_HEADERS}
    if topic is not None:
        resource, _, event = topic.partition(".")
        headers |= {"X-WC-Webhook-Topic": topic, "X-WC-Webhook-Resource": resource, "X-WC-Webhook-Event": event}
    if topic is not None or sample.topic:
        headers["X-WC-Webhook-Signature"] = sign(sample.body, secret)
    return headers, sample.body


def with_order_id(sample: Sample, order_id: int, order_key: str) -> Sample:
    """The same order under another id and key, its stamped event id included. No other byte changes."""
    old = json.loads(sample.body)
    body = sample.body.replace(b'{"id":%d,' % old["id"], b'{"id":%d,' % order_id, 1)
    body = body.replace(b'"number":"%s"' % old["number"].encode(), b'"number":"%d"' % order_id, 1)
    body = body.replace(old["order_key"].encode(), order_key.encode())
    stamp = purchase_id(PUBLIC_ID, order_id, order_key).encode()
    return replace(sample, body=_EVENT_STAMP.sub(rb"\g<1>" + stamp + rb"\g<3>", body))


def with_event_id(sample: Sample, event_id: str) -> Sample:
    """The same storefront event under another event id."""
    old = json.loads(sample.body)["event_id"]
    return replace(sample, body=sample.body.replace(old.encode(), event_id.encode(), 1))


def _found(path: Path) -> Path:
    if path.exists() or path.suffix == ".json":
        return path
    named = sorted(library().glob(f"*/{path.name}.json"))
    return named[0] if named else path


def _parsed(name: str, file: dict[str, Any]) -> Sample:
    """A file of the library, or what any recorder wrote that kept headers, raw body and time."""
    request = file["request"]
    return Sample(
        name=name,
        platform=str(file.get("platform", "woocommerce")),
        note=str(file.get("note", "")),
        recorded_at=_recorded_at(file),
        recorded=bool(file.get("recorded", True)),
        method=str(request.get("method", "POST")),
        headers={str(key): str(value) for key, value in request["headers"].items()},
        body=b64decode(request["body_base64"], validate=True),
        recorded_with_secret=str(file.get("recorded_with_secret", RECORDING_SECRET)),
    )


def _recorded_at(file: dict[str, Any]) -> datetime:
    """ISO 8601 as in the library, or the seconds since 1970 at which a receiver took the request."""
    if "recorded_at" not in file:
        return datetime.fromtimestamp(float(file["request"]["received_at"]), UTC)
    found = datetime.fromisoformat(file["recorded_at"])
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _shifted_date(by: timedelta) -> Callable[[re.Match[bytes]], bytes]:
    def shifted(found: re.Match[bytes]) -> bytes:
        date, separator, time = found.groups()
        try:
            moment = datetime.fromisoformat(f"{date.decode()}T{time.decode()}") + by
        except (ValueError, OverflowError):
            return found[0]  # WordPress' 0000-00-00 and the like
        return moment.strftime(f"%Y-%m-%d{separator.decode()}%H:%M:%S").encode()

    return shifted


def _shifted_unix_time(by: timedelta, recorded_at: datetime) -> Callable[[re.Match[bytes]], bytes]:
    def shifted(found: re.Match[bytes]) -> bytes:
        seconds = int(found[1])
        near = abs(seconds - recorded_at.timestamp()) < _UNIX_TIME_NEAR.total_seconds()
        return b"%d" % (seconds + by.total_seconds()) if near else found[0]

    return shifted
