"""What a group of webhooks changes, collected as rows: events, consent, terms, notices. No I/O."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import zstandard

from connector.core.mapping import Conversion, Filtered, MappingContext, purchase_identity, with_consent
from connector.core.plain_text import sha256_hex
from connector.core.states import EventState, Lane, WebhookState
from connector.core.store_events import (
    ConsentStatement,
    Order,
    OrderStamp,
)
from connector.intake.event_rows import EMPTY_ROW, filtered_row
from connector.intake.reading import ReadWebhook, consent_of, event_id_of, mapping_context, withholds
from connector.storage.known import Known, KnownEvent, LedgerEntry
from connector.storage.queue import NewWork
from connector.storage.search import search_terms
from connector.storage.written import Written
from connector.tiktok.payload import event_bytes, validate, without_user

__all__ = ["Recording"]

_compress = zstandard.ZstdCompressor(level=1).compress
_SMALLEST_COMPRESSED = 256


class Recording:
    """Knowledge of the group and the rows it writes; who decides is `outcomes`.

    `withdraw` says whether a waiting event was stopped before it left: False when it is on its way this moment.
    """

    def __init__(
        self,
        known: Known,
        *,
        now: datetime,
        hash_key: bytes,
        new_id: Callable[[], int],
        withdraw: Callable[[int], bool],
    ) -> None:
        self.known = known
        self.written = Written()
        self.again: list[ReadWebhook] = []
        self.notices: list[tuple[str, str, str]] = []
        self._now = now
        self._hash_key = hash_key
        self._new_id = new_id
        self._withdraw = withdraw

    def _entries(self, webhook: ReadWebhook, number: str | None) -> list[LedgerEntry]:
        """Ledger entries of an order number: more than one after a reset of the store."""
        mine = webhook.stored.installation.id
        return [e for e in self.known.ledger.values() if (e.installation_id, e.order_id) == (mine, number)]

    def _records(self, webhook: ReadWebhook) -> list[ConsentStatement]:
        subjects = (webhook.order_subject, webhook.visitor_subject)
        return [one for subject in subjects if subject for one in self.known.consents.get(subject, ())]

    def _record(self, webhook: ReadWebhook, subject: bytes | None, said: ConsentStatement) -> None:
        if subject is None or said in self.known.consents.get(subject, ()):
            return
        self.known.consents.setdefault(subject, []).append(said)
        self.written.consents.append(
            {
                "id": self._new_id(),
                "installation_id": webhook.stored.installation.id,
                "subject": subject,
                "status": said.status,
                "source": said.source[:40],
                "global_privacy_control": said.global_privacy_control,
                "stated_at": said.stated_at,
                "recorded_at": self._now,
                "webhook_id": webhook.stored.id,
            }
        )

    def _stop(self, waiting: KnownEvent, reason: str) -> bool:
        """Withdraw a waiting event, its identity removed. False when it is leaving this moment."""
        if waiting.is_new:
            return self._stop_new(waiting, reason)
        if waiting.state is EventState.PENDING and not self._withdraw(waiting.id):
            return False
        waiting.state = EventState.WITHDRAWN
        self.written.event_changes.append(
            {"id": waiting.id, "state": EventState.WITHDRAWN, "reason": reason, "updated_at": self._now}
            | {"payload": None, "match_keys": "", "next_attempt_at": None}
        )
        return True

    def _stop_new(self, waiting: KnownEvent, reason: str) -> bool:
        row = next(row for row in self.written.events if row["id"] == waiting.id)
        row.update(state=EventState.WITHDRAWN, reason=reason, payload=None, match_keys="")
        self.written.work = [work for work in self.written.work if work.id != waiting.id]
        waiting.state = EventState.WITHDRAWN
        return True

    def _add_event(self, webhook: ReadWebhook, mapped: Conversion | Filtered) -> int:
        installation = webhook.stored.installation
        if isinstance(webhook.event, Order) and (installation.id, event_id_of(mapped)) in self.known.event_ids:
            own = _own_purchase_id(webhook.event, mapping_context(installation, self._now))
            mapped = _under(own, mapped)
        row = filtered_row(mapped) if isinstance(mapped, Filtered) else self._conversion_row(webhook, mapped)
        row |= {
            "id": self._new_id(),
            "installation_id": installation.id,
            "webhook_id": webhook.stored.id,
            "event_time": row.get("event_time", webhook.stored.received_at),
            "test_event_code": installation.settings.live_test_event_code(webhook.stored.received_at),
            "consent_policy": installation.settings.consent_policy,
            "created_at": self._now,
            "updated_at": self._now,
        }
        self.written.events.append(EMPTY_ROW | row)
        self.known.event_ids.add((installation.id, row["event_id"]))
        self._remember(row)
        if row["state"] == EventState.PENDING:
            lane = Lane(webhook.stored.lane)
            self.written.work.append(NewWork(row["id"], installation.id, self._now, lane))
        return int(row["id"])

    def _remember(self, row: dict[str, Any]) -> None:
        self.known.events[row["id"]] = KnownEvent(
            row["id"], row["installation_id"], row["event_id"], row["name"], row["state"],
            row.get("visitor_subject"), row.get("order_subject"), row["consent_policy"], row.get("country"),
            row.get("browser_copy", False), 0, row["webhook_id"], is_new=True,
        )  # fmt: skip

    def _conversion_row(self, webhook: ReadWebhook, mapped: Conversion) -> dict[str, Any]:
        decision = consent_of(mapped.consent, self._records(webhook), webhook.stored.installation, mapped.country)
        event = with_consent(mapped, decision)
        row: dict[str, Any] = {
            "event_id": event.event_id,
            "name": event.name,
            "value": event.value,
            "currency": event.currency,
            "order_id": event.order_id,
            "event_time": event.event_time,
            "pixel_code": event.pixel_code,
            "warnings": ",".join(mapped.warnings)[:200],
            "consent": decision.reason,
            "country": mapped.country,
            "browser_copy": mapped.browser_copy,
        }
        payload, faults = event_bytes(event), validate(event)
        if withholds(decision):
            return row | {
                "state": EventState.WITHHELD,
                "reason": decision.reason,
                "payload": without_user(payload),
                "country": None,
            }
        if faults:
            # No time is in the future here, so at fault it is far in the past.
            too_old = faults == ("invalid_event_time",)
            state = EventState.DEAD if too_old else EventState.REJECTED
            reason = "too_old" if too_old else f"invalid:{faults[0]}"[:80]
            return row | {"state": state, "reason": reason, "payload": without_user(payload)}
        return row | {
            "state": EventState.PENDING,
            "payload": payload,
            "match_keys": ",".join(event.user.match_keys()),
            "visitor_subject": webhook.visitor_subject,
            "order_subject": webhook.order_subject,
            "next_attempt_at": self._now,
        }

    def _search_terms(self, webhook: ReadWebhook, order: Order) -> None:
        terms = search_terms(
            self._hash_key,
            webhook.stored.installation.id,
            email=order.buyer.email,
            phone=order.buyer.phone,
            order_number=order.number,
            ttclid=order.visit.ttclid,
            country=order.buyer.billing_country or order.buyer.shipping_country,
        )
        self.written.terms += [(found, webhook.stored.id) for found in terms]

    def _notice(self, webhook: ReadWebhook, kind: str, details: str) -> None:
        """Once for a group, however many of its webhooks say the same."""
        notice = (webhook.stored.installation.id, kind, details)
        if notice not in self.notices:
            self.notices.append(notice)

    def _done(self, webhook: ReadWebhook, state: WebhookState, reason: str, *, order_id: str | None = None) -> None:
        body, encoding = webhook.stored.body, "raw"
        if len(body) >= _SMALLEST_COMPRESSED:
            body, encoding = _compress(body), "zstd"
        if order_id is None and isinstance(webhook.event, Order):
            order_id = str(webhook.event.order_id)
        self.written.webhooks.append(
            {
                "id": webhook.stored.id,
                "state": state,
                "reason": reason[:80],
                "order_id": order_id,
                "processed_at": self._now,
                "body": body,
                "body_encoding": encoding,
            }
        )


def _own_purchase_id(order: Order, context: MappingContext) -> str:
    """For one of two orders that were stamped alike, by a copied order or a restored database: the computed id is
    unique. If a copy came first and took just that one, its hash is.
    """
    computed = purchase_identity(replace(order, stamp=OrderStamp()), context)[1]
    return computed if computed != order.stamp.event_id else sha256_hex(computed)


def _under(event_id: str, mapped: Conversion | Filtered) -> Conversion | Filtered:
    if isinstance(mapped, Filtered):
        return replace(mapped, event_id=event_id)
    return replace(mapped, event=replace(mapped.event, event_id=event_id))
