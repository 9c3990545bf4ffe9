"""Which installations need somebody, and why: read in a few queries over all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, literal_column, select

from connector.core.row_ids import time_of
from connector.core.states import Lane
from connector.storage.notices import open_notices
from connector.storage.tables import Event, EventWork, Installation, Webhook

__all__ = ["MOST_HELD", "Health", "Watched", "health_of_all"]

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_installation = Installation.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_work = EventWork.__table__  # type: ignore[attr-defined]
_BACKLOG_LOOKED_AT = 20_000
MOST_HELD = 1000  # more are not counted
_OLD_BACKLOG = timedelta(minutes=15)
_SILENT_AFTER = timedelta(hours=24)
_REJECTED_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at of an installation's own row."""

    id: str
    store_name: str
    store_url: str
    state: str
    access: str
    access_reason: str
    created_at: datetime


_WATCHED = [_installation.c[name] for name in Watched.__slots__]


@dataclass(frozen=True, slots=True)
class Health:
    """One installation now. `trouble` holds short words, worst first; empty when all is well."""

    installation: Watched
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
    counts: Mapping[str, Mapping[str, int]],
    now: datetime,
    installation_id: str | None = None,
) -> list[Health]:
    """Worst first; of one installation when it is named. Removed ones are left out."""
    backlog = _backlog(connection, installation_id)
    notices: dict[str, list[str]] = {}
    for notice in open_notices(connection):
        notices.setdefault(notice.installation_id, []).append(notice.kind)
    found = []
    for row in _watched(connection, installation_id):
        waiting, oldest = backlog.get(row.id, (0, None))
        health = Health(
            installation=Watched(*row[: len(_WATCHED)]),
            last_webhook_at=_moment(row.last_webhook),
            backlog=waiting,
            oldest_waiting=oldest,
            held=row.held,
            notices=tuple(notices.get(row.id, ())),
            counts=counts.get(row.id, {}),
        )
        found.append(_with_trouble(health, now))
    return sorted(found, key=lambda health: (-len(health.trouble), health.installation.store_name.lower()))


def _watched(connection: Connection, installation_id: str | None) -> Sequence[Any]:
    """Installations with their newest webhook and how many events are held, each from the end of an index."""
    i, w, e = _installation.c, _webhook.c, _event.c
    newest = select(w.id).where(w.installation_id == i.id).order_by(w.id.desc()).limit(1).scalar_subquery()
    few = (
        select(literal_column("1").label("one"))
        .where(e.installation_id == i.id, e.state == literal_column("'held'"))
        .limit(MOST_HELD)
        .correlate(_installation)
        .subquery()
    )
    held = select(func.count()).select_from(few).scalar_subquery()
    statement = select(*_WATCHED, newest.label("last_webhook"), held.label("held")).where(i.state != "removed")
    if installation_id is not None:
        statement = statement.where(i.id == installation_id)
    return connection.execute(statement).all()


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
    return replace(health, trouble=tuple(word for word, holds in checks if holds))


def _backlog(connection: Connection, installation_id: str | None) -> dict[str, tuple[int, datetime | None]]:
    """Waiting events by installation, of the oldest 20,000: more only means that more wait than that."""
    # A replayed event has the id, and so the time, of long ago: it waits since its replay, in a lane of its own.
    fresh = select(_work.c.id, _work.c.installation_id).where(_work.c.lane != Lane.REPLAY)
    oldest = fresh.order_by(_work.c.id).limit(_BACKLOG_LOOKED_AT).subquery()
    statement = select(oldest.c.installation_id, func.count(), func.min(oldest.c.id))
    if installation_id is not None:
        statement = statement.where(oldest.c.installation_id == installation_id)
    return {
        name: (count, _moment(first))
        for name, count, first in connection.execute(statement.group_by(oldest.c.installation_id))
    }


def _moment(row_id: int | None) -> datetime | None:
    return datetime.fromtimestamp(time_of(row_id) / 1000, UTC) if row_id else None
