"""What the destination said of one event. A union, so that a forgotten case is a type error."""

from dataclasses import dataclass

__all__ = ["Accepted", "AccessLost", "DeliveryResult", "Rejected", "RetryLater", "Split", "Throttled"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """Body code 0."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """TikTok will never take this. `index` is the place in the batch at fault, None when unknown."""

    reason: str
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """The answer does not tell which events it means (20001): send them one by one, same event ids."""

    reason: str


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Not now. `wait_seconds` is the server's own wish (Retry-After), None for our backoff."""

    reason: str
    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Throttled:
    """Too many calls. `scope` is "app" (all installations wait) or "advertiser" (this one waits)."""

    reason: str
    scope: str
    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class AccessLost:
    """The token or the pixel is refused: pause this installation, burn no attempts, tell the owner."""

    reason: str


DeliveryResult = Accepted | Rejected | Split | RetryLater | Throttled | AccessLost
