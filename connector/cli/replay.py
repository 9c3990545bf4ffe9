"""`connector replay`"""

from enum import StrEnum
from typing import Annotated, Any

import typer

from connector.cli.environment import command_settings, opened, read_time
from connector.cli.options import AsJson, InstallationOption
from connector.cli.output import note, progress, say, write_json
from connector.core.states import EventState, WebhookState
from connector.errors import ConnectorError, UsageError
from connector.operations.installations import ACTOR, require_installation
from connector.operations.replay import (
    JobProgress,
    ReplayPlan,
    ReplaySelection,
    find_job,
    look,
    run_replay_steps,
    start_replay,
)
from connector.operations.replay_rules import GOES, ReplayVerdict
from connector.storage.opening import Storage

_SENT = (*GOES, ReplayVerdict.MAKES_EVENT, ReplayVerdict.MAKES_LATE)
# Events and webhooks have no state in common.
_State = StrEnum("_State", {one.name: one.value for one in (*EventState, *WebhookState)})  # type: ignore[misc]
_WORDS = {
    ReplayVerdict.SENDS: "are sent",
    ReplayVerdict.SENT_AGAIN: "are sent again; TikTok merges them with what it has",
    ReplayVerdict.COUNTED_TWICE: "stay: TikTok has them and would count them twice by now",
    ReplayVerdict.WOULD_BE_HELD: "stay: the browser has probably sent them, too long ago to be merged",
    ReplayVerdict.TOO_OLD: "stay: seven days old and more",
    ReplayVerdict.WAITS: "stay: they wait already",
    ReplayVerdict.HELD: "stay: held, each needs a decision",
    ReplayVerdict.FINAL: "stay: withheld, filtered or withdrawn",
    ReplayVerdict.NOT_KEPT: "stay: what would be sent is no longer kept",
    ReplayVerdict.MAKES_EVENT: "are read again; a new event comes of each",
    ReplayVerdict.MAKES_LATE: "are read again; a new event comes of each, older than 48 hours",
    ReplayVerdict.MAKES_OLD: "are read again; their events are too old to be sent",
    ReplayVerdict.KNOWN: "are read again; their events are there, nothing is sent twice",
    ReplayVerdict.MAKES_NOTHING: "are read again; nothing to send comes of them by today's rules",
    ReplayVerdict.NOT_LOOKED_AT: "are read again; too many to look at each beforehand",
}


def replay(
    installation: InstallationOption,
    since: Annotated[
        str | None, typer.Option(metavar="T", help="Events made at T or later.", show_default=False)
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="T", help="Events made before T.", show_default=False)] = None,
    state: Annotated[
        _State | None,
        typer.Option(help="Only events in this state; with a webhook's state, webhooks.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send events again, in a lane of their own behind live orders. The event ids stay the same.

    With the state of a webhook (received, processed, ignored, unreadable) stored webhooks are read anew instead: of
    what was not understood or not mapped before, events come; what has its event gets no second one.

    \b
    Times are such as 2026-11-20 or 2026-11-20T18:00:00Z; UTC when no zone is given. Examples:
      connector replay --installation ID --since 2026-11-20 --dry-run
      connector replay --installation ID --state dead
      connector replay --installation ID --state unreadable --dry-run
    """
    settings = command_settings()
    begin, end = read_time(since, "--since"), read_time(until, "--until")
    if begin and end and end <= begin:
        raise UsageError("--until must be later than --since")
    selection = ReplaySelection(
        installation,
        since=begin,
        until=end,
        state=state.value if state else "",
        webhooks=state is not None and state.value in set(WebhookState),
    )
    with opened(settings) as storage:
        with storage.database.read() as connection:
            require_installation(connection, installation)
        plan = look(storage, selection)
        job = None if dry_run or not plan.goes else _run(storage, selection, plan)
    if as_json:
        write_json(_document(installation, dry_run, plan, job))
    else:
        _show(plan, job)


def _run(storage: Storage, selection: ReplaySelection, plan: ReplayPlan) -> JobProgress:
    job_id = start_replay(storage, selection, actor=ACTOR, reason="replay from the command line", total=plan.total)
    seen = 0
    with progress("Queueing webhooks" if selection.webhooks else "Queueing events", plan.total) as bar:
        while True:
            run_replay_steps(storage)
            job = find_job(storage, job_id)
            if job is None or job.state in ("cancelling", "cancelled", "failed"):
                raise ConnectorError(f"the replay was {job.state if job else 'removed'} before its end")
            bar.advance(job.replayed + job.skipped - seen)
            seen = job.replayed + job.skipped
            if job.state == "done":
                return job


def _document(installation: str, dry_run: bool, plan: ReplayPlan, job: JobProgress | None) -> dict[str, Any]:
    return {
        "installation_id": installation,
        "dry_run": dry_run,
        "total": plan.total,
        "would_send": sum(plan.verdicts.get(verdict, 0) for verdict in _SENT),
        "would_read": plan.goes if plan.going is not GOES else 0,
        "would_send_twice": plan.verdicts.get(ReplayVerdict.SENT_AGAIN, 0),
        "too_old": plan.verdicts.get(ReplayVerdict.TOO_OLD, 0),
        "replayed": job.replayed if job else 0,
        "skipped": job.skipped if job else plan.total - plan.goes,
        "verdicts": {verdict.value: count for verdict, count in sorted(plan.verdicts.items())},
        "changed": plan.changed,
        "complete": plan.complete,
    }


def _show(plan: ReplayPlan, job: JobProgress | None) -> None:
    for verdict, text in _WORDS.items():
        if count := plan.verdicts.get(verdict):
            say(f"{count:>8} {text}")
    if job is not None:
        what = "webhooks wait to be read" if job.selection.webhooks else "events wait to be sent"
        say(f"{job.replayed} {what} again")
    elif not plan.goes:
        note("Nothing to replay.")
    if not plan.complete:
        note("There are more than were counted here.")
