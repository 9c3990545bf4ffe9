"""When the orders of which store are compared: each hour, after a downtime, after a webhook was revived."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Row, func, select

from connector.errors import StoreRefused, UsageError
from connector.logs import log
from connector.operations.reconcile import new_run, run_reconcile
from connector.operations.side_by_side import side_by_side
from connector.operations.store_orders import Calls, StoreOrders, store_access
from connector.storage.installations import all_installations, find_installation
from connector.storage.notices import raise_notice
from connector.storage.opening import Storage
from connector.storage.reconciling import (
    finish_run,
    last_reconciled,
    remember_time,
    remembered_time,
    start_again,
    waiting_runs,
)
from connector.storage.tables import Credential, ProcessHeartbeat

__all__ = ["WATCH_WEBHOOKS", "ask_for_all", "ask_for_one", "receiver_begins", "run_waiting", "watch_receivers"]

# Webhooks of the last minutes are on their way: the store's own queue sends them late.
GRACE = timedelta(minutes=10)
# Clocks differ, and a change is stamped before it is committed: each run looks back a little further.
OVERLAP = timedelta(hours=1)
FURTHEST = timedelta(days=7)  # TikTok takes nothing older
RECEIVERS = ("serve", "receive")
# Receivers are heard of every five seconds; whoever watches may change within a lease's minute. Of a shorter downtime
# the receiver that ends it knows.
_DOWN = timedelta(minutes=2)
# Two beats missed: seven deliveries may have failed meanwhile, and WooCommerce switched a busy shop's webhook off.
_AWAY = timedelta(seconds=12)
WATCH_WEBHOOKS = "watch_webhooks"  # the task that looks after the stores' webhooks

_credential = Credential.__table__  # type: ignore[attr-defined]
_heartbeat = ProcessHeartbeat.__table__  # type: ignore[attr-defined]
_HEARD = select(func.max(_heartbeat.c.seen_at)).where(_heartbeat.c.role.in_(RECEIVERS))


def ask_for_all(storage: Storage, reason: str, since: datetime | None = None) -> int:
    """Ask for a run of every connected store, from where its last one ended, or from `since`. Returns how many."""
    now = storage.now()
    with storage.database.read() as connection:
        keys = select(_credential.c.installation_id).where(_credential.c.kind == "consumer_key").distinct()
        connected = set(connection.execute(keys).scalars())
        records = [r for r in all_installations(connection) if r.id in connected and r.state in ("active", "paused")]
        ended = last_reconciled(connection, [record.id for record in records])
        asked = {(run.installation_id, run.reason) for run in waiting_runs(connection, 10_000)}
    for record in records:
        start = since or ended.get(record.id, record.created_at) - OVERLAP
        if (record.id, reason) not in asked:
            new_run(storage, record.id, max(start, record.created_at - OVERLAP, now - FURTHEST), reason)
    return len(records)


def ask_for_one(storage: Storage, installation_id: str, since: datetime | None, reason: str = "revived") -> int:
    """Ask for a run of one store, for example after its webhooks were revived. Returns the run's number."""
    start = since - OVERLAP if since is not None else storage.now() - FURTHEST
    return new_run(storage, installation_id, max(start, storage.now() - FURTHEST), reason)


def receiver_begins(storage: Storage) -> int:
    """Ask for runs when none was heard of for some seconds. Returns how many. Call it in a receiver, before its first
    heartbeat: a store's webhook that found nobody is not sent again.
    """
    now = storage.now()
    with storage.database.write() as connection:
        newest = connection.execute(_HEARD).scalar()
        if newest is None or now - newest < _AWAY:
            return 0
        remember_time(connection, "receivers", now)
        start_again(connection, WATCH_WEBHOOKS)
    return _ask_after(storage, newest, now)


def _ask_after(storage: Storage, known: datetime, back: datetime) -> int:
    log.warning("downtime_found", seconds=int((back - known).total_seconds()))
    return ask_for_all(storage, "downtime", known - OVERLAP)


def watch_receivers(storage: Storage) -> int:
    """Ask for runs when for a while no process took webhooks. Returns how many. Webhooks are looked at even sooner.

    What is remembered is when a receiver was last heard of, so that it does not matter which processes stopped,
    this one too, and which came back.
    """
    with storage.database.write() as connection:
        newest, known = connection.execute(_HEARD).scalar(), remembered_time(connection, "receivers")
        if newest is None or newest == known:
            return 0
        remember_time(connection, "receivers", newest)
        if known is not None and newest - known >= _AWAY:
            start_again(connection, WATCH_WEBHOOKS)
    if known is None or newest - known < _DOWN:
        return 0
    return _ask_after(storage, known, newest)


def run_waiting(storage: Storage, calls: Calls, sleep: Callable[[float], None], go_on: Callable[[], bool]) -> int:
    """Do the runs that were asked for: stores side by side, those of one store one after another.

    Returns how many were begun.
    """
    with storage.database.read() as connection:
        waiting = waiting_runs(connection)
    by_store: dict[str, list[Row[tuple[object, ...]]]] = {}
    for run in waiting:
        by_store.setdefault(run.installation_id, []).append(run)

    def one_store(runs: list[Row[tuple[object, ...]]]) -> int:
        return sum(_run_guarded(storage, calls, run, sleep, go_on) for run in runs if go_on())

    return sum(begun or 0 for begun in side_by_side(by_store.values(), one_store, go_on))


def _run_guarded(
    storage: Storage,
    calls: Calls,
    run: Row[tuple[object, ...]],
    sleep: Callable[[float], None],
    go_on: Callable[[], bool],
) -> int:
    try:
        _run(storage, calls, run, sleep, go_on)
    except (StoreRefused, UsageError) as error:
        kind = error.kind if isinstance(error, StoreRefused) else "gone"
        log.warning("reconcile_failed", installation_id=run.installation_id, fault=kind)
        _note_fault(storage, run, kind)
    except Exception as error:  # one store's trouble never stands before the next one's run
        log.error("reconcile_failed", installation_id=run.installation_id, fault=type(error).__name__)
        _note_fault(storage, run, f"fault:{type(error).__name__}")
    return 1


def _run(
    storage: Storage,
    calls: Calls,
    run: Row[tuple[object, ...]],
    sleep: Callable[[float], None],
    go_on: Callable[[], bool],
) -> None:
    with storage.database.read() as connection:
        record = find_installation(connection, run.installation_id)
    if record is None:
        raise UsageError("the installation is gone")
    orders = StoreOrders(store_access(storage, record), calls, storage.now, sleep)
    until = storage.now() - GRACE if run.reason == "hourly" else None
    report = run_reconcile(storage, record, orders, run.since, run.id, until=until, go_on=go_on)
    if report.fetched:
        log.info("orders_fetched", installation_id=record.id, orders=report.fetched, reason=run.reason)
        _tell(storage, record.id, "orders_fetched", str(report.fetched))


def _note_fault(storage: Storage, run: Row[tuple[object, ...]], kind: str) -> None:
    if kind == "stopped":
        return
    with storage.database.write() as connection:
        finish_run(connection, run.id, now=storage.now(), fault=kind)
    if kind in ("unauthorised", "forbidden"):
        _tell(storage, run.installation_id, "store_keys_lost", kind)


def _tell(storage: Storage, installation_id: str, kind: str, details: str) -> None:
    with storage.database.write() as connection:
        raise_notice(
            connection,
            row_id=storage.new_id(),
            installation_id=installation_id,
            kind=kind,
            details=details,
            now=storage.now(),
        )
