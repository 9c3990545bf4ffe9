"""States of a webhook and of an event, and every allowed change between them, in one table each."""

from enum import StrEnum

__all__ = ["EVENT_CHANGES", "EventState", "Lane", "WebhookState", "may_change"]


class WebhookState(StrEnum):
    """Where a stored webhook stands."""

    RECEIVED = "received"
    PROCESSED = "processed"
    IGNORED = "ignored"
    UNREADABLE = "unreadable"


class EventState(StrEnum):
    """Where an event stands. Only `pending` events are ever sent."""

    PENDING = "pending"
    DELIVERED = "delivered"
    WITHHELD = "withheld"
    FILTERED = "filtered"
    REJECTED = "rejected"
    DEAD = "dead"
    HELD = "held"
    WITHDRAWN = "withdrawn"


class Lane(StrEnum):
    """Which queue a piece of work waits in, so that a backlog never stands before a live order."""

    FRESH = "fresh"
    RETRY = "retry"
    REPLAY = "replay"
    RECONCILE = "reconcile"


# From a state to the states that may follow. What is missing here cannot happen.
# delivered and rejected go back to pending only by a replay; withheld and filtered are final: their rows
# hold no identity. A withdrawn purchase returns when the order is paid after all: nothing had left.
EVENT_CHANGES: dict[EventState, frozenset[EventState]] = {
    EventState.PENDING: frozenset(
        {
            EventState.DELIVERED,
            EventState.REJECTED,
            EventState.DEAD,
            EventState.HELD,
            EventState.WITHDRAWN,
        }
    ),
    EventState.HELD: frozenset({EventState.PENDING, EventState.WITHDRAWN, EventState.DEAD}),
    EventState.DELIVERED: frozenset({EventState.PENDING}),
    EventState.REJECTED: frozenset({EventState.PENDING}),
    EventState.DEAD: frozenset({EventState.PENDING}),
    EventState.WITHDRAWN: frozenset({EventState.PENDING}),
    EventState.WITHHELD: frozenset(),
    EventState.FILTERED: frozenset(),
}


def may_change(before: EventState, after: EventState) -> bool:
    """Whether the table allows this change."""
    return after in EVENT_CHANGES[before]
