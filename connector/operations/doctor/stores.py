"""Each installation: may it send, has it its secrets, and what waits for a person."""

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from connector.core.states import EventState
from connector.operations.doctor.check import Check, fine, warning, wrong
from connector.operations.installations import require_installation
from connector.storage.installations import InstallationRecord, all_installations
from connector.storage.notices import open_notices
from connector.storage.opening import Storage
from connector.storage.tables import Credential, Event
from connector.storage.tables_install import ScriptTag, WebhookSubscription

__all__ = ["one_installation", "troubled_installations"]

_credential = Credential.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_script_tag = ScriptTag.__table__  # type: ignore[attr-defined]
_subscription = WebhookSubscription.__table__  # type: ignore[attr-defined]

_NEEDED = {
    "access_token": "give it one: `connector installations reconnect ID --access-token-stdin`",
    "webhook_secret": "its webhooks are refused: connect the store again",
}


def one_installation(storage: Storage, installation_id: str) -> list[Check]:
    """Every check of one installation. Raises UsageError when there is none."""
    with storage.database.read() as connection:
        return list(_checks(connection, storage, require_installation(connection, installation_id)))


def troubled_installations(storage: Storage) -> list[Check]:
    """What is wrong or could be better, of all installations, after one line that counts them."""
    with storage.database.read() as connection:
        records = [record for record in all_installations(connection) if record.state != "removed"]
        found = [
            Check(f"{check.name} {record.id}", check.ok, check.text, check.remedy)
            for record in records
            for check in _checks(connection, storage, record)
            if check.remedy
        ]
    return [fine("installations", f"{len(records)} in all"), *found]


def _checks(connection: Connection, storage: Storage, record: InstallationRecord) -> Iterator[Check]:
    yield _state(record)
    if record.state == "removed":
        return
    yield _access(record)
    yield from _secrets(connection, storage, record)
    yield _subscriptions(connection, record)
    yield _script(connection, record)
    yield _notices(connection, record)
    yield _held(connection, record)


def _state(record: InstallationRecord) -> Check:
    if record.state == "paused":
        return warning("state", "paused: nothing is sent", "`connector installations resume` when it is time")
    return fine("state", record.state)


def _access(record: InstallationRecord) -> Check:
    if record.access != "ok":
        remedy = "get a new token: `connector installations reconnect ID --access-token-stdin`"
        return wrong("access", f"TikTok refuses its token or pixel: {record.access_reason}", remedy)
    return fine("access", f"TikTok has not refused pixel {record.pixel_code}")


def _secrets(connection: Connection, storage: Storage, record: InstallationRecord) -> Iterator[Check]:
    c = _credential.c
    live = c.expires_at.is_(None) | (c.expires_at > storage.now())
    found = set(connection.execute(select(c.kind).where(c.installation_id == record.id, live)).scalars())
    for kind, remedy in _NEEDED.items():
        if kind in found or record.state == "installing":
            yield fine(kind, "there" if kind in found else "comes with the installation")
        else:
            yield wrong(kind, "missing", remedy)


def _subscriptions(connection: Connection, record: InstallationRecord) -> Check:
    """As last seen; nothing is asked of the store here."""
    c = _subscription.c
    rows = connection.execute(select(c.topic, c.status).where(c.installation_id == record.id)).all()
    off = sorted(f"{topic} ({status})" for topic, status in rows if status != "active")
    if off:
        return wrong("store_webhooks", f"not active: {', '.join(off)}", "switch them on again in the store")
    return fine("store_webhooks", f"{len(rows)} active" if rows else "made by hand, not watched")


def _script(connection: Connection, record: InstallationRecord) -> Check:
    """As last seen on the storefront; nothing is fetched here."""
    c = _script_tag.c
    row = connection.execute(select(c.seen_at, c.checked_at).where(c.installation_id == record.id)).first()
    if row is None:
        return fine("pixel_script", "not registered with the store")
    if row.checked_at is None:
        return fine("pixel_script", "registered, not looked for yet")
    if row.seen_at is None or row.seen_at < row.checked_at:
        when = f"{row.checked_at:%Y-%m-%d %H:%M} UTC"
        return warning("pixel_script", f"not on the storefront at {when}", "see the owner's overview")
    return fine("pixel_script", f"on the storefront at {row.seen_at:%Y-%m-%d %H:%M} UTC")


def _notices(connection: Connection, record: InstallationRecord) -> Check:
    found = sorted(notice.kind for notice in open_notices(connection, record.id))
    if found:
        return warning("notices", ", ".join(found), "see `connector installations show ID`")
    return fine("notices", "none")


def _held(connection: Connection, record: InstallationRecord) -> Check:
    c = _event.c
    held = select(func.count()).where(c.installation_id == record.id, c.state == EventState.HELD)
    count = int(connection.execute(held).scalar_one())
    if count:
        return warning("held_events", f"{count} wait for a person", "decide on them in the console")
    return fine("held_events", "none")
