"""Notices on the overview: what happened, what to do, and the buttons with which the owner answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from connector.core.installation_settings import InstallationSettings
from connector.install.explaining import Told, told_notice
from connector.install.owner.sessions import Session
from connector.install.owner.showing import actor
from connector.install.site import Site
from connector.pages.forms import Form
from connector.pages.rendering import see_other
from connector.pages.translating import Translator
from connector.storage.audit import audit_in
from connector.storage.installations import InstallationRecord, change_installation
from connector.storage.notices import open_notices, resolve_notices
from connector.storage.tables import Notice

__all__ = ["ShownNotice", "answer_notice", "shown_notices"]

# The overview tells of these in its own way.
_ELSEWHERE = ("access_lost",)
_LEVELS: Mapping[str, str] = {
    "orders_fetched": "info",
    "webhooks_mended": "info",
    "foreign_return": "fail",
    "credential_unreadable": "fail",
    "store_keys_lost": "fail",
    "pixel_twice": "fail",
}
_WORST_FIRST = ("fail", "warn", "info")
# What is over once it was read; the others end when their cause does.
SEEN = frozenset({"orders_fetched", "webhooks_mended", "pixel_conflict", "foreign_return", "store_access_lost"})
_LINKS: Mapping[str, str] = {
    "store_keys_lost": "/owner/store",
    "store_access_lost": "/owner/store",
    "foreign_return": "/owner/store",
    "script_missing": "/owner/store",
    "webhooks_mended": "/owner/store",
    "orders_fetched": "/owner#compared",
}


@dataclass(frozen=True, slots=True)
class ShownNotice:
    """One notice as the page shows it. `answers` are words of `owner.notice`, each a button."""

    kind: str
    level: str
    words: Told
    details: str
    link: str
    answers: tuple[str, ...]


def shown_notices(translate: Translator, notices: Sequence[Notice], pixel_code: str) -> list[ShownNotice]:
    """Those of the overview, the worst first."""
    shown = [_shown(translate, one, pixel_code) for one in notices if one.kind not in _ELSEWHERE]
    return sorted(shown, key=lambda one: _WORST_FIRST.index(one.level))


def _shown(translate: Translator, notice: Notice, pixel_code: str) -> ShownNotice:
    fires_ours = notice.kind == "pixel_conflict" and bool(pixel_code) and pixel_code in notice.details
    told = "pixel_twice" if fires_ours else notice.kind
    answers = ("copy", "same_shop") if notice.kind == "other_address" else ("seen",) * (notice.kind in SEEN)
    return ShownNotice(
        kind=notice.kind,
        level=_LEVELS.get(told, "warn"),
        words=told_notice(translate, told, notice.details),
        details=notice.details,
        link=_LINKS.get(notice.kind, ""),
        answers=answers,
    )


def answer_notice(site: Site, request: Request, form: Form, session: Session) -> Response:
    """POST /owner/notices: what the owner says to one."""
    kind, answer = form.get("kind"), form.get("answer")
    services, installation = site.services, session.installation
    with services.storage.database.write() as connection:
        if kind not in {one.kind for one in open_notices(connection, installation.id)}:
            return see_other("/owner")
        if kind == "other_address" and answer in ("copy", "same_shop"):
            # The settings end the notice, unless it tells of another address by now.
            _decide(site, connection, session, form.get("host"), is_copy=answer == "copy")
        elif kind in SEEN and answer == "seen":
            resolve_notices(connection, installation.id, (kind,), services.now())
        else:
            return see_other("/owner")
    return see_other("/owner?done=" + answer)


def _decide(site: Site, connection: Connection, session: Session, host: str, *, is_copy: bool) -> None:
    settings = decided(session.installation, host, is_copy=is_copy)
    services, installation_id = site.services, session.installation.id
    if settings is None:
        return
    change_installation(connection, installation_id, services.now(), settings=settings)
    action = "leave_out_address" if is_copy else "accept_address"
    audit_in(connection, services.storage, actor(session), action, installation_id=installation_id, target=host[:200])


def decided(installation: InstallationRecord, host: str, *, is_copy: bool) -> InstallationSettings | None:
    """The settings once that address is called a copy, or the same shop. None for what is no host."""
    settings = installation.settings
    copies = [one for one in settings.copy_addresses if one != host]
    own = [one for one in settings.own_addresses if one != host]
    (copies if is_copy else own).append(host)
    values = settings.model_dump() | {"copy_addresses": tuple(copies), "own_addresses": tuple(own)}
    try:
        return InstallationSettings.model_validate(values)
    except ValidationError:
        return None
