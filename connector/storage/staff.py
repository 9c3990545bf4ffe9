"""Staff accounts and their sessions. The session token itself is never stored, only its digest."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from connector.storage.staff_attempts import remove_old_attempts
from connector.storage.tables_console import Staff, StaffSession

__all__ = [
    "ABSOLUTE_LIMIT",
    "IDLE_LIMIT",
    "StaffRecord",
    "all_staff",
    "change_staff",
    "close_session",
    "close_sessions_of",
    "find_session",
    "find_staff",
    "insert_staff",
    "open_session",
    "remove_old_sessions",
]

IDLE_LIMIT = timedelta(minutes=30)
ABSOLUTE_LIMIT = timedelta(hours=12)
# A page that loads five parts need not write five times.
_SEEN_STEP = timedelta(minutes=1)

_staff = Staff.__table__  # type: ignore[attr-defined]
_session = StaffSession.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class StaffRecord:
    """One staff member, without the password hash."""

    id: int
    email: str
    role: str
    active: bool
    created_at: datetime
    last_sign_in_at: datetime | None


_COLUMNS = [_staff.c[name] for name in StaffRecord.__slots__]


def insert_staff(
    connection: Connection, *, row_id: int, email: str, role: str, password_hash: str, now: datetime
) -> None:
    """Write a new account. The e-mail is in its normal form already."""
    connection.execute(
        insert(_staff),
        {
            "id": row_id,
            "email": email,
            "role": role,
            "password_hash": password_hash,
            "active": True,
            "created_at": now,
        },
    )


def find_staff(connection: Connection, email: str) -> tuple[StaffRecord, str] | None:
    """The account of that e-mail with its password hash (empty: none)."""
    row = connection.execute(select(*_COLUMNS, _staff.c.password_hash).where(_staff.c.email == email)).first()
    return (StaffRecord(*row[:-1]), str(row[-1])) if row else None


def all_staff(connection: Connection) -> list[StaffRecord]:
    """Everybody, oldest account first."""
    return [StaffRecord(*row) for row in connection.execute(select(*_COLUMNS).order_by(_staff.c.id))]


def change_staff(connection: Connection, staff_id: int, **values: object) -> bool:
    """Change columns. False when there is no such account."""
    return connection.execute(update(_staff).where(_staff.c.id == staff_id).values(**values)).rowcount == 1


def open_session(connection: Connection, token: str, staff_id: int, now: datetime) -> None:
    """Write a session for a fresh token."""
    values = {"digest": _digest(token), "staff_id": staff_id, "created_at": now, "seen_at": now}
    connection.execute(insert(_session), values)


def find_session(connection: Connection, token: str, now: datetime) -> tuple[StaffRecord, bool] | None:
    """Whose session the token opens, and whether `seen_at` wants writing. None when expired, revoked, unknown
    or when the account is off."""
    row = connection.execute(
        select(*_COLUMNS, _session.c.seen_at)
        .join_from(_session, _staff, _session.c.staff_id == _staff.c.id)
        .where(
            _session.c.digest == _digest(token),
            _session.c.revoked_at.is_(None),
            _session.c.seen_at > now - IDLE_LIMIT,
            _session.c.created_at > now - ABSOLUTE_LIMIT,
            _staff.c.active,
        )
    ).first()
    return (StaffRecord(*row[:-1]), now - row[-1] > _SEEN_STEP) if row else None


def touch_session(connection: Connection, token: str, now: datetime) -> None:
    """The session was used now."""
    connection.execute(update(_session).where(_session.c.digest == _digest(token)).values(seen_at=now))


def close_session(connection: Connection, token: str, now: datetime) -> None:
    """Sign out."""
    connection.execute(update(_session).where(_session.c.digest == _digest(token)).values(revoked_at=now))


def close_sessions_of(connection: Connection, staff_id: int, now: datetime) -> int:
    """Sign somebody out everywhere. Returns how many sessions were open."""
    mine = (_session.c.staff_id == staff_id, _session.c.revoked_at.is_(None))
    return connection.execute(update(_session).where(*mine).values(revoked_at=now)).rowcount


def remove_old_sessions(connection: Connection, now: datetime) -> int:
    """Forget sessions that no token can open any more, and attempts to sign in of long ago."""
    before = now - 2 * ABSOLUTE_LIMIT
    remove_old_attempts(connection, before)
    return connection.execute(delete(_session).where(_session.c.created_at < before)).rowcount


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
