"""The live checklist of the overview: pure, from what is known to what the owner reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.install.checks import Check, is_too_old
from connector.install.receiver import remembered_answer
from connector.install.stores import KnownStore
from connector.install.subscriptions import Subscription
from connector.pages.times import written
from connector.storage.installations import InstallationRecord

__all__ = ["Known", "ScriptSeen", "checklist"]

_QUIET = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class ScriptSeen:
    """When the storefront was last looked at, and when it last carried the script."""

    seen_at: datetime | None
    checked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that the checklist judges."""

    installation: InstallationRecord
    store: KnownStore | None
    subscriptions: Sequence[Subscription]
    script: ScriptSeen | None
    last_webhook_at: datetime | None
    last_accepted_at: datetime | None
    now: datetime


def checklist(known: Known) -> list[Check]:
    """One line each, in the order in which they come true."""
    return [_store(known), _webhooks(known), _plugin(known), _script(known), _first_event(known), _tiktok(known)]


def _store(known: Known) -> Check:
    if known.installation.state == "paused":
        return Check("store", "warn", "paused")
    if known.store is None:
        return Check("store", "info", "by_hand")
    if not known.store.keys_work:
        return Check("store", "fail", "keys_lost")
    version = str(known.store.facts.get("woocommerce", ""))
    if is_too_old(version):
        return Check("store", "warn", "too_old", {"version": version})
    return Check("store", "ok", "ok", {"store": known.installation.store_name or known.installation.store_url})


def _webhooks(known: Known) -> Check:
    total = len(known.subscriptions)
    active = sum(one.status == "active" for one in known.subscriptions)
    values = {"active": active, "total": total}
    if total == 0:
        return Check("webhooks", "info" if known.store is None else "fail", "none", values)
    ping = remembered_answer(known.store.facts) if known.store is not None else None
    if ping is not None and not ping.is_right:
        return Check("webhooks", "fail", "unanswered", values)
    return Check("webhooks", "ok" if active == total else "fail", "ok" if active == total else "silent", values)


def _plugin(known: Known) -> Check:
    if known.store is None or known.store.plugin is None:
        return Check("plugin", "wait", "missing")
    return Check("plugin", "ok", "ok", {"version": known.store.plugin.get("plugin", "")})


def _script(known: Known) -> Check:
    script = known.script
    if script is None or script.checked_at is None:
        return Check("script", "wait", "not_looked")
    values = {"time": written(script.checked_at)}
    if script.seen_at == script.checked_at:
        return Check("script", "ok", "ok", values)
    return Check("script", "warn", "missing", values)


def _first_event(known: Known) -> Check:
    if known.last_webhook_at is None:
        return Check("first_event", "wait", "none")
    quiet = known.now - known.last_webhook_at > _QUIET
    return Check("first_event", "warn" if quiet else "ok", "quiet" if quiet else "ok")


def _tiktok(known: Known) -> Check:
    installation = known.installation
    if installation.access_reason == "not_connected" or not installation.pixel_code:
        return Check("tiktok", "wait", "not_connected")
    if installation.access == "lost":
        return Check("tiktok", "fail", "lost")
    if known.last_accepted_at is None:
        return Check("tiktok", "wait", "nothing_sent", {"pixel": installation.pixel_code})
    return Check("tiktok", "ok", "ok", {"pixel": installation.pixel_code})
