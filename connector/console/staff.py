"""Adding staff and checking passwords; `connector staff add` and the sign-in page use it."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from connector.console.permissions import Action, Role
from connector.core.identity import normal_email
from connector.errors import UsageError
from connector.storage.audit import audit_in
from connector.storage.opening import Storage
from connector.storage.staff import StaffRecord, change_staff, close_sessions_of, find_staff, insert_staff

__all__ = ["MINIMUM_PASSWORD", "add_staff", "check_password", "deactivate", "set_password"]

MINIMUM_PASSWORD = 12
MAXIMUM_PASSWORD = 512
_hasher = PasswordHasher()  # argon2id with the library's parameters (RFC 9106, low memory)


@cache
def _nobody() -> str:
    """Checked when there is no such account, so that answers take as long either way. Made on first use: it costs
    64 MiB and a tenth of a second, which no start of a server should pay.
    """
    return _hasher.hash("nobody has this password")


def add_staff(
    storage: Storage, email: str, role: str, password: str | None, actor: str = "command line"
) -> StaffRecord:
    """Add an account, or give an existing one this role and password and sign it out everywhere.

    Without a password only single sign-on lets them in. Raises UsageError.
    """
    address = normal_email(email)
    if address is None:
        raise UsageError("the e-mail address is not one that can be written to")
    if role not in set(Role):
        raise UsageError("the role is support or admin")
    hashed = "" if password is None else _hash(password)
    now = storage.now()
    with storage.database.write() as connection:
        found = find_staff(connection, address)
        if found is None:
            insert_staff(connection, row_id=storage.new_id(), email=address, role=role, password_hash=hashed, now=now)
        else:
            change_staff(connection, found[0].id, role=role, password_hash=hashed or found[1], active=True)
            close_sessions_of(connection, found[0].id, now)
        audit_in(connection, storage, actor, Action.MANAGE_STAFF, target=address, details={"role": role})
        record = find_staff(connection, address)
    assert record is not None
    return record[0]


def deactivate(storage: Storage, staff_id: int, email: str, actor: str, reason: str) -> None:
    """Turn an account off and sign it out everywhere."""
    with storage.database.write() as connection:
        change_staff(connection, staff_id, active=False)
        close_sessions_of(connection, staff_id, storage.now())
        audit_in(
            connection, storage, actor, Action.MANAGE_STAFF, target=email, reason=reason, details={"active": False}
        )


def set_password(storage: Storage, staff: StaffRecord, password: str) -> None:
    """Give an account another password and sign it out everywhere. Raises UsageError."""
    hashed = _hash(password)
    with storage.database.write() as connection:
        change_staff(connection, staff.id, password_hash=hashed)
        close_sessions_of(connection, staff.id, storage.now())


def check_password(storage: Storage, email: str, password: str) -> StaffRecord | None:
    """The account when e-mail and password fit and it is active. Takes as long when there is none."""
    address = normal_email(email) or ""
    with storage.database.read() as connection:
        found = find_staff(connection, address)
    known = found is not None and bool(found[1])
    fits = _verify(found[1] if found is not None and known else _nobody(), password[:MAXIMUM_PASSWORD])
    if found is None or not known or not fits or not found[0].active:
        return None
    if _hasher.check_needs_rehash(found[1]):
        with storage.database.write() as connection:
            change_staff(connection, found[0].id, password_hash=_hasher.hash(password))
    return found[0]


def _hash(password: str) -> str:
    if not MINIMUM_PASSWORD <= len(password) <= MAXIMUM_PASSWORD:
        raise UsageError("a password has 12 to 512 characters")
    return _hasher.hash(password)


def _verify(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
