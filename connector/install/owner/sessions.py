"""Who is signed in: one session is one browser and one installation. Cookies are kept as hashes only."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, insert, select
from starlette.requests import Request
from starlette.responses import Response

from connector.install.services import Services
from connector.install.site import Site
from connector.pages.cookies import Cookie
from connector.storage.installations import InstallationRecord, find_installation
from connector.storage.tables_install import OwnerLink, OwnerSession

__all__ = ["Session", "begin_session", "current_session", "end_session", "make_link", "take_link"]

_LIFETIME = timedelta(hours=12)
_LINK_LIFETIME = timedelta(minutes=1)
_sessions = OwnerSession.__table__  # type: ignore[attr-defined]
_links = OwnerLink.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser and what it may see."""

    installation: InstallationRecord
    came_by: str
    user_name: str


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _cookie(site: Site) -> Cookie:
    return site.cookie("owner", int(_LIFETIME.total_seconds()))


def begin_session(site: Site, response: Response, installation_id: str, *, came_by: str, user_name: str = "") -> None:
    """Sign the browser of this response in. Always a new token, so nobody can have planted it."""
    token, now = secrets.token_urlsafe(32), site.services.now()
    values = {
        "token_hash": _digest(token),
        "installation_id": installation_id,
        "came_by": came_by,
        "user_name": user_name[:80],
        "created_at": now,
        "expires_at": now + _LIFETIME,
    }
    with site.services.storage.database.write() as connection:
        connection.execute(delete(_sessions).where(_sessions.c.expires_at < now))
        connection.execute(insert(_sessions), values)
    _cookie(site).write(response, token)


def current_session(site: Site, request: Request) -> Session | None:
    """This browser's session, None when there is none, it ended, or the installation is gone."""
    token = _cookie(site).read(request)
    if not token:
        return None
    live = (_sessions.c.token_hash == _digest(token), _sessions.c.expires_at > site.services.now())
    with site.services.storage.database.read() as connection:
        row = connection.execute(select(_sessions).where(*live)).first()
        installation = find_installation(connection, row.installation_id) if row is not None else None
    if row is None or installation is None or installation.state == "removed":
        return None
    return Session(installation, row.came_by, row.user_name)


def end_session(site: Site, request: Request, response: Response) -> None:
    """Sign this browser out."""
    token = _cookie(site).read(request)
    if token:
        with site.services.storage.database.write() as connection:
            connection.execute(delete(_sessions).where(_sessions.c.token_hash == _digest(token)))
    _cookie(site).forget(response)


def end_all_sessions(services: Services, installation_id: str) -> None:
    """Sign everybody out, after an uninstall or a new password."""
    with services.storage.database.write() as connection:
        connection.execute(delete(_sessions).where(_sessions.c.installation_id == installation_id))


def make_link(services: Services, installation_id: str, user_name: str) -> str:
    """A token for one sign-in within a minute."""
    token, now = secrets.token_urlsafe(32), services.now()
    values = {
        "token_hash": _digest(token),
        "installation_id": installation_id,
        "user_name": user_name[:80],
        "expires_at": now + _LINK_LIFETIME,
    }
    with services.storage.database.write() as connection:
        connection.execute(delete(_links).where(_links.c.expires_at < now))
        connection.execute(insert(_links), values)
    return token


def take_link(services: Services, token: str) -> tuple[str, str] | None:
    """Installation and user name of a link, used up by this; None when it was used, is too old or unknown."""
    statement = delete(_links).where(_links.c.token_hash == _digest(token), _links.c.expires_at > services.now())
    with services.storage.database.write() as connection:
        returning = statement.returning(_links.c.installation_id, _links.c.user_name)
        row = connection.execute(returning).first()
    return (row.installation_id, row.user_name) if row is not None else None
