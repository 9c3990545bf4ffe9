"""The overview: is everything in order, what was counted, what went wrong and what to do."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import Response

from connector.install.explaining import told_missing, told_reason, told_state
from connector.install.owner.charting import amounts, charts, day_names, short_amounts, whole_numbers
from connector.install.owner.checklist import Known, ScriptSeen, checklist
from connector.install.owner.comparing import compared
from connector.install.owner.figures import figures
from connector.install.owner.notices import shown_notices
from connector.install.owner.sessions import Session
from connector.install.owner.showing import show
from connector.install.site import Site
from connector.install.stores import known_store, open_store
from connector.install.subscriptions import subscriptions_of
from connector.pages.forms import Form
from connector.pages.rendering import see_other
from connector.pages.times import written
from connector.pages.translating import Translator
from connector.storage.notices import open_notices
from connector.storage.reconciling import add_run
from connector.storage.tables_install import ScriptTag

__all__ = ["compare_now", "overview"]

_SPANS = (7, 14, 30)
_COMPARED_DAYS = 7  # TikTok takes nothing older
_script = ScriptTag.__table__  # type: ignore[attr-defined]


def overview(site: Site, request: Request, form: Form, session: Session) -> Response:
    """GET /owner."""
    asked = request.query_params.get("days", "")
    days = int(asked) if asked in map(str, _SPANS) else 14
    installation, now = session.installation, site.services.now()
    with site.services.storage.database.read() as connection:
        found = figures(connection, installation.id, now, days)
        known = Known(
            installation=installation,
            store=known_store(connection, installation.id),
            subscriptions=subscriptions_of(connection, installation.id),
            script=_script_seen(connection, installation.id),
            last_webhook_at=found.last_webhook_at,
            last_accepted_at=found.last_accepted_at,
            now=now,
        )
        notices = open_notices(connection, installation.id)
        orders = compared(connection, installation.id, now)
    translate = site.pages.translator(request)
    return show(
        site,
        request,
        session,
        "owner/overview.html",
        "overview",
        checks=checklist(known),
        figures=found,
        days=days,
        spans=_SPANS,
        charts=charts(translate, found),
        whole=whole_numbers(translate),
        amount=amounts(translate),
        short_amount=short_amounts(translate),
        day_name=day_names(translate),
        notices=shown_notices(translate, notices, installation.pixel_code),
        compared=orders,
        missing=[(one, told_missing(translate, one.state, one.reason)) for one in orders.missing],
        problems=[(one, told_state(translate, one.state, one.reason)) for one in found.problems],
        lost=_lost(translate, session),
        suggests_direct=(
            known.store is not None and known.store.suggests_direct_views and not installation.settings.views_direct
        ),
        test_until=_test_until(session, now),
        now=now,
    )


def compare_now(site: Site, request: Request, form: Form, session: Session) -> Response:
    """POST /owner/compare: ask for a comparison of the last days; the periodic tasks do it in a moment."""
    services, installation, now = site.services, session.installation, site.services.now()
    if open_store(services, installation) is None:
        return see_other("/owner?done=no_keys")
    with services.storage.database.write() as connection:
        if not compared(connection, installation.id, now).waits:
            add_run(
                connection,
                row_id=services.storage.new_id(),
                installation_id=installation.id,
                reason="asked",
                since=now - timedelta(days=_COMPARED_DAYS),
                now=now,
            )
    return see_other("/owner?done=comparing#compared")


def _script_seen(connection: Connection, installation_id: str) -> ScriptSeen | None:
    mine = _script.c.installation_id == installation_id
    row = connection.execute(select(_script.c.seen_at, _script.c.checked_at).where(mine)).first()
    return ScriptSeen(row.seen_at, row.checked_at) if row is not None else None


def _lost(translate: Translator, session: Session) -> object:
    installation = session.installation
    if installation.access != "lost" or installation.access_reason == "not_connected":
        return None
    return told_reason(translate, installation.access_reason)


def _test_until(session: Session, now: datetime) -> str | None:
    settings = session.installation.settings
    if settings.live_test_event_code(now) is None:
        return None
    expires = settings.test_event_code_expires_at
    return written(expires) if expires else ""
