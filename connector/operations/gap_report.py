"""The gap between what a store sold and what TikTok accepted: as a value, as JSON and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from connector.core.states import EventState

__all__ = ["ERASED_EARLY", "FETCHED", "FETCHED_CHANGE", "FORGOTTEN", "TOO_OLD", "Gap", "GapReport", "why"]

FETCHED, FETCHED_CHANGE, FORGOTTEN, ERASED_EARLY = "fetched", "fetched_change", "not_kept", "erased"
TOO_OLD = "too_old"
_MOST_LINES = 200

_TOO_LATE = "fetched now, too late: TikTok takes nothing that old"
# Why a paid order is not among the accepted, by its state here, or by state and reason.
_WHY: Mapping[str | tuple[str, str], str] = {
    FETCHED: "it never arrived; fetched now, it goes on its way",
    (FETCHED, TOO_OLD): f"it never arrived; {_TOO_LATE}",
    (FETCHED_CHANGE, TOO_OLD): f"its last change never arrived; {_TOO_LATE}",
    FETCHED_CHANGE: "its last change never arrived; fetched now, it goes on its way",
    ERASED_EARLY: "erased at the buyer's wish before it was sent",
    FORGOTTEN: "it was dealt with so long ago that its event is no longer kept",
    EventState.PENDING: "it waits to be sent",
    EventState.HELD: "it is held: a copy from the browser is probable, a person decides",
    EventState.WITHHELD: "withheld, the visitor's consent is missing",
    EventState.FILTERED: "filtered by the settings",
    EventState.REJECTED: "TikTok refused it",
    EventState.DEAD: "given up",
    EventState.WITHDRAWN: "withdrawn before it was sent",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """One paid order that TikTok has not accepted. `state` is its event's, or a word of `gap_report`."""

    order_id: str
    number: str
    state: str
    reason: str = ""
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class GapReport:
    """What one comparison found. Counts are of orders changed after `since`; drafts are counted apart.

    `fetched` webhooks were written, for paid orders and others; `unprocessed` webhooks already waited to be read.
    """

    run_id: int
    installation_id: str
    since: datetime
    until: datetime
    orders: int
    drafts: int
    paid: int
    accepted: int
    fetched: int
    unprocessed: int
    gaps: Sequence[Gap]

    def document(self) -> dict[str, Any]:
        """For `--json`: every gap, each with its reason in words, and the whole in words."""
        gaps = [asdict(gap) | {"why": why(gap)} for gap in self.gaps]
        names = (
            "installation_id",
            "since",
            "until",
            "orders",
            "drafts",
            "paid",
            "accepted",
            "fetched",
            "unprocessed",
        )
        values = {name: getattr(self, name) for name in names}
        return {"run_id": str(self.run_id), **values, "gaps": gaps, "text": self.text()}

    def text(self) -> str:
        """One line for the whole, one for each order of the gap."""
        lines = [f"The store says {_orders(self.paid)}, TikTok accepted {self.accepted}{self._rest()}"]
        lines += [f"  order {gap.number}: {why(gap)}" for gap in self.gaps[:_MOST_LINES]]
        if len(self.gaps) > _MOST_LINES:
            lines.append(f"  and {len(self.gaps) - _MOST_LINES} more (--json lists them all)")
        others = self.fetched - sum(gap.state in (FETCHED, FETCHED_CHANGE) for gap in self.gaps)
        if others > 0:
            lines.append(f"{others} other changes of orders were fetched too.")
        if self.unprocessed:
            lines.append(f"{self.unprocessed} webhooks of this store wait to be read; look again when they are done.")
        return "\n".join(lines)

    def _rest(self) -> str:
        if not self.gaps:
            return ": nothing is missing."
        return ". The other one:" if len(self.gaps) == 1 else f". The other {len(self.gaps)}:"


def why(gap: Gap) -> str:
    """Why TikTok has not accepted this order, in words."""
    whole = _WHY.get((gap.state, gap.reason))
    if whole is not None:
        return whole
    text = _WHY.get(gap.state, gap.state)
    return f"{text} ({gap.reason})" if gap.reason else text


def _orders(count: int) -> str:
    return "1 paid order" if count == 1 else f"{count} paid orders"
