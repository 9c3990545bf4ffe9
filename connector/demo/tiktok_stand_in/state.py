"""What the stand-in knows and keeps: access, events taken, how it is told to behave. Dicts in memory."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from connector.demo.tiktok_stand_in.checks import Limits, unknown_keys

__all__ = ["DEFAULT_ACCESS", "MODES", "AcceptedEvent", "Advertiser", "StandInState"]

DEFAULT_ACCESS: Mapping[str, frozenset[str]] = {"stand-in-access": frozenset({"CSTANDIN000000000000"})}
MERGE_WINDOW = 48 * 3600.0  # seconds in which TikTok drops a copy of the same event and event id

MODES = frozenset(
    "ok slow down bad_gateway throttle revoked garbage partial partial_always poison server_error hang "
    "close_after_accept code".split()
)


@dataclass(slots=True)
class AcceptedEvent:
    """One event as TikTok counts it; `copies` is how often it came within the merge window."""

    pixel_code: str
    event: dict[str, Any]
    first_at: float
    copies: int = 1


@dataclass(slots=True)
class Advertiser:
    """An advertiser account with its pixels: code to name. A closed one is listed, but its pixels are not."""

    advertiser_id: str
    name: str
    pixels: dict[str, str] = field(default_factory=dict)
    is_closed: bool = False


class StandInState:
    """Everything a test may read or set. `clock` gives Unix seconds and may be replaced.

    `slim` keeps of each event only what the summary counts, for benchmarks with millions of events.
    """

    def __init__(
        self,
        tokens: Mapping[str, Iterable[str]] | None = None,
        *,
        slim: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.tokens = {token: set(pixels) for token, pixels in (tokens or DEFAULT_ACCESS).items()}
        self.slim = slim
        self.clock = clock
        self.limits = Limits()
        self.apps = {"stand-in-app": "stand-in-app-secret"}
        self.advertisers = [
            Advertiser("7000000000000000001", "Stand-in shop", dict.fromkeys(sorted(self.pixels()), "Pixel"))
        ]
        self.auth_codes: set[str] = set()
        self.confirm_page = False  # True: the authorise page waits for a click
        self._reset_behaviour()
        self.forget()

    def _reset_behaviour(self) -> None:
        self.mode = "ok"
        self.mode_calls: int | None = None  # calls until the mode is "ok" again, None for ever
        self.seconds = 1.0  # of mode slow
        self.code = 40100  # of modes throttle (429 is the HTTP status) and code
        self.message = ""  # of mode code
        self.retry_after: str | None = None  # header of mode throttle
        self.poison: set[str] = set()  # event ids that are refused without a place, in every mode

    def forget(self) -> None:
        """Forget every event and call, keep access and behaviour."""
        self.calls = 0
        self.codes: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.accepted: list[AcceptedEvent] = []
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.received_count = 0
        self.test_events: list[tuple[str, dict[str, Any]]] = []
        self.browser_calls: list[dict[str, Any]] = []
        self._latest: dict[tuple[str, str, str], AcceptedEvent] = {}

    def pixels(self) -> set[str]:
        """All pixel codes that any token may use."""
        return set().union(*self.tokens.values())

    def add_access(self, token: str, *pixel_codes: str) -> None:
        """Make a token known, or give it more pixels."""
        self.tokens.setdefault(token, set()).update(pixel_codes)

    def set_mode(self, mode: str, count: int | None = None, **options: Any) -> None:
        """Behave so for the next `count` calls, or until told otherwise.

        Options: seconds, code, message, retry_after, poison. Raises ValueError for an unknown name.
        """
        unknown = options.keys() - {"seconds", "code", "message", "retry_after", "poison"}
        if mode not in MODES or unknown:
            raise ValueError(f"unknown mode or option: {mode} {sorted(unknown)}")
        for name, value in options.items():
            setattr(self, name, set(value) if name == "poison" else value)
        self.mode_calls = count
        self.mode = mode

    def next_mode(self) -> str:
        """The mode of the call that just came; counts it. A mode whose count is used up ends here."""
        if self.mode_calls == 0:
            self.mode, self.mode_calls = "ok", None
        if self.mode_calls is not None:
            self.mode_calls -= 1
        return self.mode

    def take(self, pixel_code: str, events: Iterable[dict[str, Any]], test_code: str | None) -> None:
        """Count checked events, merging copies as TikTok does: by pixel, event and event id."""
        now = self.clock()
        for event in events:
            self.warnings.update(unknown_keys(event))
            if test_code is not None:
                self.test_events.append((test_code, event))
                continue
            self.received_count += 1
            kept = _slim(event) if self.slim else event
            if not self.slim:
                self.received.append((pixel_code, event))
            self._merge(pixel_code, kept, now)

    def _merge(self, pixel_code: str, event: dict[str, Any], now: float) -> None:
        key = (pixel_code, event["event"], event["event_id"])
        known = self._latest.get(key)
        if known is not None and now - known.first_at <= MERGE_WINDOW:
            known.copies += 1
            return
        self._latest[key] = accepted = AcceptedEvent(pixel_code, event, now)
        self.accepted.append(accepted)

    def values(self) -> dict[str, str]:
        """Sum of the accepted values per currency, decimal as text."""
        sums: dict[str, Decimal] = {}
        for accepted in self.accepted:
            properties = accepted.event.get("properties", {})
            if "value" in properties:
                currency = properties["currency"]
                sums[currency] = sums.get(currency, Decimal(0)) + Decimal(str(properties["value"]))
        return {currency: str(total) for currency, total in sorted(sums.items())}

    def merged_with_browser(self) -> int:
        """How many accepted events the browser reported too, under the same name and id."""
        seen = {(call.get("pixel_code"), call.get("event"), call.get("event_id")) for call in self.browser_calls}
        return sum((one.pixel_code, one.event["event"], one.event["event_id"]) in seen for one in self.accepted)

    def summary(self) -> dict[str, Any]:
        """The counts as one JSON object."""
        return {
            "mode": self.mode,
            "calls": self.calls,
            "codes": dict(self.codes),
            "received": self.received_count,
            "accepted": len(self.accepted),
            "duplicates": self.received_count - len(self.accepted),
            "accepted_by_event": dict(Counter(one.event["event"] for one in self.accepted)),
            "values": self.values(),
            "test_events": len(self.test_events),
            "browser_calls": len(self.browser_calls),
            "merged_with_browser": self.merged_with_browser(),
            "warnings": dict(self.warnings),
        }


def _slim(event: dict[str, Any]) -> dict[str, Any]:
    properties = event.get("properties", {})
    kept = {key: properties[key] for key in ("value", "currency") if key in properties}
    return {"event": event["event"], "event_id": event["event_id"], "properties": kept}
