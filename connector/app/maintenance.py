"""What runs by itself beside the road, in one process at a time: comparing orders, watching the stores' webhooks,
retention, replays, rollups, alerts. Each group has a thread and a lease of its own, so that none waits for another.
"""

from collections.abc import Callable
from datetime import timedelta

from connector.errors import ConnectorError
from connector.install.finishing import InstallFinisher
from connector.install.services import Services, TikTokApp
from connector.install.storefronts import is_due, watch_storefront
from connector.install.subscriptions import SubscriptionCheck, check_subscriptions
from connector.logs import log
from connector.operations.backfill import WATCH_WEBHOOKS, ask_for_all, ask_for_one, run_waiting, watch_receivers
from connector.operations.background import BackgroundWork
from connector.operations.calls import LoopCalls
from connector.operations.retention import Clocks, apply_retention
from connector.operations.schedule import ScheduleThread, Task, Turn
from connector.operations.side_by_side import side_by_side
from connector.outbound import Outbound
from connector.settings import Settings
from connector.storage.installations import InstallationRecord, all_installations
from connector.storage.opening import Storage
from connector.storage.reconciling import start_again

__all__ = ["MaintenanceThread"]

_WATCHDOG_EVERY = timedelta(minutes=15)
_ASK_AGAIN = timedelta(minutes=1)  # webhooks that wait for our own receiver
_STOREFRONTS_EVERY = timedelta(minutes=15)  # who is due is looked at
_INSTALLS_EVERY = timedelta(seconds=5)
_RETENTION_EVERY = timedelta(hours=1)


class MaintenanceThread:
    """Every periodic task of one process. `make_outbound` is called once, on the event loop of its calls."""

    def __init__(self, storage: Storage, make_outbound: Callable[[], Outbound], settings: Settings) -> None:
        self._storage = storage
        self._settings = settings
        self._calls = LoopCalls(make_outbound)
        self._services = Services(
            storage,
            self._calls,
            settings.own_url,
            TikTokApp(settings.tiktok_api_url, ""),
            allow_private=settings.allow_private_addresses,
        )
        self._groups: list[ScheduleThread] = []

    def start(self) -> None:
        """Begin."""
        self._calls.start()
        self._groups = [ScheduleThread(self._storage, name, tasks) for name, tasks in self._tasks().items()]
        for group in self._groups:
            group.start()

    def stop(self) -> None:
        """Let each task come to its next halt, then stop; the leases are given back."""
        for group in self._groups:
            group.ask_to_stop()
        for group in self._groups:
            group.stop()
        self._calls.stop()

    def _tasks(self) -> dict[str, list[Task]]:
        hourly = timedelta(seconds=self._settings.reconcile_interval)
        console = BackgroundWork(self._storage, self._settings, self._calls.client())
        finisher = InstallFinisher(self._services)
        return {
            "receivers": [Task("receivers", timedelta(seconds=5), lambda _: watch_receivers(self._storage))],
            "orders": [
                Task("compare_orders", hourly, lambda _: ask_for_all(self._storage, "hourly")),
                Task("fetch_orders", timedelta(seconds=5), self._fetch_orders),
            ],
            "webhooks": [Task(WATCH_WEBHOOKS, _WATCHDOG_EVERY, self._watch_webhooks)],
            "storefronts": [Task("watch_storefronts", _STOREFRONTS_EVERY, self._watch_storefronts)],
            "installs": [Task("finish_installs", _INSTALLS_EVERY, lambda _: finisher.round())],
            "retention": [Task("retention", _RETENTION_EVERY, self._retention)],
            "console": [
                Task("console", timedelta(seconds=1), lambda _: console.blocking_round()),
                Task("alerts", timedelta(seconds=5), lambda _: self._calls.run(console.alert_round)),
            ],
        }

    def _fetch_orders(self, turn: Turn) -> int:
        return run_waiting(self._storage, self._calls, turn.sleep, turn.go_on)

    def _watch_webhooks(self, turn: Turn) -> str:
        """Look after each store's webhooks; what was silent is fetched."""
        with self._storage.database.read() as connection:
            records = [record for record in all_installations(connection) if record.state in ("active", "paused")]
        checks = [check for check in side_by_side(records, self._watch_store, turn.go_on) if check is not None]
        if any(check.waiting for check in checks):
            with self._storage.database.write() as connection:
                start_again(connection, WATCH_WEBHOOKS, self._storage.now() - _WATCHDOG_EVERY + _ASK_AGAIN)
        return f"{len(records)} stores, {sum(bool(check.mended) for check in checks)} mended"

    def _watch_store(self, record: InstallationRecord) -> SubscriptionCheck | None:
        try:
            check = check_subscriptions(self._services, record)
        except (ConnectorError, LookupError) as error:
            log.warning("webhooks_not_checked", installation_id=record.id, error=type(error).__name__)
            return None
        if check.mended:
            ask_for_one(self._storage, record.id, check.gap_since)
        return check

    def _watch_storefronts(self, turn: Turn) -> str:
        """Look whether our script is on each storefront, and who else fires a pixel there."""
        mended = looked = 0
        with self._storage.database.read() as connection:
            records = [record for record in all_installations(connection) if record.state in ("active", "paused")]
        for record in records:
            if not turn.go_on():
                break
            try:
                if is_due(self._services, record):
                    mended += watch_storefront(self._services, record).mended
                    looked += 1
            except (ConnectorError, LookupError) as error:
                log.warning("storefront_not_looked_at", installation_id=record.id, error=type(error).__name__)
        return f"{looked} looked at, {mended} mended"

    def _retention(self, turn: Turn) -> str:
        s = self._settings
        clocks = Clocks(s.keep_bodies_days, s.keep_metadata_days, s.keep_audit_days)
        return str(apply_retention(self._storage, clocks, go_on=turn.go_on, sleep=turn.sleep))
