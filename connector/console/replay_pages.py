"""Replays: look first, then start with a reason; progress and cancel; decisions over held events."""

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connector.console.gate import safe_next, viewer_of
from connector.console.list_requests import moment, row_id
from connector.console.rendering import ConsolePages
from connector.console.services import ConsoleServices
from connector.core.states import EventState, WebhookState
from connector.errors import UsageError
from connector.operations.replay import (
    ReplaySelection,
    cancel_replay,
    decide_held,
    find_job,
    last_jobs,
    look,
    replay_webhook,
    run_replay_steps,
    start_replay,
)
from connector.operations.replay_cancelling import MOST_COUNTED
from connector.storage.journeys import store_names

__all__ = ["ReplayPages", "read_selection"]

_PLANNED = 20_000  # events that a page's dry run looks at; the count says when there are more
_AT_ONCE = 200  # so few are sent on while the person waits for the answer


class ReplayPages:
    """Handlers of everything that sends again."""

    def __init__(self, services: ConsoleServices, pages: ConsolePages) -> None:
        self._services = services
        self._pages = pages

    async def jobs(self, request: Request) -> Response:
        """The last replays."""
        jobs = await self._services.run(lambda: last_jobs(self._services.storage))
        return self._pages.show(request, "replays.html", jobs=jobs)

    async def new(self, request: Request) -> Response:
        """The filter, and the dry run once an installation is chosen. Changes nothing."""
        selection = read_selection(request.query_params)
        stores = await self._services.read(store_names)
        plan = None
        if selection.installation_id:
            plan = await self._services.run(lambda: look(self._services.storage, selection, _PLANNED))
        return self._pages.show(
            request,
            "replay_new.html",
            selection=selection,
            plan=plan,
            stores=stores,
            event_states=tuple(EventState),
            webhook_states=tuple(WebhookState),
        )

    async def start(self, request: Request) -> Response:
        """Start what was looked at."""
        form = await self._services.guard.read(request)
        selection = read_selection(QueryParams(list(form.values)))
        reason, actor, storage = form.get("reason"), viewer_of(request).email, self._services.storage

        def begin() -> int:
            plan = look(storage, selection, _PLANNED)
            job_id = start_replay(storage, selection, actor=actor, reason=reason, total=plan.total)
            if plan.total <= _AT_ONCE:
                run_replay_steps(storage)
            return job_id

        job_id = await self._services.run(begin)
        return RedirectResponse(f"/console/replays/{job_id}", 303)

    async def job(self, request: Request) -> Response:
        """Progress of one replay; the page looks again by itself while it runs."""
        job_id = int(request.path_params["id"])
        job = await self._services.run(lambda: find_job(self._services.storage, job_id))
        if job is None:
            return self._pages.fault(request, 404, "no_replay")
        return self._pages.show(request, "replay.html", job=job, most_counted=MOST_COUNTED)

    async def cancel(self, request: Request) -> Response:
        """Stop before the next step, and take back what has not left."""
        await self._services.guard.read(request)
        job_id, actor = int(request.path_params["id"]), viewer_of(request).email
        await self._services.run(lambda: cancel_replay(self._services.storage, job_id, actor=actor))
        return RedirectResponse(f"/console/replays/{job_id}", 303)

    async def webhook(self, request: Request) -> Response:
        """Have one webhook read anew."""
        form = await self._services.guard.read(request)
        webhook_id, actor, reason = int(request.path_params["id"]), viewer_of(request).email, form.get("reason")
        await self._services.run(
            lambda: replay_webhook(self._services.storage, webhook_id, actor=actor, reason=reason)
        )
        return RedirectResponse(f"/console/webhooks/{webhook_id}", 303)

    async def decide(self, request: Request) -> Response:
        """Send a held event, or let it go."""
        form = await self._services.guard.read(request)
        row_id, actor, choice = int(request.path_params["id"]), viewer_of(request).email, form.get("decision")
        if choice not in ("send", "let_go"):
            raise UsageError("the decision is to send or to let go")
        await self._services.run(
            lambda: decide_held(
                self._services.storage, row_id, send=choice == "send", actor=actor, reason=form.get("reason")
            )
        )
        return RedirectResponse(safe_next(form.get("next") or f"/console/events/{row_id}"), 303)


def read_selection(params: QueryParams) -> ReplaySelection:
    """A selection from a form or an address. Raises UsageError for an id that is no number."""
    state = params.get("state", "").strip()
    # A state tells what is meant when nothing else does: events and webhooks have no state in common.
    webhooks = params.get("of", "") == "webhooks" or (not params.get("of") and state in set(WebhookState))
    return ReplaySelection(
        installation_id=params.get("installation", "").strip()[:40],
        event_row_id=None if webhooks else _number(params.get("event", "")),
        webhook_id=_number(params.get("webhook", "")),
        since=moment(params.get("since", "").strip()),
        until=moment(params.get("until", "").strip()),
        state=state if state in set(WebhookState if webhooks else EventState) else "",
        order_id=params.get("order_id", "").strip()[:24],
        webhooks=webhooks,
        topic=params.get("topic", "").strip()[:100] if webhooks else "",
        reason=params.get("why", "").strip()[:80] if webhooks else "",
    )


def _number(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if (found := row_id(text)) is None:
        raise UsageError("an id is a number")
    return found
