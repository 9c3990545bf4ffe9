"""Notices: something the owner or the operator should know, one row per kind until it is resolved."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.core.installation_settings import InstallationSettings
from connector.storage.tables import Notice

__all__ = ["end_decided", "keep_notice", "open_notices", "raise_notice", "resolve_notices"]

_notice = Notice.__table__  # type: ignore[attr-defined]


def raise_notice(
    connection: Connection, *, row_id: int, installation_id: str, kind: str, details: str, now: datetime
) -> None:
    """Write it, or count it once more; a resolved one opens again."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(_notice).values(
        id=row_id,
        installation_id=installation_id,
        kind=kind,
        details=details[:500],
        count=1,
        first_at=now,
        last_at=now,
        resolved_at=None,
    )
    c = _notice.c
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[c.installation_id, c.kind],
            set_={
                "details": statement.excluded.details,
                "count": c["count"] + 1,
                "last_at": statement.excluded.last_at,
                "resolved_at": None,
            },
        )
    )


def resolve_notices(connection: Connection, installation_id: str, kinds: Sequence[str], now: datetime) -> None:
    """They are over."""
    c = _notice.c
    same = (c.installation_id == installation_id, c.kind.in_(kinds), c.resolved_at.is_(None))
    connection.execute(update(_notice).where(*same).values(resolved_at=now))


def end_decided(connection: Connection, installation_id: str, settings: InstallationSettings, now: datetime) -> None:
    """What these settings have decided is no question any more: whose another address of the store is."""
    for one in open_notices(connection, installation_id):
        host = one.details if one.kind == "other_address" else ""
        if host and (settings.leaves_out(host) or host in settings.own_addresses):
            resolve_notices(connection, installation_id, (one.kind,), now)


def keep_notice(
    connection: Connection, *, row_id: int, installation_id: str, kind: str, details: str, now: datetime
) -> None:
    """For what is looked at again and again: told when it is new or has changed, not when its reader has seen it.

    Without details it is over, and counts as new when it comes back.
    """
    same = (_notice.c.installation_id == installation_id, _notice.c.kind == kind)
    if not details:
        connection.execute(delete(_notice).where(*same))
        return
    known = connection.execute(select(_notice.c.details).where(*same)).scalar()
    if known != details[:500]:
        raise_notice(connection, row_id=row_id, installation_id=installation_id, kind=kind, details=details, now=now)


def open_notices(connection: Connection, installation_id: str | None = None) -> list[Notice]:
    """Unresolved notices, newest first, of one installation or of all."""
    statement = select(_notice).where(_notice.c.resolved_at.is_(None)).order_by(_notice.c.last_at.desc())
    if installation_id is not None:
        statement = statement.where(_notice.c.installation_id == installation_id)
    return [Notice(**row._mapping) for row in connection.execute(statement)]
