"""Alert rules: when somebody is told, and how. A rule fires when a state begins and when it is over, not between."""

import asyncio
import base64
import hmac
import json
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, delete, insert, select, update

from connector.core.http_values import OutgoingRequest
from connector.core.identity import normal_email
from connector.errors import ConnectorError, SendFailed, UsageError
from connector.logs import log
from connector.operations.rollups import totals
from connector.operations.trouble import Health, health_of_all
from connector.outbound import Outbound
from connector.settings import Settings
from connector.storage.audit import audit_in
from connector.storage.opening import Storage
from connector.storage.sealed import alert_place
from connector.storage.tables_console import AlertRule

__all__ = ["Alarm", "AlertKind", "add_rule", "all_rules", "evaluate_alerts", "is_alarm", "remove_rule"]

_STANDARD_SECRET = "whsec_"  # noqa: S105 - how such a text begins
_RATE_WINDOW = timedelta(hours=2)
_rule = AlertRule.__table__  # type: ignore[attr-defined]


class AlertKind(StrEnum):
    """What a rule watches; the threshold's unit stands behind."""

    SILENCE = "silence"  # hours without a webhook
    ACCESS_LOST = "access_lost"  # no threshold
    REJECTION_RATE = "rejection_rate"  # per cent of what TikTok answered for in two hours
    BACKLOG_AGE = "backlog_age"  # minutes that the oldest event waits


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is told: one rule, one installation, begun or over. It holds nobody's data."""

    kind: str
    threshold: int
    installation_id: str
    store: str
    began: bool
    at: datetime

    def as_json(self) -> bytes:
        """The body of an outgoing webhook."""
        values = {
            "type": "alert.began" if self.began else "alert.over",
            "kind": self.kind,
            "threshold": self.threshold,
            "installation_id": self.installation_id,
            "store": self.store,
            "at": self.at.isoformat(),
        }
        return json.dumps(values).encode()


def add_rule(
    storage: Storage,
    *,
    installation_id: str,
    kind: str,
    threshold: int,
    channel: str,
    target: str,
    secret: str,
    actor: str,
) -> int:
    """Write a rule. Raises UsageError for a kind, a channel or a target that cannot be."""
    _check(kind, threshold, channel, target)
    if channel == "webhook":
        _check_secret(secret)
    rule_id = storage.new_id()
    values = {
        "id": rule_id,
        "installation_id": installation_id,
        "kind": kind,
        "threshold": threshold,
        "channel": channel,
        "target": target,
        "secret": storage.keys.seal(secret, alert_place(rule_id)) if secret else None,
        "created_by": actor,
        "created_at": storage.now(),
        "enabled": True,
        "firing": "[]",
        "last_result": "",
    }
    with storage.database.write() as connection:
        connection.execute(insert(_rule), values)
        details = {"kind": kind, "threshold": threshold, "channel": channel}
        audit_in(connection, storage, actor, "manage_alerts", installation_id=installation_id, details=details)
    return rule_id


def remove_rule(storage: Storage, rule_id: int, *, actor: str) -> None:
    """Forget a rule."""
    with storage.database.write() as connection:
        connection.execute(delete(_rule).where(_rule.c.id == rule_id))
        audit_in(connection, storage, actor, "manage_alerts", target=str(rule_id), details={"removed": True})


def all_rules(connection: Connection) -> Sequence[Row[Any]]:
    """Every rule, oldest first."""
    return connection.execute(select(_rule).order_by(_rule.c.id)).all()


def is_alarm(kind: str, threshold: int, health: Health, now: datetime) -> bool:
    """Whether a rule of that kind holds for an installation now. Pure."""
    if kind == AlertKind.SILENCE:
        since = health.last_webhook_at or health.installation.created_at
        return health.installation.state == "active" and now - since > timedelta(hours=threshold)
    if kind == AlertKind.ACCESS_LOST:
        return health.installation.access != "ok"
    if kind == AlertKind.REJECTION_RATE:
        return health.rejected_share is not None and health.rejected_share * 100 > threshold
    return health.backlog_age(now) > timedelta(minutes=threshold)


async def evaluate_alerts(storage: Storage, settings: Settings, outbound: Outbound) -> int:
    """Look at every rule once and tell what has begun or is over. Returns how many alarms were told.

    Never raises for a channel that fails: the rule keeps why, and the alarm is told at the next look.
    """
    now = storage.now()
    with storage.database.read() as connection:
        rules = [row for row in all_rules(connection) if row.enabled]
        if not rules:
            return 0
        counts = totals(connection, now - _RATE_WINDOW, now, ("accepted", "rejected"))
        healths = health_of_all(connection, counts, now)
    told = 0
    for rule in rules:
        told += await _evaluate(storage, settings, outbound, rule, healths, now)
    return told


async def _evaluate(
    storage: Storage, settings: Settings, outbound: Outbound, rule: Row[Any], healths: Sequence[Health], now: datetime
) -> int:
    watched = {h.installation.id: h for h in healths if rule.installation_id in ("", h.installation.id)}
    before = set(json.loads(rule.firing))
    after = {name for name, health in watched.items() if is_alarm(rule.kind, rule.threshold, health, now)}
    told, failure = 0, ""
    for name in sorted((after - before) | (before - after)):
        health = watched.get(name)
        store = (health.installation.store_name or health.installation.store_url) if health else name
        alarm = Alarm(rule.kind, rule.threshold, name, store, name in after, now)
        try:
            await _tell(storage, settings, outbound, rule, alarm)
            told += 1
        except (ConnectorError, OSError, smtplib.SMTPException) as error:
            failure = (
                f"{type(error).__name__}: {error}"[:200]
                if isinstance(error, ConnectorError)
                else type(error).__name__
            )
            after = (after - {name}) | (before & {name})
            log.warning("alert_not_told", rule_id=rule.id, error=type(error).__name__)
    if told or failure:
        values: dict[str, Any] = {"firing": json.dumps(sorted(after)), "last_result": failure or "told"}
        if told:
            values["last_fired_at"] = now
        with storage.database.write() as connection:
            connection.execute(update(_rule).where(_rule.c.id == rule.id).values(values))
    return told


async def _tell(storage: Storage, settings: Settings, outbound: Outbound, rule: Row[Any], alarm: Alarm) -> None:
    if rule.channel == "email":
        await asyncio.to_thread(send_mail, settings, rule.target, alarm)
        return
    secret = storage.keys.open(rule.secret, alert_place(rule.id)) if rule.secret else ""
    reply = await outbound.send(_signed_call(rule, alarm, secret), timeout_seconds=10)
    if not 200 <= reply.status < 300:
        raise SendFailed(f"status {reply.status}")


def _signed_call(rule: Row[Any], alarm: Alarm, secret: str) -> OutgoingRequest:
    """Signed as Standard Webhooks say (standardwebhooks.com), so that their libraries check it."""
    body, stamp = alarm.as_json(), str(int(alarm.at.timestamp()))
    # Receivers pass over an id that they know: no two alarms of one moment may share one.
    word = "began" if alarm.began else "over"
    message_id = f"alert_{rule.id}_{alarm.installation_id}_{word}_{stamp}"
    signed = hmac.digest(_key_of(secret), f"{message_id}.{stamp}.".encode() + body, "sha256")
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
    return OutgoingRequest("POST", rule.target, headers, body)


def _key_of(secret: str) -> bytes:
    """The standard's own form is base64 behind a word; any other text is the key as it stands."""
    if not secret.startswith(_STANDARD_SECRET):
        return secret.encode()
    return base64.b64decode(secret.removeprefix(_STANDARD_SECRET), validate=True)


def send_mail(settings: Settings, target: str, alarm: Alarm) -> None:
    """By the operator's mail server. Raises SendFailed when none is set, else what smtplib raises."""
    if not settings.smtp_host:
        raise SendFailed("CONNECTOR_SMTP_HOST is not set")
    message = EmailMessage()
    message["From"] = settings.smtp_from or f"connector@{settings.smtp_host}"
    message["To"] = target
    word = "Alarm" if alarm.began else "Over"
    message["Subject"] = f"[{word}] {alarm.kind}: {_one_line(alarm.store)}"
    message.set_content(
        f"{word}: {alarm.kind} (threshold {alarm.threshold})\nStore: {_one_line(alarm.store)}\n"
        f"Installation: {alarm.installation_id}\nAt: {alarm.at.isoformat()}\n"
        f"{settings.own_url}/console/installations/{alarm.installation_id}\n"
    )
    with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=10) as server:
        if settings.smtp_user:
            server.starttls(context=ssl.create_default_context())
            server.login(
                settings.smtp_user, settings.smtp_password.get_secret_value() if settings.smtp_password else ""
            )
        server.send_message(message)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:120]


def _check_secret(secret: str) -> None:
    try:
        usable = bool(_key_of(secret))
    except ValueError:
        usable = False
    if not usable:
        raise UsageError("an outgoing webhook needs a secret to be signed with")


def _check(kind: str, threshold: int, channel: str, target: str) -> None:
    if kind not in set(AlertKind):
        raise UsageError("there is no such kind of alert")
    if not 0 <= threshold <= 100_000:
        raise UsageError("a threshold is a whole number from 0 to 100000")
    if channel == "email":
        if normal_email(target) is None:
            raise UsageError("the target is not an e-mail address")
    elif channel == "webhook":
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise UsageError("the target is not a web address")
    else:
        raise UsageError("the channel is email or webhook")
