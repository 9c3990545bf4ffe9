"""Which installations need somebody, and why: read in few queries over all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, text

from connector.core.row_ids import time_of
from connector.core.states import Lane
from connector.operations.rollups import Overview
from connector.storage.installations import InstallationRecord
from connector.storage.notices import open_notices
from connector.storage.tables import Event, EventWork, Webhook

__all__ = ["Health", "health_of_all"]

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_work = EventWork.__table__  # type: ignore[attr-defined]
_BACKLOG_LOOKED_AT = 20_000
_HELD_LOOKED_AT = 2_000
_OLD_BACKLOG = timedelta(minutes=15)
_SILENT_AFTER = timedelta(hours=24)
_REJECTED_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Health:
    """One installation now. `trouble` holds short words, worst first; empty when all is well."""

    installation: InstallationRecord
    last_webhook_at: datetime | None
    backlog: int
    oldest_waiting: datetime | None
    held: int
    notices: tuple[str, ...]
    counts: Mapping[str, int]
    trouble: tuple[str, ...] = field(default=())

    @property
    def rejected_share(self) -> float | None:
        """Of what TikTok answered for in the counted time."""
        answered = self.counts.get("accepted", 0) + self.counts.get("rejected", 0)
        return self.counts.get("rejected", 0) / answered if answered else None

    def backlog_age(self, now: datetime) -> timedelta:
        """How long the oldest waiting event has waited."""
        return now - self.oldest_waiting if self.oldest_waiting else timedelta(0)


def health_of_all(
    connection: Connection,
    installations: Sequence[InstallationRecord],
    overviews: Mapping[str, Overview],
    now: datetime,
) -> list[Health]:
    """Worst first. Removed installations are left out."""
    backlog, held = _backlog(connection), _held(connection)
    notices: dict[str, list[str]] = {}
    for notice in open_notices(connection):
        notices.setdefault(notice.installation_id, []).append(notice.kind)
    found = []
    for installation in installations:
        if installation.state == "removed":
            continue
        waiting, oldest = backlog.get(installation.id, (0, None))
        counted = overviews.get(installation.id)
        health = Health(
            installation=installation,
            last_webhook_at=_last_webhook(connection, installation.id),
            backlog=waiting,
            oldest_waiting=oldest,
            held=held.get(installation.id, 0),
            notices=tuple(notices.get(installation.id, ())),
            counts=counted.total if counted else {},
        )
        found.append(_with_trouble(health, now))
    return sorted(found, key=lambda health: (-len(health.trouble), health.installation.store_name.lower()))


def _with_trouble(health: Health, now: datetime) -> Health:
    installation, share = health.installation, health.rejected_share
    silent_since = health.last_webhook_at or installation.created_at
    checks = (
        ("access_lost", installation.access != "ok"),
        ("paused", installation.state == "paused"),
        ("backlog", health.backlog_age(now) > _OLD_BACKLOG),
        ("rejected", share is not None and share > _REJECTED_SHARE),
        ("held", health.held > 0),
        ("silent", installation.state == "active" and now - silent_since > _SILENT_AFTER),
        ("notice", any(kind not in ("access_lost",) for kind in health.notices)),
    )
    words = tuple(word for word, holds in checks if holds)
    return Health(**{name: getattr(health, name) for name in Health.__slots__ if name != "trouble"}, trouble=words)


def _backlog(connection: Connection) -> dict[str, tuple[int, datetime | None]]:
    """Waiting events by installation, of the oldest 20,000: more only means that more wait than that."""
    # A replayed event has the id, and so the time, of long ago: it waits since its replay, in a lane of its own.
    fresh = select(_work.c.id, _work.c.installation_id).where(_work.c.lane != Lane.REPLAY)
    oldest = fresh.order_by(_work.c.id).limit(_BACKLOG_LOOKED_AT).subquery()
    statement = select(oldest.c.installation_id, func.count(), func.min(oldest.c.id)).group_by(
        oldest.c.installation_id
    )
    return {
        name: (count, datetime.fromtimestamp(time_of(first) / 1000, UTC))
        for name, count, first in connection.execute(statement)
    }


def _held(connection: Connection) -> dict[str, int]:
    newest = (
        select(_event.c.installation_id)
        .where(text("state = 'held'"))
        .order_by(_event.c.id.desc())
        .limit(_HELD_LOOKED_AT)
        .subquery()
    )
    statement = select(newest.c.installation_id, func.count()).group_by(newest.c.installation_id)
    return {name: count for name, count in connection.execute(statement)}  # noqa: C416 - rows to plain tuples


def _last_webhook(connection: Connection, installation_id: str) -> datetime | None:
    c = _webhook.c
    newest: Any = connection.execute(select(func.max(c.id)).where(c.installation_id == installation_id)).scalar()
    return datetime.fromtimestamp(time_of(newest) / 1000, UTC) if newest else None
