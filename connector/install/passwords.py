"""The owner's password: Argon2id, one per installation."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, insert, select

from connector.install.services import Services
from connector.storage.tables_install import OwnerPassword

__all__ = ["MINIMUM_LENGTH", "fits_password", "has_password", "set_password"]

MINIMUM_LENGTH = 10
_MOST_CHARACTERS = 1000  # a longer one only costs time
_hasher = PasswordHasher()
# Verified against when there is none, so that the time taken tells nobody which stores are here.


@cache
def _nobodys() -> str:
    """Checked when there is no such password, so that answers take as long either way. Made on first use: it costs
    64 MiB and a tenth of a second, which no start of a server should pay.
    """
    return _hasher.hash("nobody has this password")


_table = OwnerPassword.__table__  # type: ignore[attr-defined]


def set_password(services: Services, installation_id: str, password: str) -> None:
    """Replace it."""
    hashed = _hasher.hash(password[:_MOST_CHARACTERS])
    values = {"installation_id": installation_id, "password_hash": hashed, "changed_at": services.now()}
    with services.storage.database.write() as connection:
        connection.execute(delete(_table).where(_table.c.installation_id == installation_id))
        connection.execute(insert(_table), values)


def has_password(services: Services, installation_id: str) -> bool:
    """Whether one was set."""
    return _stored(services, installation_id) is not None


def fits_password(services: Services, installation_id: str, password: str) -> bool:
    """Whether it is the one. Takes as long for an installation that does not exist."""
    stored = _stored(services, installation_id)
    try:
        fits = _hasher.verify(stored or _nobodys(), password[:_MOST_CHARACTERS])
    except (VerificationError, InvalidHashError):
        return False
    return fits and stored is not None


def _stored(services: Services, installation_id: str) -> str | None:
    with services.storage.database.read() as connection:
        statement = select(_table.c.password_hash).where(_table.c.installation_id == installation_id)
        return connection.execute(statement).scalar()
