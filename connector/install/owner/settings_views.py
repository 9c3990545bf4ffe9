"""The settings page and the owner's password."""

from starlette.requests import Request
from starlette.responses import Response

from connector.install.owner.sessions import Session, begin_session, end_all_sessions
from connector.install.owner.settings_form import (
    CHOICES,
    EVENTS,
    STATUSES,
    as_typed,
    custom_event_lines,
    extra_statuses,
    read_settings,
)
from connector.install.owner.showing import actor, show
from connector.install.passwords import MINIMUM_LENGTH, fits_password, has_password, set_password
from connector.install.setting_up import push_settings
from connector.install.site import Site, too_often
from connector.install.stores import known_store
from connector.pages.forms import Form
from connector.pages.rendering import see_other
from connector.storage.audit import audit_in
from connector.storage.installations import change_installation, find_installation

__all__ = ["change_password", "settings", "take_settings"]

_TRIES_PER_MINUTE = 5


def settings(site: Site, request: Request, form: Form, session: Session) -> Response:
    """GET /owner/settings."""
    return _show(site, request, session)


def _show(
    site: Site, request: Request, session: Session, *, problem: str = "", status: int = 200, typed: Form | None = None
) -> Response:
    """The form; `typed` is what somebody has just sent that cannot be taken."""
    kept = session.installation.settings
    present = kept if typed is None else as_typed(typed, kept)
    return show(
        site,
        request,
        session,
        "owner/settings.html",
        "settings",
        status=status,
        settings=present,
        choices=CHOICES,
        events=EVENTS,
        is_on=lambda name: name not in present.disabled_events,
        statuses=STATUSES,
        other_statuses=extra_statuses(present),
        custom_events=custom_event_lines(kept) if typed is None else typed.get("custom_events"),
        problem=problem,
        minimum=MINIMUM_LENGTH,
        has_password=has_password(site.services, session.installation.id),
        suggests_direct=_suggests_direct(site, session),
    )


def _suggests_direct(site: Site, session: Session) -> bool:
    with site.services.storage.database.read() as connection:
        known = known_store(connection, session.installation.id)
    return known is not None and known.suggests_direct_views


def take_settings(site: Site, request: Request, form: Form, session: Session) -> Response:
    """Keeps them and tells the plugin."""
    read = read_settings(form, session.installation.settings)
    if isinstance(read, str):
        return _show(site, request, session, problem=read, status=422, typed=form)
    services, installation_id = site.services, session.installation.id
    changed = [
        name
        for name in type(read).model_fields
        if getattr(read, name) != getattr(session.installation.settings, name)
    ]
    with services.storage.database.write() as connection:
        change_installation(connection, installation_id, services.now(), settings=read)
        audit_in(
            connection,
            services.storage,
            actor(session),
            "change_settings",
            installation_id=installation_id,
            target=", ".join(changed),
        )
        installation = find_installation(connection, installation_id)
        known = known_store(connection, installation_id)
    has_plugin = known is not None and known.plugin is not None
    told = installation is not None and (not has_plugin or push_settings(services, installation))
    return see_other("/owner/settings?done=" + ("saved" if told else "saved_untold"))


def change_password(site: Site, request: Request, form: Form, session: Session) -> Response:
    """The old one is asked for, unless there is none or the plugin's link has just let them in."""
    services, installation_id = site.services, session.installation.id
    if not site.allows("change password", installation_id, _TRIES_PER_MINUTE):
        return too_often(site, request)
    needs_old = session.came_by != "plugin" and has_password(services, installation_id)
    if needs_old and not fits_password(services, installation_id, form.get("old")):
        return _show(site, request, session, problem="old_password", status=403)
    if len(form.get("password")) < MINIMUM_LENGTH or form.get("password") != form.get("again"):
        return _show(site, request, session, problem="password", status=422)
    set_password(services, installation_id, form.get("password"))
    end_all_sessions(services, installation_id)
    response = see_other("/owner/settings?done=password_changed")
    begin_session(site, response, installation_id, came_by=session.came_by, user_name=session.user_name)
    return response
