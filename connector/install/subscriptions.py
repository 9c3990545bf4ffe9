"""Our webhooks at the store: created, compared, revived, signed with a new secret, removed. Never another app's.

A webhook is ours when its address is the installation's own, or when it is one that we made earlier. A revived
webhook is switched off again by one more failure (WooCommerce 9.9.5, recorded), so nothing is revived before our
own receiver answers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from connector.install.receiver import look_at_receiver, webhook_url
from connector.install.services import Services, tell_owner
from connector.install.store_client import StoreClient
from connector.install.store_turns import StoreTurn, store_turn
from connector.install.stores import known_store, open_store, remember_lost_keys
from connector.platforms.woocommerce.rest import StoreFault
from connector.platforms.woocommerce.store_api import (
    COMPANION_TOPICS,
    ORDER_TOPICS,
    PAGE_SIZE,
    RemoteWebhook,
    create_webhook,
    delete_webhook,
    list_webhooks,
    read_done,
    read_webhook,
    read_webhooks,
    update_webhook,
)
from connector.storage.installations import InstallationRecord, open_credentials, replace_credential
from connector.storage.notices import resolve_notices
from connector.storage.tables import Credential
from connector.storage.tables_install import WebhookSubscription

__all__ = [
    "Subscription",
    "SubscriptionCheck",
    "check_subscriptions",
    "reconcile_subscriptions",
    "remove_subscriptions",
    "rotate_secret",
    "subscriptions_of",
]

NAME = "Pixel Connector"
SECRET_OVERLAP = timedelta(days=2)  # a delivery waits in the store's queue for hours at most
_MOST_PAGES = 20
_table = WebhookSubscription.__table__  # type: ignore[attr-defined]
_credential = Credential.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Subscription:
    """One webhook of ours, as last seen."""

    topic: str
    remote_id: int
    delivery_url: str
    status: str
    secret_id: int
    healthy_at: datetime | None
    revived_at: datetime | None
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionCheck:
    """What a look at the store's webhooks found and did; topics in each list.

    `gap_since` is when the first silent one was last seen healthy: orders changed since then are to be fetched.
    `fault` is the kind of the fault that ended the look ("busy": another one had the turn), else empty.
    """

    created: tuple[str, ...] = ()
    revived: tuple[str, ...] = ()
    readdressed: tuple[str, ...] = ()
    removed_twins: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()  # silent, but our own receiver is not healthy
    gap_since: datetime | None = None
    fault: str = ""

    @property
    def mended(self) -> tuple[str, ...]:
        """Topics that were silent and are not any more."""
        return (*self.created, *self.revived, *self.readdressed)


@dataclass(slots=True)
class _Work:
    """One look, while it goes on."""

    services: Services
    client: StoreClient
    installation: InstallationRecord
    url: str
    secret: str
    secret_id: int
    known: dict[str, Subscription]
    found: dict[str, list[RemoteWebhook]]
    seen: list[Subscription] = field(default_factory=list)
    done: dict[str, list[str]] = field(default_factory=dict)
    fault: str = ""


def subscriptions_of(connection: Connection, installation_id: str) -> list[Subscription]:
    """What we know of them without asking the store."""
    rows = connection.execute(
        select(_table).where(_table.c.installation_id == installation_id).order_by(_table.c.topic)
    )
    names = Subscription.__slots__
    return [Subscription(**{name: getattr(row, name) for name in names}) for row in rows]


def reconcile_subscriptions(
    services: Services, installation: InstallationRecord, *, companion: bool
) -> SubscriptionCheck:
    """Create what is missing and mend what differs, at installing; the receiver is taken to be healthy."""
    return _look(services, installation, _topics(companion), healthy=True)


def check_subscriptions(services: Services, installation: InstallationRecord) -> SubscriptionCheck:
    """The watchdog: find webhooks that went silent, revive them once we are healthy, tell the owner.

    The caller starts a backfill from `gap_since`. Calls the store; takes seconds. A store without keys, added by
    command, looks after its webhooks itself.
    """
    with services.storage.database.read() as connection:
        if known_store(connection, installation.id) is None:
            return SubscriptionCheck(fault="no_keys")
        known = subscriptions_of(connection, installation.id)
    topics = _topics(any(one.topic in COMPANION_TOPICS for one in known))
    check = _look(services, installation, topics, healthy=look_at_receiver(services, installation.id).is_right)
    _tell(services, installation, check)
    return check


def remove_subscriptions(services: Services, installation: InstallationRecord, client: StoreClient) -> bool:
    """Delete ours at the store; nobody makes them anew before the keys are gone. False when one could not be."""
    with store_turn(services, installation.id, for_good=True) as turn:
        return turn is not None and _remove(services, installation, client, turn)


def _remove(services: Services, installation: InstallationRecord, client: StoreClient, turn: StoreTurn) -> bool:
    found = _all_webhooks(client, turn)
    if isinstance(found, StoreFault):
        return False
    with services.storage.database.read() as connection:
        known = {one.remote_id for one in subscriptions_of(connection, installation.id)}
    url = webhook_url(services, installation.id)
    ours = [one for one in found if one.delivery_url == url or (one.remote_id in known and one.name == NAME)]
    answers = [turn.renew() and client.ask(delete_webhook(one.remote_id), read_done) for one in ours]
    with services.storage.database.write() as connection:
        connection.execute(delete(_table).where(_table.c.installation_id == installation.id))
    return all(answer is True for answer in answers)


def rotate_secret(services: Services, installation: InstallationRecord, secret: str) -> SubscriptionCheck:
    """A new signing secret; the old one stays good for two days, for what waits in the store's queue."""
    with services.storage.database.write() as connection:
        replace_credential(
            connection,
            services.storage.keys,
            row_id=services.storage.new_id(),
            installation_id=installation.id,
            kind="webhook_secret",
            text=secret,
            now=services.now(),
            overlap=SECRET_OVERLAP,
        )
        known = subscriptions_of(connection, installation.id)
    topics = _topics(any(one.topic in COMPANION_TOPICS for one in known))
    return _look(services, installation, topics, healthy=True)


def _topics(companion: bool) -> tuple[str, ...]:
    return (*ORDER_TOPICS, *COMPANION_TOPICS) if companion else ORDER_TOPICS


def _look(
    services: Services, installation: InstallationRecord, topics: Sequence[str], *, healthy: bool
) -> SubscriptionCheck:
    with store_turn(services, installation.id) as turn:
        if turn is None:
            return SubscriptionCheck(fault="busy")
        client = open_store(services, installation)
        if client is None:
            return SubscriptionCheck(fault="no_keys")
        found = _all_webhooks(client, turn)
        if isinstance(found, StoreFault):
            _remember_fault(services, installation, found)
            return SubscriptionCheck(fault=found.kind)
        work = _work(services, client, installation, found)
        if _mend_all(work, topics, healthy, turn):
            _remember(work)
        return _result(work)


def _mend_all(work: _Work, topics: Sequence[str], healthy: bool, turn: StoreTurn) -> bool:
    """False when we stood still for longer than a lease: another one looks after them and remembers."""
    for topic in topics:
        if not turn.renew():
            work.fault = "busy"
            return False
        _mend(work, topic, healthy)
    return True


def _work(
    services: Services, client: StoreClient, installation: InstallationRecord, found: Iterable[RemoteWebhook]
) -> _Work:
    with services.storage.database.read() as connection:
        known = {one.topic: one for one in subscriptions_of(connection, installation.id)}
        secret = open_credentials(
            connection, services.storage.keys, installation.id, "webhook_secret", services.now()
        )[0]
        mine = (_credential.c.installation_id == installation.id, _credential.c.kind == "webhook_secret")
        secret_id = connection.execute(
            select(_credential.c.id).where(*mine).order_by(_credential.c.id.desc()).limit(1)
        ).scalar_one()
    url, ours = webhook_url(services, installation.id), {one.remote_id for one in known.values()}
    by_topic: dict[str, list[RemoteWebhook]] = {}
    for one in found:
        if one.delivery_url == url or one.remote_id in ours:
            by_topic.setdefault(one.topic, []).append(one)
    return _Work(services, client, installation, url, secret, secret_id, known, by_topic)


def _all_webhooks(client: StoreClient, turn: StoreTurn) -> list[RemoteWebhook] | StoreFault:
    found: list[RemoteWebhook] = []
    for page in range(1, _MOST_PAGES + 1):
        turn.renew()
        some = client.ask(list_webhooks(page), read_webhooks)
        if isinstance(some, StoreFault):
            return some
        found += some
        if len(some) < PAGE_SIZE:
            break
    return found


def _mend(work: _Work, topic: str, healthy: bool) -> None:
    """One topic: exactly one active webhook with our address and our newest secret."""
    twins = sorted(work.found.get(topic, []), key=lambda one: (one.status == "active", one.delivery_url == work.url))
    if not twins:
        _create(work, topic)
        return
    kept, known = twins[-1], work.known.get(topic)
    for twin in twins[:-1]:
        if work.client.ask(delete_webhook(twin.remote_id), read_done) is True:
            work.done.setdefault("removed_twins", []).append(topic)
    changes: dict[str, str] = {}
    if kept.delivery_url != work.url:
        changes["delivery_url"] = work.url
    if kept.status != "active":
        changes["status"] = "active"
    if known is None or known.remote_id != kept.remote_id or known.secret_id != work.secret_id:
        changes["secret"] = work.secret
    if "status" in changes and not healthy:
        work.done.setdefault("waiting", []).append(topic)
        _see(work, topic, kept, known.secret_id if known else 0)
    elif changes:
        _change(work, topic, kept, changes)
    else:
        _see(work, topic, kept, work.secret_id)


def _create(work: _Work, topic: str) -> None:
    call = create_webhook(topic=topic, delivery_url=work.url, secret=work.secret, name=NAME)
    made = work.client.ask(call, read_webhook)
    if isinstance(made, StoreFault):
        work.fault = work.fault or made.kind
        return
    work.done.setdefault("created", []).append(topic)
    _see(work, topic, made, work.secret_id)


def _change(work: _Work, topic: str, kept: RemoteWebhook, changes: dict[str, str]) -> None:
    changed = work.client.ask(update_webhook(kept.remote_id, **changes), read_webhook)
    if isinstance(changed, StoreFault):
        work.fault = work.fault or changed.kind
        known = work.known.get(topic)
        _see(work, topic, kept, known.secret_id if known else 0)
        return
    for name, field_name in (("revived", "status"), ("readdressed", "delivery_url")):
        if field_name in changes:
            work.done.setdefault(name, []).append(topic)
    _see(work, topic, changed, work.secret_id)


def _see(work: _Work, topic: str, remote: RemoteWebhook, secret_id: int) -> None:
    now, known = work.services.now(), work.known.get(topic)
    is_healthy = remote.status == "active" and remote.delivery_url == work.url
    was_mended = topic in work.done.get("revived", ())
    work.seen.append(
        Subscription(
            topic=topic,
            remote_id=remote.remote_id,
            delivery_url=remote.delivery_url,
            status=remote.status,
            secret_id=secret_id,
            healthy_at=now if is_healthy else known.healthy_at if known else None,
            revived_at=now if was_mended else known.revived_at if known else None,
            checked_at=now,
        )
    )


def _remember(work: _Work) -> None:
    """Write what was seen; a topic of ours that is gone at the store is kept as missing."""
    seen = {one.topic for one in work.seen}
    mine = _table.c.installation_id == work.installation.id
    rows = [
        {"installation_id": work.installation.id, **{name: getattr(one, name) for name in Subscription.__slots__}}
        for one in work.seen
    ]
    with work.services.storage.database.write() as connection:
        connection.execute(delete(_table).where(mine, _table.c.topic.in_(seen)))
        if rows:
            connection.execute(insert(_table), rows)
        gone = _table.update().where(mine, _table.c.topic.not_in(seen))
        connection.execute(gone.values(status="missing", checked_at=work.services.now()))


def _result(work: _Work) -> SubscriptionCheck:
    lists = {name: tuple(topics) for name, topics in work.done.items()}
    silent = {topic for name in ("created", "revived", "readdressed") for topic in lists.get(name, ())}
    since = [work.known[topic].healthy_at for topic in silent if topic in work.known]
    return SubscriptionCheck(**lists, gap_since=min((one for one in since if one), default=None), fault=work.fault)


def _remember_fault(services: Services, installation: InstallationRecord, fault: StoreFault) -> None:
    if fault.kind not in ("unauthorised", "forbidden"):
        return
    with services.storage.database.write() as connection:
        remember_lost_keys(connection, installation.id, services.now())
        tell_owner(services, connection, installation.id, "store_keys_lost")


def _tell(services: Services, installation: InstallationRecord, check: SubscriptionCheck) -> None:
    with services.storage.database.write() as connection:
        if check.mended:
            tell_owner(services, connection, installation.id, "webhooks_mended", ", ".join(check.mended))
        if check.waiting:
            tell_owner(services, connection, installation.id, "receiver_unhealthy", ", ".join(check.waiting))
        elif not check.fault:
            resolve_notices(connection, installation.id, ("receiver_unhealthy", "store_keys_lost"), services.now())
