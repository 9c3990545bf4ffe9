"""The lists: which columns, which filters, from which masked read model. Views of starlette-admin, read-only."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette_admin.views import BaseModelView

from connector.console.fields import (
    NOTHING,
    Column,
    IdColumn,
    LinkColumn,
    MomentColumn,
    NumberColumn,
    ReasonColumn,
    StateColumn,
    TextColumn,
    WordsColumn,
    escape,
)
from connector.core.states import EventState, WebhookState
from connector.storage.lists import ATTEMPTS, EVENTS, REFUSED, WEBHOOKS, ListOf

__all__ = ["AttemptList", "ConsoleList", "EventList", "RefusedList", "WebhookList", "list_views"]


_CELLS_AT_ONCE = 60  # each piece passes through four templates; more would keep intake waiting


class ConsoleList(BaseModelView):
    """A list over a read model. `choices` are filters with a menu, the others of `listed.equal` take text.

    Rows come from `storage.lists`, which pages by key: `find_all` and `count` of the base class, which page by
    offset and count everything, are never asked.
    """

    listed: ListOf
    fields: Sequence[Column]
    icon = ""
    choices: dict[str, Sequence[str]] = {}  # noqa: RUF012 - as the base class declares its own
    pointed: Sequence[str] = ()
    hidden: Sequence[str] = ()  # columns that are shown only when chosen
    pk_attr = "id"
    exporters: Sequence[Any] = ()
    importers: Sequence[Any] = ()

    def can_create(self, request: Request) -> bool:
        """Never."""
        return False

    def can_edit(self, request: Request) -> bool:
        """Never."""
        return False

    def can_delete(self, request: Request) -> bool:
        """Never."""
        return False

    async def _never(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("the lists are read-only and page by key")

    find_all = count = find_by_pk = find_by_pks = create = edit = delete = _never

    def shown_fields(self, columns: Sequence[str]) -> list[Column]:
        """The columns that were chosen, in the list's own order; without a choice all but the hidden ones."""
        if columns:
            return [field for field in self.fields if field.name in columns]
        return [field for field in self.fields if field.name not in self.hidden]

    def plain(self, row: Any, fields: Sequence[Column]) -> dict[str, Any]:
        """One row as plain values."""
        found: dict[str, Any] = {}
        for field in fields:
            value = getattr(row, field.name)
            found[field.name] = None if value in (None, "") else field.plain(value)
        return found

    def written(
        self, rows: Iterable[Any], fields: Sequence[Column], names: Sequence[str], word: Any
    ) -> Iterator[str]:
        """The rows as HTML; `names` are the columns' in the viewer's language, which a phone shows in each cell."""
        columns = [
            (field.name, field.plain, field.cell, f'<td data-label="{escape(name)}">')
            for field, name in zip(fields, names, strict=True)
        ]
        lines: list[str] = []
        for row in rows:
            lines.append("<tr>")
            for name, plain, cell, head in columns:
                value = getattr(row, name)
                shown = NOTHING if value is None or value == "" else cell(plain(value), row, word)
                lines.append(f"{head}{shown}</td>")
            lines.append("</tr>")
            if len(lines) > _CELLS_AT_ONCE:
                yield Markup("".join(lines))  # noqa: S704 - each cell escapes what it shows
                lines.clear()
        yield Markup("".join(lines))  # noqa: S704


def _installation() -> LinkColumn:
    return LinkColumn("installation_id", address=lambda row: f"/console/installations/{row.installation_id}")


def _order(row: Any) -> str | None:
    return f"/console/installations/{row.installation_id}/orders/{row.order_id}" if row.order_id else None


class WebhookList(ConsoleList):
    """What stores sent."""

    key = "webhooks"
    listed = WEBHOOKS
    icon = "fa-solid fa-inbox"
    fields = (
        LinkColumn("id", address=lambda row: f"/console/webhooks/{row.id}"),
        MomentColumn("received_at"),
        _installation(),
        TextColumn("topic"),
        StateColumn("state"),
        ReasonColumn("reason"),
        LinkColumn("order_id", address=_order),
        TextColumn("source"),
        MomentColumn("processed_at"),
    )
    choices = {"state": tuple(WebhookState), "source": ("store", "browser", "reconcile", "spool")}  # noqa: RUF012
    pointed = ("order_id", "event_id", "request_id")
    hidden = ("source", "processed_at")


class EventList(ConsoleList):
    """What was made of it."""

    key = "events"
    listed = EVENTS
    icon = "fa-solid fa-bolt"
    fields = (
        LinkColumn("id", address=lambda row: f"/console/events/{row.id}"),
        MomentColumn("created_at"),
        _installation(),
        LinkColumn("order_id", address=_order),
        TextColumn("name"),
        StateColumn("state"),
        ReasonColumn("reason"),
        NumberColumn("value"),
        TextColumn("currency"),
        WordsColumn("match_keys"),
        NumberColumn("attempts"),
        MomentColumn("delivered_at"),
        IdColumn("event_id"),
        LinkColumn("webhook_id", address=lambda row: f"/console/webhooks/{row.webhook_id}"),
        MomentColumn("event_time"),
        MomentColumn("next_attempt_at"),
        TextColumn("consent"),
        TextColumn("country"),
        TextColumn("warnings"),
    )
    choices = {"state": tuple(EventState)}  # noqa: RUF012
    pointed = ("order_id", "event_id", "request_id")
    hidden = (
        "match_keys", "delivered_at",
        "event_id", "webhook_id", "event_time", "next_attempt_at", "consent", "country", "warnings", "attempts",
    )  # fmt: skip


class AttemptList(ConsoleList):
    """Every call to TikTok and what it answered."""

    key = "attempts"
    listed = ATTEMPTS
    icon = "fa-solid fa-paper-plane"
    fields = (
        LinkColumn("id", address=lambda row: f"/console/attempts/{row.id}"),
        MomentColumn("started_at"),
        _installation(),
        StateColumn("result"),
        NumberColumn("code"),
        TextColumn("message"),
        ReasonColumn("reason"),
        NumberColumn("event_count"),
        NumberColumn("duration_ms"),
        NumberColumn("http_status"),
        IdColumn("request_id"),
        NumberColumn("is_test"),
    )
    choices = {"result": ("accepted", "rejected", "split", "retry", "throttled", "access_lost")}  # noqa: RUF012
    pointed = ("order_id", "event_id", "request_id")
    hidden = ("http_status", "is_test", "request_id")


class RefusedList(ConsoleList):
    """What was turned away at the door: a bounded sample, the newest stay."""

    key = "refused"
    listed = REFUSED
    icon = "fa-solid fa-ban"
    fields = (
        IdColumn("id"),
        MomentColumn("received_at"),
        TextColumn("installation_id"),
        NumberColumn("status"),
        ReasonColumn("reason"),
        TextColumn("topic"),
        NumberColumn("size"),
    )
    hidden = ("id",)


def list_views() -> tuple[ConsoleList, ...]:
    """Fresh ones: a view belongs to one admin."""
    return WebhookList(), EventList(), AttemptList(), RefusedList()
