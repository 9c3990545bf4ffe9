"""The store's pages: webhooks, plugin, script, pausing and leaving."""

import secrets

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from connector.install.checks import conflicting_plugins
from connector.install.owner.sessions import Session
from connector.install.owner.showing import actor, show
from connector.install.receiver import look_at_receiver, remembered_answer, webhook_url
from connector.install.setting_up import pixel_script_url, set_up_store
from connector.install.site import Site, caller, too_often
from connector.install.storefronts import find_script
from connector.install.stores import KnownStore, known_store
from connector.install.subscriptions import (
    check_subscriptions,
    rotate_secret,
    subscriptions_of,
)
from connector.install.uninstalling import uninstall
from connector.pages.forms import Form
from connector.pages.rendering import see_other
from connector.storage.audit import audit_in
from connector.storage.installations import InstallationRecord, change_installation
from connector.storage.tables_install import ScriptTag

__all__ = ["ask_uninstall", "check", "pause", "plugin", "rotate", "store", "take_uninstall"]

_LOOKS_PER_MINUTE = 30
_LOOK_AGAIN = 6
_REFUSALS = ("unauthorised", "forbidden", "no_keys")
_script = ScriptTag.__table__  # type: ignore[attr-defined]


def store(site: Site, request: Request, form: Form, session: Session) -> Response:
    """GET /owner/store."""
    services, installation = site.services, session.installation
    with services.storage.database.read() as connection:
        known = known_store(connection, installation.id)
        subscriptions = subscriptions_of(connection, installation.id)
        script = connection.execute(select(_script).where(_script.c.installation_id == installation.id)).first()
    return show(
        site,
        request,
        session,
        "owner/store.html",
        "store",
        known=known,
        subscriptions=subscriptions,
        script=script,
        webhook_address=webhook_url(services, installation.id),
        ping=remembered_answer(known.facts) if known else None,
        snippet=_snippet(site, installation),
        conflicts=_conflicts(known),
    )


def _snippet(site: Site, installation: InstallationRecord) -> str:
    src = pixel_script_url(site.services, installation.public_id)
    return f'<script async src="{src}" data-public-id="{installation.public_id}"></script>'


def _conflicts(known: KnownStore | None) -> list[str]:
    """Who else fires a TikTok pixel: as our plugin tells it, else by the store's own list of active plugins."""
    if known is None:
        return []
    if known.plugin is None:
        return conflicting_plugins(known.facts.get("plugins", ()))
    found = known.plugin.get("conflicts")
    return [
        " ".join(filter(None, (str(one.get("name") or one.get("plugin") or ""), str(one.get("pixel_code") or ""))))
        for one in (found if isinstance(found, list) else [])
        if isinstance(one, dict)
    ]


def check(site: Site, request: Request, form: Form, session: Session) -> Response:
    """Look at webhooks, plugin and script now."""
    if not site.allows("check", session.installation.id, _LOOKS_PER_MINUTE):
        return too_often(site, request)
    looked = check_subscriptions(site.services, session.installation)
    set_up = set_up_store(site.services, session.installation)
    find_script(site.services, session.installation)
    fault = looked.fault or set_up.fault
    outcome = "checked" if not fault else "refused" if fault in _REFUSALS else "unchecked"
    return see_other("/owner/store?done=" + outcome)


def rotate(site: Site, request: Request, form: Form, session: Session) -> Response:
    """A new secret for the webhooks' signatures."""
    result = rotate_secret(site.services, session.installation, secrets.token_hex(32))
    with site.services.storage.database.write() as connection:
        audit_in(
            connection,
            site.services.storage,
            actor(session),
            "rotate_webhook_secret",
            installation_id=session.installation.id,
        )
    return see_other("/owner/store?done=" + ("rotated_in_part" if result.fault else "rotated"))


def plugin(site: Site, request: Request, form: Form, session: Session) -> Response:
    """GET /owner/plugin: where to get it and where to put it; looks again by itself until it answers."""
    installation, ping = session.installation, None
    known = _known(site, session)
    if known is not None and known.plugin is None:
        if not site.allows("plugin", caller(request), _LOOKS_PER_MINUTE):
            return too_often(site, request)
        ping = set_up_store(site.services, installation).ping
        known = _known(site, session)
    present = known.plugin if known else None
    if present is not None and ping is None:
        ping = look_at_receiver(site.services, installation.id)
    return show(
        site,
        request,
        session,
        "owner/plugin.html",
        "store",
        refresh=_LOOK_AGAIN if present is None and known is not None else None,
        present=present,
        by_hand=known is None,
        has_script=present is not None and find_script(site.services, installation),
        receiver_ok=ping is None or ping.is_right,
        snippet=_snippet(site, installation),
        conflicts=_conflicts(known),
    )


def _known(site: Site, session: Session) -> KnownStore | None:
    with site.services.storage.database.read() as connection:
        return known_store(connection, session.installation.id)


def pause(site: Site, request: Request, form: Form, session: Session) -> Response:
    """Stop or go on; webhooks are taken either way."""
    state = "paused" if form.get("to") == "paused" else "active"
    now = site.services.now()
    with site.services.storage.database.write() as connection:
        change_installation(connection, session.installation.id, now, state=state)
        audit_in(connection, site.services.storage, actor(session), state, installation_id=session.installation.id)
    return see_other("/owner/store?done=" + ("paused" if state == "paused" else "resumed"))


def ask_uninstall(site: Site, request: Request, form: Form, session: Session) -> Response:
    """GET /owner/uninstall: what goes and what stays."""
    return show(site, request, session, "owner/uninstall.html", "store", result=None, problem="")


def take_uninstall(site: Site, request: Request, form: Form, session: Session) -> Response:
    """POST: does it, and says what is left to do by hand."""
    if form.get("data") not in ("keep", "erase") or not form.has("sure"):
        return show(
            site, request, session, "owner/uninstall.html", "store", status=422, result=None, problem="choose"
        )
    erase = form.get("data") == "erase"
    result = uninstall(site.services, session.installation, erase=erase, actor=actor(session))
    return site.pages.show(request, "owner/uninstalled.html", result=result, installation=session.installation)
