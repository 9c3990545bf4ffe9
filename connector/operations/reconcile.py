"""Reconciliation: ask the store for its orders, compare them with what arrived, fetch what is missing.

What is missing or newer is written as an `order.updated` webhook in the reconcile lane; from there it goes the
usual road, where the ledger keeps one purchase per order, however often the order comes. So a repeated, an
overlapping or an interrupted run does no harm.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from connector.core.order_rules import is_draft, is_paid
from connector.core.retries import DEAD_AFTER
from connector.core.states import EventState, Lane
from connector.core.store_events import Order
from connector.errors import StoreRefused, UnreadablePayload, UsageError
from connector.operations.gap_report import (
    ERASED_EARLY,
    FETCHED,
    FETCHED_CHANGE,
    FORGOTTEN,
    TOO_OLD,
    Gap,
    GapReport,
)
from connector.operations.store_orders import StoreOrders
from connector.platforms import PLATFORMS
from connector.platforms.base import ReadContext, VerifiedWebhook
from connector.storage.arrivals import Arrival, ArrivalWriter, digest_of
from connector.storage.installations import InstallationRecord
from connector.storage.known import GONE, order_digest
from connector.storage.opening import Storage
from connector.storage.reconciling import Standing, add_run, finish_run, order_standings
from connector.storage.tables import WebhookWork

__all__ = ["new_run", "reconcile", "run_reconcile"]

TOPIC = "order.updated"
SOURCE = "reconcile"
_MOST_GAPS_KEPT = 500
_work = WebhookWork.__table__  # type: ignore[attr-defined]


@dataclass(slots=True)
class _Seen:
    """One run while it goes on."""

    record: InstallationRecord
    modified: dict[bytes, datetime | None] = field(default_factory=dict)  # the newest change of each order
    drafts: set[bytes] = field(default_factory=set)
    paid: dict[bytes, Order] = field(default_factory=dict)
    written: dict[bytes, str] = field(default_factory=dict)  # order to FETCHED or FETCHED_CHANGE
    unreadable: int = 0
    fetched: int = 0  # webhooks written; what a run before had fetched already is not counted


def reconcile(
    storage: Storage, record: InstallationRecord, orders: StoreOrders, since: datetime, *, reason: str = "asked"
) -> GapReport:
    """Compare all orders changed since then, now. Raises StoreRefused; what was fetched till then stays."""
    run_id = new_run(storage, record.id, since, reason, state="running")
    return run_reconcile(storage, record, orders, since, run_id)


def new_run(storage: Storage, installation_id: str, since: datetime, reason: str, *, state: str = "asked") -> int:
    """Write down that a run is wanted; as `asked` the periodic tasks do it. Returns its number."""
    run_id, now = storage.new_id(), storage.now()
    with storage.database.write() as connection:
        add_run(
            connection,
            row_id=run_id,
            installation_id=installation_id,
            reason=reason,
            since=since,
            now=now,
            state=state,
        )
    return run_id


def run_reconcile(
    storage: Storage,
    record: InstallationRecord,
    orders: StoreOrders,
    since: datetime,
    run_id: int,
    *,
    until: datetime | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> GapReport:
    """Do one run that is written down. `until` leaves newer changes to their webhooks, which are on their way.

    Raises StoreRefused, UsageError for an installation that is gone. When `go_on` says no between two pages, the
    run stays unfinished and is begun again later.
    """
    if record.state in ("removed", "installing"):
        raise UsageError(f"the installation is {record.state}")
    seen, end = _Seen(record), until or storage.now()
    writer = ArrivalWriter(storage.database)
    try:
        for page in orders.changed(since, until):
            _compare(storage, writer, seen, page)
            if not go_on():
                raise StoreRefused("stopped", "the run was stopped; it begins again later")
    except StoreRefused as refused:
        _note_fault(storage, run_id, refused)
        raise
    finally:
        writer.close()
    report = _report(storage, seen, run_id, since, end)
    _keep(storage, report)
    return report


def _note_fault(storage: Storage, run_id: int, refused: StoreRefused) -> None:
    with storage.database.write() as connection:
        if refused.kind != "stopped":
            finish_run(connection, run_id, now=storage.now(), fault=refused.kind)


def _compare(storage: Storage, writer: ArrivalWriter, seen: _Seen, page: Iterable[bytes]) -> None:
    """One page: read, look up, write what is missing or newer, in one transaction."""
    read: list[tuple[bytes, Order]] = []
    arrivals: list[Arrival] = []
    for body in page:
        order = _read(seen.record, body, storage.now())
        if order is None:
            seen.unreadable += 1
            arrivals.append(_arrival(storage, seen.record, body))
        elif not _is_repeat(seen, digest := order_digest(seen.record.id, order), order):
            read.append((body, order))
            _count(seen, digest, order)
    with storage.database.read() as connection:
        known = order_standings(connection, [order_digest(seen.record.id, order) for _, order in read])
    for body, order in read:
        digest = order_digest(seen.record.id, order)
        lacking = _lacking(order, known.get(digest), seen.record) if digest not in seen.drafts else ""
        if lacking:
            seen.written.setdefault(digest, lacking)
            # Known and unchanged, but without its purchase: the same bytes may have come before, and count now.
            again = digest in known and known[digest].modified_at == order.modified_at
            arrivals.append(_arrival(storage, seen.record, body, deduplicate=not again))
    seen.fetched += _write(storage, writer, arrivals)


def _read(record: InstallationRecord, body: bytes, now: datetime) -> Order | None:
    context = ReadContext(record.store_url, record.settings.custom_events)
    try:
        event = PLATFORMS[record.platform].read(VerifiedWebhook(TOPIC, body, now), context)
    except UnreadablePayload:
        return None
    return event if isinstance(event, Order) else None


def _is_repeat(seen: _Seen, digest: bytes, order: Order) -> bool:
    """Pages overlap; an order that changed meanwhile comes again as it is now."""
    return digest in seen.modified and seen.modified[digest] == order.modified_at


def _count(seen: _Seen, digest: bytes, order: Order) -> None:
    seen.modified[digest] = order.modified_at
    seen.drafts.discard(digest)
    seen.paid.pop(digest, None)
    if is_draft(order):
        seen.drafts.add(digest)
    elif is_paid(order, seen.record.settings):
        seen.paid[digest] = order


def _lacking(order: Order, known: Standing | None, record: InstallationRecord) -> str:
    """What of this order never arrived: all of it, its last change, or nothing."""
    if known is None:
        return FETCHED
    is_newer = order.modified_at is not None and (known.modified_at is None or known.modified_at < order.modified_at)
    unsold = known.event_row_id is None and is_paid(order, record.settings)
    return FETCHED_CHANGE if is_newer or unsold else ""


def _arrival(storage: Storage, record: InstallationRecord, body: bytes, *, deduplicate: bool = True) -> Arrival:
    return Arrival(
        id=storage.new_id(),
        installation_id=record.id,
        topic=TOPIC,
        received_at=storage.now(),
        digest=digest_of(record.id, TOPIC, body),
        headers="{}",
        body=body,
        deduplicate=deduplicate,
        source=SOURCE,
        lane=Lane.RECONCILE,
    )


def _write(storage: Storage, writer: ArrivalWriter, arrivals: Sequence[Arrival]) -> int:
    """Returns how many were new."""
    if not arrivals:
        return 0
    try:
        repeats = writer.write(arrivals)
    except Exception as error:
        if "unique" not in str(error).lower() and not isinstance(error, IntegrityError):
            raise
        storage.change_id_tag()  # another process drew the same ids
        for arrival, new_id in zip(arrivals, storage.new_ids(len(arrivals)), strict=True):
            arrival.id = new_id
        repeats = writer.write(arrivals)
    return repeats.count(None)


def _report(storage: Storage, seen: _Seen, run_id: int, since: datetime, end: datetime) -> GapReport:
    with storage.database.read() as connection:
        known = order_standings(connection, list(seen.paid))
        mine = _work.c.installation_id == seen.record.id
        waiting = select(func.count()).select_from(_work).where(mine, _work.c.lane.in_([*Lane]))
        unprocessed = int(connection.execute(waiting).scalar_one())
    now = storage.now()
    found = (_gap(seen, digest, order, known.get(digest), now) for digest, order in seen.paid.items())
    gaps = [gap for gap in found if gap is not None]
    return GapReport(
        run_id=run_id,
        installation_id=seen.record.id,
        since=since,
        until=end,
        orders=len(seen.modified) - len(seen.drafts) + seen.unreadable,
        drafts=len(seen.drafts),
        paid=len(seen.paid),
        accepted=len(seen.paid) - len(gaps),
        fetched=seen.fetched,
        unprocessed=max(unprocessed - seen.fetched, 0),
        gaps=gaps,
    )


def _gap(seen: _Seen, digest: bytes, order: Order, known: Standing | None, now: datetime) -> Gap | None:
    """None when TikTok has accepted the order's purchase."""
    if known is not None and known.event_state == EventState.DELIVERED:
        return None
    if known is None or known.event_row_id is None:
        state = seen.written.get(digest, FETCHED)
        return Gap(str(order.order_id), order.number, state, TOO_OLD if _too_old(order, now) else "")
    state = known.event_state or (ERASED_EARLY if known.event_row_id == GONE else FORGOTTEN)
    return Gap(str(order.order_id), order.number, state, known.event_reason, known.event_id)


def _too_old(order: Order, now: datetime) -> bool:
    """Whether its purchase can only be counted dead: an order that is fetched goes out under its own time."""
    return order.sold_at is not None and now - order.sold_at >= DEAD_AFTER


def _keep(storage: Storage, report: GapReport) -> None:
    """With the run, the gap of the moment: order numbers and reasons, nothing about a person."""
    gaps = [asdict(gap) for gap in report.gaps[:_MOST_GAPS_KEPT]]
    kept = {"drafts": report.drafts, "unprocessed": report.unprocessed, "gaps": gaps}
    with storage.database.write() as connection:
        finish_run(
            connection,
            report.run_id,
            now=storage.now(),
            until=report.until,
            orders=report.orders,
            paid=report.paid,
            accepted=report.accepted,
            fetched=report.fetched,
            report=json.dumps(kept),
        )
