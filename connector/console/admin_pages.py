"""What admins do: staff, alert rules, the audit log."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connector.console.gate import viewer_of
from connector.console.list_requests import row_id
from connector.console.permissions import Role
from connector.console.rendering import ConsolePages
from connector.console.services import ConsoleServices
from connector.console.staff import add_staff, deactivate
from connector.core.identity import normal_email
from connector.errors import UsageError
from connector.operations.alerts import AlertKind, add_rule, all_rules, remove_rule
from connector.storage.audit import verify_chain
from connector.storage.journeys import store_names
from connector.storage.staff import all_staff
from connector.storage.tables_console import AuditEntry

__all__ = ["AdminPages"]

_AUDIT_PAGE = 100
_audit = AuditEntry.__table__  # type: ignore[attr-defined]


class AdminPages:
    """Handlers behind permissions of their own."""

    def __init__(self, services: ConsoleServices, pages: ConsolePages) -> None:
        self._services = services
        self._pages = pages

    async def audit(self, request: Request) -> Response:
        """The audit log, newest first."""
        before = row_id(request.query_params.get("before", ""))
        actor, action = request.query_params.get("actor", "").strip(), request.query_params.get("action", "").strip()
        entries = await self._services.read(lambda c: _entries(c, before, actor, action))
        checked = request.query_params.get("verify") == "1"
        fault = await self._services.run(lambda: verify_chain(self._services.storage)) if checked else None
        return self._pages.show(
            request,
            "audit.html",
            entries=entries,
            actor=actor,
            action=action,
            checked=checked,
            fault=fault,
            older=entries[-1].number if len(entries) == _AUDIT_PAGE else None,
        )

    async def audit_export(self, request: Request) -> Response:
        """The whole log as JSON lines, hashes included, so that it can be checked elsewhere."""
        rows = await self._services.read(lambda c: c.execute(select(_audit).order_by(_audit.c.number)).all())
        lines = [orjson.dumps({**row._mapping, "hash": bytes(row.hash).hex()}) for row in rows]
        headers = {"content-disposition": 'attachment; filename="audit.jsonl"'}
        return Response(b"\n".join(lines), media_type="application/x-ndjson", headers=headers)

    async def staff(self, request: Request) -> Response:
        """Who may sign in."""
        return self._pages.show(
            request, "staff.html", staff=await self._services.read(all_staff), roles=tuple(Role), added=False
        )

    async def add_staff(self, request: Request) -> Response:
        """Add somebody; without a password only single sign-on lets them in."""
        form = await self._services.guard.read(request)
        actor, password = viewer_of(request).email, form.get("password") or None
        if normal_email(form.get("email")) == actor:
            raise UsageError("somebody else has to change your own account")
        await self._services.run(
            lambda: add_staff(self._services.storage, form.get("email"), form.get("role"), password, actor)
        )
        return RedirectResponse("/console/staff", 303)

    async def remove_staff(self, request: Request) -> Response:
        """Turn an account off."""
        form = await self._services.guard.read(request)
        viewer, staff_id = viewer_of(request), int(request.path_params["id"])
        known = {one.id: one.email for one in await self._services.read(all_staff)}
        if staff_id == viewer.id or staff_id not in known:
            raise UsageError("somebody else has to change your own account")
        await self._services.run(
            lambda: deactivate(self._services.storage, staff_id, known[staff_id], viewer.email, form.get("reason"))
        )
        return RedirectResponse("/console/staff", 303)

    async def alerts(self, request: Request) -> Response:
        """The alert rules."""
        rules = await self._services.read(all_rules)
        stores = await self._services.read(store_names)
        return self._pages.show(
            request,
            "alerts.html",
            rules=rules,
            stores=stores,
            kinds=tuple(AlertKind),
            mail=bool(self._services.settings.smtp_host),
        )

    async def add_alert(self, request: Request) -> Response:
        """Add a rule."""
        form = await self._services.guard.read(request)
        threshold, actor = form.get("threshold") or "0", viewer_of(request).email
        if not threshold.isascii() or not threshold.isdigit():
            raise UsageError("a threshold is a whole number from 0 to 100000")
        await self._services.run(
            lambda: add_rule(
                self._services.storage,
                installation_id=form.get("installation")[:40],
                kind=form.get("kind"),
                threshold=int(threshold[:9]),
                channel=form.get("channel"),
                target=form.get("target")[:500],
                secret=form.get("secret")[:200],
                actor=actor,
            )
        )
        return RedirectResponse("/console/alerts", 303)

    async def remove_alert(self, request: Request) -> Response:
        """Remove a rule."""
        await self._services.guard.read(request)
        rule_id, actor = int(request.path_params["id"]), viewer_of(request).email
        await self._services.run(lambda: remove_rule(self._services.storage, rule_id, actor=actor))
        return RedirectResponse("/console/alerts", 303)


def _entries(connection: Connection, before: int | None, actor: str, action: str) -> Sequence[Any]:
    c = _audit.c
    statement = select(_audit).order_by(c.number.desc()).limit(_AUDIT_PAGE)
    if before is not None:
        statement = statement.where(c.number < before)
    if actor:
        statement = statement.where(c.actor == actor)
    if action:
        statement = statement.where(c.action == action)
    return connection.execute(statement).all()
