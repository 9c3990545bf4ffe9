"""Works through stored webhooks: claim, read and map, then one short transaction per group.

A mapping fault can never refuse or lose an order: the webhook stays stored, is tried again, and after some tries
stands in the history as unreadable, to be replayed when the fault is mended.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import zstandard
from sqlalchemy import Connection, select

from connector import failpoints
from connector.core.states import Lane
from connector.core.store_events import Named
from connector.intake.fetching import Fetching
from connector.intake.other_addresses import source_host
from connector.intake.outcomes import Outcomes
from connector.intake.reading import ReadWebhook, StoredWebhook, event_id_of, read_stored, told_order
from connector.logs import log
from connector.platforms import PLATFORMS
from connector.storage.among import PerDatabase
from connector.storage.known import Subjects, load_known, lock_orders
from connector.storage.notices import raise_notice
from connector.storage.opening import Storage
from connector.storage.queue import Claimed, ClockWatch, NewWork, event_queue, webhook_queue
from connector.storage.snapshot import InstallationSnapshot
from connector.storage.tables import Webhook
from connector.storage.written import write
from connector.tracing import TracedWebhook, Traces

__all__ = ["Processor", "stored_body"]

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_BODIES = PerDatabase(
    lambda among: select(
        *(_webhook.c[name] for name in ("id", "topic", "received_at", "headers", "body", "body_encoding"))
    ).where(among(_webhook.c.id, "ids"))
)
_GROUP = 128
_LEAST = 32
_GROUP_SECONDS = 0.1  # where several stores wait: for a group of one that floods us the others wait no longer
_INSTALLATIONS_PER_GROUP = 16
_TRIES = 5
_AGAIN = timedelta(seconds=1)
_LONGEST_WAIT = _AGAIN * 2**_TRIES
_decompress = zstandard.ZstdDecompressor().decompress


@dataclass(frozen=True, slots=True)
class _Group:
    token: int
    webhooks: list[ReadWebhook]


def stored_body(body: bytes, encoding: str) -> bytes:
    """The bytes as the store sent them; empty when they have expired."""
    if encoding == "zstd":
        return _decompress(body)
    return b"" if encoding == "expired" else body


class Processor:
    """Processes stored webhooks of all installations in fair turns. Not for several threads at once."""

    def __init__(
        self,
        storage: Storage,
        lease_seconds: float,
        after_commit: Callable[[], None] = lambda: None,
        traces: Traces | None = None,
        fetching: Fetching | None = None,
    ) -> None:
        self._storage = storage
        self._fetching = fetching
        self._traces = traces
        self._installations = InstallationSnapshot(storage)
        self._lease = timedelta(seconds=lease_seconds)
        self._after_commit = after_commit
        self._cursor = ""
        self._fair_size = _GROUP
        self._clock = ClockWatch()

    def run_once(self, limit: int = _GROUP) -> int:
        """Process one group, of at most `limit`. Returns how many webhooks were taken; 0 when nothing is due."""
        began = time.monotonic()
        claimed = self._claim(limit)
        if not claimed.webhooks:
            return 0
        self._process(claimed)
        self._fair_size = _fair_size(len(claimed.webhooks), time.monotonic() - began)
        return len(claimed.webhooks)

    def _process(self, claimed: _Group) -> None:
        group = self._fetched(claimed)
        try:
            self._finish(group)
        except Exception as error:
            log.error("group_not_processed", error=type(error).__name__, webhooks=len(group.webhooks))
            self._one_by_one(group)
        self._after_commit()

    def _fetched(self, group: _Group) -> _Group:
        """What webhooks only name becomes webhooks of its own; those that fail are tried again later."""
        named = [webhook for webhook in group.webhooks if isinstance(webhook.event, Named)]
        if not named:
            return group
        failed = dict(self._fetching.fetch(named)) if self._fetching is not None else {}
        for webhook in named:
            if reason := failed.get(webhook.stored.id):
                self._put_off(group.token, webhook, reason)
        return _Group(group.token, [one for one in group.webhooks if one.stored.id not in failed])

    def _claim(self, limit: int) -> _Group:
        token = secrets.randbelow(1 << 62) + 1
        with self._storage.database.write() as connection:
            claimed = self._claim_turns(connection, limit, token)
            rows = _load(connection, claimed)
        failpoints.reach("after_claim_webhooks")
        return _Group(token, [self._read(one, rows[one.id]) for one in claimed if one.id in rows])

    def _claim_turns(self, connection: Connection, limit: int, token: int) -> list[Claimed]:
        now, claimed = self._storage.now(), list[Claimed]()
        if self._clock.set_back_by(now) is not None:
            webhook_queue.set_back(connection, now, self._lease, _LONGEST_WAIT)
        # Nothing can be mapped for a store that has no pixel yet: its orders wait for the owner to connect TikTok.
        unconnected = frozenset(one.id for one in self._installations.all().values() if not one.pixel_code)
        for lane in Lane:
            due = webhook_queue.installations_due(connection, lane, now, self._cursor, unconnected)
            if len(due) > 1:
                limit = min(limit, self._fair_size)
            for installation_id in due[:_INSTALLATIONS_PER_GROUP]:
                share = max(limit // min(len(due), _INSTALLATIONS_PER_GROUP), 1)
                room = min(share, limit - len(claimed))
                if room <= 0:
                    return claimed
                claimed += webhook_queue.claim(
                    connection, installation_id, lane, now=now, lease_until=now + self._lease, token=token, limit=room
                )
                self._cursor = installation_id
        return claimed

    def _read(self, claimed: Claimed, row: Any) -> ReadWebhook:
        installation = self._installations.get(claimed.installation_id)
        assert installation is not None, "installations are never deleted"
        stored = StoredWebhook(
            row.id, installation, row.topic, row.received_at, stored_body(row.body, row.body_encoding),
            claimed.lane, claimed.tries,
            source_host(PLATFORMS[installation.platform], row.headers, installation.store_url),
        )  # fmt: skip
        try:
            return read_stored(stored, self._storage.hash_key)
        except Exception as error:
            log.error("webhook_not_mapped", webhook_id=row.id, error=type(error).__name__, exc_info=error)
            return ReadWebhook(stored, None, None, f"fault:{type(error).__name__}")

    def _one_by_one(self, group: _Group) -> None:
        """One webhook of a group breaks its transaction: the others go through without it."""
        for webhook in group.webhooks:
            try:
                self._finish(_Group(group.token, [webhook]))
            except Exception as error:
                log.error("webhook_not_processed", webhook_id=webhook.stored.id, error=type(error).__name__)
                self._put_off(group.token, webhook, f"fault:{type(error).__name__}")

    def _put_off(self, token: int, webhook: ReadWebhook, reason: str) -> None:
        if webhook.stored.tries >= _TRIES:
            self._finish(_Group(token, [ReadWebhook(webhook.stored, None, None, reason)]))
            return
        later = self._storage.now() + _AGAIN * 2**webhook.stored.tries
        with self._storage.database.write() as connection:
            webhook_queue.postpone(connection, [webhook.stored.id], token, later, Lane(webhook.stored.lane))

    def _finish(self, group: _Group) -> None:
        """Work out the group and write it, in one transaction fenced by the lease."""
        storage, now = self._storage, self._storage.now()
        with storage.database.write() as connection:
            lock_orders(connection, [w.order_digest for w in group.webhooks if w.order_digest])
            ids = [webhook.stored.id for webhook in group.webhooks]
            ours = webhook_queue.complete(connection, ids, group.token)
            webhooks = sorted((w for w in group.webhooks if w.stored.id in ours), key=lambda w: w.stored.id)
            outcomes = Outcomes(
                load_known(connection, _subjects(webhooks)),
                now=now,
                hash_key=storage.hash_key,
                new_id=storage.new_id,
                withdraw=lambda event_id: _withdraw(connection, event_id, storage),
            )
            outcomes.add_all(webhooks)
            write(connection, outcomes.written, outcomes.known.ledger.values())
            _add_again(connection, outcomes.again, now + _AGAIN)
            for installation_id, kind, details in outcomes.notices:
                raise_notice(
                    connection,
                    row_id=storage.new_id(),
                    installation_id=installation_id,
                    kind=kind,
                    details=details,
                    now=now,
                )
            failpoints.reach("before_group_commit")
        if self._traces is not None:
            self._trace(self._traces, webhooks, outcomes.written.webhooks)

    def _trace(self, traces: Traces, webhooks: list[ReadWebhook], done: list[dict[str, Any]]) -> None:
        stored = {webhook.stored.id: webhook.stored for webhook in webhooks}
        for row in done:
            seen = stored[row["id"]]
            traces.webhook(
                TracedWebhook(
                    seen.id, seen.installation.id, seen.topic, row["state"], row["reason"], seen.received_at,
                    row["processed_at"],
                )
            )  # fmt: skip


def _fair_size(worked: int, seconds: float) -> int:
    """As many as take no longer than a group may, at the speed of the last one."""
    return max(_LEAST, min(int(worked * _GROUP_SECONDS / max(seconds, 1e-6)), _GROUP))


def _withdraw(connection: Connection, event_id: int, storage: Storage) -> bool:
    return event_id in event_queue.withdraw(connection, [event_id], storage.now())


def _add_again(connection: Connection, webhooks: list[ReadWebhook], run_at: datetime) -> None:
    webhook_queue.add(
        connection, [NewWork(w.stored.id, w.stored.installation.id, run_at, Lane(w.stored.lane)) for w in webhooks]
    )


def _load(connection: Connection, claimed: list[Claimed]) -> dict[int, Any]:
    values = {"ids": [one.id for one in claimed]}
    return {row.id: row for row in connection.execute(_BODIES.on(connection), values)}


def _subjects(webhooks: list[ReadWebhook]) -> Subjects:
    people = {s for w in webhooks for s in (w.order_subject, w.visitor_subject) if s}
    event_ids = {(w.stored.installation.id, event_id_of(w.mapped)) for w in webhooks}
    return Subjects(
        orders=frozenset(w.order_digest for w in webhooks if w.order_digest),
        told_orders=frozenset(
            (w.stored.installation.id, number) for w in webhooks if (number := told_order(w.event)) is not None
        ),
        people=frozenset(people),
        event_ids=frozenset((i, e) for i, e in event_ids if e),
    )
