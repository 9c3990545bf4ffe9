"""Which events a replay names, and the dry run over them: reads only."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from connector.core.row_ids import id_at
from connector.errors import UsageError
from connector.operations.replay_rules import GOES, ReplayVerdict, changed_fields, remapped, verdict_of
from connector.storage.installations import InstallationRecord, find_installation
from connector.storage.journeys import events_of_webhook, find_webhook, stored_body
from connector.storage.opening import Storage
from connector.storage.tables import Event, Webhook

__all__ = [
    "PLAN_LIMIT",
    "STEP",
    "ReplayPlan",
    "ReplaySelection",
    "plan_replay",
    "selected_events",
    "selected_installation",
    "todays_payloads",
]

STEP = 200  # events at a time
PLAN_LIMIT = 100_000
_MAPPED_SAMPLE = 200

_event = Event.__table__  # type: ignore[attr-defined]
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_COLUMNS = "id webhook_id event_id state reason name event_time browser_copy payload updated_at".split()
_JUDGED = [_event.c[name] for name in _COLUMNS]


@dataclass(frozen=True, slots=True)
class ReplaySelection:
    """Which events of one installation: one by its row id, those of one webhook, or by time, state and order.

    With `webhooks` it names stored webhooks instead, to be read anew; `topic` and `reason` are theirs.
    """

    installation_id: str
    event_row_id: int | None = None
    webhook_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    state: str = ""
    order_id: str = ""
    webhooks: bool = False
    topic: str = ""
    reason: str = ""

    def as_json(self) -> str:
        """For the job's row; empty conditions left out."""
        values = {name: value for name, value in asdict(self).items() if value not in (None, "", False)}
        return json.dumps(values, default=lambda moment: moment.isoformat())

    @staticmethod
    def from_json(text: str) -> "ReplaySelection":
        """As `as_json` wrote it."""
        values = json.loads(text)
        for name in ("since", "until"):
            if name in values:
                values[name] = datetime.fromisoformat(values[name])
        return ReplaySelection(**values)


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What a replay would do now. `changed` counts fields that today's mapping changes, among `compared` events.

    `complete` is False when there are more than `PLAN_LIMIT` events; the counts are of the first then.
    """

    verdicts: dict[ReplayVerdict, int]
    compared: int = 0
    changed_events: int = 0
    changed: dict[str, int] = field(default_factory=dict)
    complete: bool = True
    going: frozenset[ReplayVerdict] = GOES

    @property
    def total(self) -> int:
        """All that the selection names."""
        return sum(self.verdicts.values())

    @property
    def goes(self) -> int:
        """How many would be sent, or read anew."""
        return sum(count for verdict, count in self.verdicts.items() if verdict in self.going)


def plan_replay(storage: Storage, selection: ReplaySelection, limit: int = PLAN_LIMIT) -> ReplayPlan:
    """The dry run: reads only. Raises UsageError for an unknown installation."""
    now, verdicts, compared = storage.now(), Counter[ReplayVerdict](), 0
    changed_events, changed, complete, seen = 0, Counter[str](), True, 0
    with storage.database.read() as connection:
        installation = selected_installation(connection, selection)
        for rows in selected_events(connection, selection):
            judged = [(row, verdict_of(row, now)) for row in rows]
            verdicts.update(verdict for _, verdict in judged)
            going = [row for row, verdict in judged if verdict in GOES][: _MAPPED_SAMPLE - compared]
            compared += len(going)
            for row, new in todays_payloads(connection, installation, going):
                if fields := changed_fields(row.payload, new) if new is not None else ():
                    changed_events += 1
                    changed.update(fields)
            seen += len(rows)
            if seen >= limit:
                complete = len(rows) < STEP
                break
    return ReplayPlan(dict(verdicts), compared, changed_events, dict(changed), complete)


def selected_installation(connection: Connection, selection: ReplaySelection) -> InstallationRecord:
    """The selection's installation. Raises UsageError when there is none."""
    found = find_installation(connection, selection.installation_id)
    if found is None:
        raise UsageError("there is no such installation")
    return found


def selected_events(
    connection: Connection, selection: ReplaySelection, after: int = 0
) -> Iterator[Sequence[Row[Any]]]:
    """The selected events by id, `STEP` at a time."""
    conditions = _conditions(connection, selection)
    while True:
        statement = select(*_JUDGED).where(*conditions, _event.c.id > after).order_by(_event.c.id).limit(STEP)
        rows = connection.execute(statement).all()
        if rows:
            yield rows
        if len(rows) < STEP:
            return
        after = rows[-1].id


def _conditions(connection: Connection, selection: ReplaySelection) -> list[Any]:
    c = _event.c
    found: list[Any] = [c.installation_id == selection.installation_id]
    if selection.event_row_id is not None:
        found.append(c.id == selection.event_row_id)
    if selection.webhook_id is not None:
        webhook = find_webhook(connection, selection.webhook_id)
        found.append(c.id.in_([row.id for row in events_of_webhook(connection, webhook)] if webhook else []))
    if selection.since is not None:
        found.append(c.id >= id_at(int(selection.since.timestamp() * 1000)))
    if selection.until is not None:
        found.append(c.id < id_at(int(selection.until.timestamp() * 1000)))
    if selection.state:
        found.append(c.state == selection.state)
    if selection.order_id:
        found.append(c.order_id == selection.order_id)
    return found


def todays_payloads(
    connection: Connection, installation: InstallationRecord, rows: Sequence[Row[Any]]
) -> Iterator[tuple[Row[Any], bytes | None]]:
    """Each event with the payload that today's mapping makes of its webhook, None where it makes none."""
    if not rows:
        return
    c = _webhook.c
    ids = {row.webhook_id for row in rows}
    columns = (c.id, c.topic, c.received_at, c.body, c.body_encoding)
    webhooks = {row.id: row for row in connection.execute(select(*columns).where(c.id.in_(ids)))}
    for row in rows:
        webhook = webhooks.get(row.webhook_id)
        body = stored_body(webhook.body, webhook.body_encoding) if webhook is not None else None
        if webhook is None or body is None:
            yield row, None
        else:
            yield row, remapped(installation, webhook.topic, webhook.received_at, body, row.event_id, row.payload)
