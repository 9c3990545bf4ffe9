"""`connector replay`"""

from typing import Annotated, Any

import typer

from connector.cli.environment import command_settings, opened, read_time
from connector.cli.options import AsJson, InstallationOption
from connector.cli.output import note, progress, say, write_json
from connector.core.states import EventState
from connector.errors import ConnectorError
from connector.operations.installations import ACTOR
from connector.operations.replay import (
    JobProgress,
    ReplayPlan,
    ReplaySelection,
    find_job,
    plan_replay,
    run_replay_steps,
    start_replay,
)
from connector.operations.replay_rules import ReplayVerdict
from connector.storage.opening import Storage

_WORDS = {
    ReplayVerdict.SENDS: "are sent",
    ReplayVerdict.SENT_AGAIN: "are sent again; TikTok merges them with what it has",
    ReplayVerdict.COUNTED_TWICE: "stay: TikTok has them and would count them twice by now",
    ReplayVerdict.WOULD_BE_HELD: "stay: the browser has probably sent them, too long ago to be merged",
    ReplayVerdict.TOO_OLD: "stay: seven days old and more",
    ReplayVerdict.WAITS: "stay: they wait to be sent already",
    ReplayVerdict.HELD: "stay: held, each needs a decision",
    ReplayVerdict.FINAL: "stay: withheld, filtered or withdrawn",
    ReplayVerdict.NOT_KEPT: "stay: what would be sent is no longer kept",
}


def replay(
    installation: InstallationOption,
    since: Annotated[
        str | None, typer.Option(metavar="T", help="Events made at T or later.", show_default=False)
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="T", help="Events made before T.", show_default=False)] = None,
    state: Annotated[EventState | None, typer.Option(help="Only events in this state.", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send events again, in a lane of their own behind live orders. The event ids stay the same.

    \b
    Times are such as 2026-11-20 or 2026-11-20T18:00:00Z; UTC when no zone is given. Examples:
      connector replay --installation ID --since 2026-11-20 --dry-run
      connector replay --installation ID --state dead
    """
    settings = command_settings()
    selection = ReplaySelection(
        installation,
        since=read_time(since, "--since"),
        until=read_time(until, "--until"),
        state=state.value if state else "",
    )
    with opened(settings) as storage:
        plan = plan_replay(storage, selection)
        job = None if dry_run or not plan.goes else _run(storage, selection, plan)
    if as_json:
        write_json(_document(installation, dry_run, plan, job))
    else:
        _show(plan, job, dry_run)


def _run(storage: Storage, selection: ReplaySelection, plan: ReplayPlan) -> JobProgress:
    job_id = start_replay(storage, selection, actor=ACTOR, reason="replay from the command line", total=plan.total)
    seen = 0
    with progress("Queueing events", plan.total) as bar:
        while True:
            run_replay_steps(storage)
            job = find_job(storage, job_id)
            if job is None or job.state in ("cancelled", "failed"):
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
        "would_send": plan.goes,
        "would_send_twice": plan.verdicts.get(ReplayVerdict.SENT_AGAIN, 0),
        "too_old": plan.verdicts.get(ReplayVerdict.TOO_OLD, 0),
        "replayed": job.replayed if job else 0,
        "skipped": job.skipped if job else plan.total - plan.goes,
        "verdicts": {verdict.value: count for verdict, count in sorted(plan.verdicts.items())},
        "changed": plan.changed,
        "complete": plan.complete,
    }


def _show(plan: ReplayPlan, job: JobProgress | None, dry_run: bool) -> None:
    for verdict, text in _WORDS.items():
        if count := plan.verdicts.get(verdict):
            say(f"{count:>8} {text}")
    if job is not None:
        say(f"{job.replayed} events wait to be sent again")
    elif not dry_run:
        note("Nothing to replay.")
    if not plan.complete:
        note("There are more events than were counted here.")
