"""The second half of processing: what a group of read webhooks changes, given what is known. No I/O.

Webhooks are worked through in the order of their arrival, and each sees what those before it did.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import zstandard

from connector.core.mapping import Conversion, Filtered, Skip, purchase_identity, with_consent, withdraws
from connector.core.states import EventState, Lane, WebhookState
from connector.core.store_events import (
    ConsentChanged,
    ConsentStatement,
    ConsentStatus,
    Order,
    OrderDeleted,
    OrderStamp,
    StoreError,
)
from connector.intake.event_rows import EMPTY_ROW, filtered_row
from connector.intake.reading import ReadWebhook, consent_of, mapping_context, order_subject, told_order, withholds
from connector.storage.known import Known, KnownEvent, LedgerEntry
from connector.storage.queue import NewWork
from connector.storage.search import search_terms
from connector.storage.written import Written
from connector.tiktok.payload import event_bytes, validate, without_user

__all__ = ["Outcomes"]

_compress = zstandard.ZstdCompressor(level=1).compress
_SMALLEST_COMPRESSED = 256


class Outcomes:
    """Collects the changes of one group. `withdraw` says whether a waiting event was stopped before it left:
    False when it is on its way this moment, and then the webhook is looked at again a little later.
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

    def add_all(self, webhooks: Iterable[ReadWebhook]) -> None:
        """Work through a group in order."""
        for webhook in webhooks:
            self.add(webhook)

    def add(self, webhook: ReadWebhook) -> None:
        """Work out one webhook."""
        event = webhook.event
        if webhook.elsewhere and not webhook.left_out:
            self._notice(webhook, "other_address", webhook.stored.source_host)
        if event is None:
            self._done(webhook, WebhookState.UNREADABLE, webhook.unreadable)
        elif webhook.left_out:
            self._plain(webhook)
        elif isinstance(event, Order):
            self._order(webhook, event)
        elif isinstance(event, OrderDeleted):
            self._deleted(webhook)
        elif isinstance(event, ConsentChanged):
            self._consent_changed(webhook, event)
        else:
            self._plain(webhook)

    # Orders

    def _order(self, webhook: ReadWebhook, order: Order) -> None:
        entry = self._entry(webhook, order)
        if entry.modified_at and order.modified_at and order.modified_at < entry.modified_at:
            self._done(webhook, WebhookState.IGNORED, "older_than_known")
            return
        self._note_order_consent(webhook, order)
        waiting = self.known.events.get(entry.event_row_id) if entry.event_row_id is not None else None
        if waiting is not None and waiting.state is not EventState.WITHDRAWN:
            reason = self._known_purchase(webhook, order, waiting)
        elif entry.event_row_id is not None and waiting is None:
            reason = "purchase_known"  # its row is gone by retention; the ledger remembers
        else:
            reason = self._purchase(webhook, order, entry, waiting)
        if reason is None:
            self.again.append(webhook)
            return
        entry.status, entry.modified_at, entry.changed = order.status, order.modified_at, True
        self._search_terms(webhook, order)
        mapped = webhook.mapped
        ignored = isinstance(mapped, Skip) and reason == mapped.reason
        self._done(webhook, WebhookState.IGNORED if ignored else WebhookState.PROCESSED, reason)

    def _entry(self, webhook: ReadWebhook, order: Order) -> LedgerEntry:
        assert webhook.order_digest is not None
        entry = self.known.ledger.get(webhook.order_digest)
        if entry is None:
            entry = LedgerEntry(webhook.order_digest, webhook.stored.installation.id, str(order.order_id))
            self.known.ledger[webhook.order_digest] = entry
        return entry

    def _known_purchase(self, webhook: ReadWebhook, order: Order, waiting: KnownEvent) -> str | None:
        """The order already has its one purchase. None: it is being sent this moment, look again."""
        if waiting.state not in (EventState.PENDING, EventState.HELD):
            return "purchase_known"
        if withdraws(order, webhook.stored.installation.settings):
            return "purchase_withdrawn" if self._stop(waiting, f"order_{order.status}"[:80]) else None
        decision = consent_of(order.consent, self._records(webhook), webhook.stored.installation, waiting.country)
        if withholds(decision):
            return "purchase_withdrawn" if self._stop(waiting, "consent_withdrawn") else None
        if order.stamp.browser_sent and not waiting.browser_copy:
            waiting.browser_copy = True
            if not waiting.is_new:
                self.written.event_changes.append({"id": waiting.id, "browser_copy": True})
        return "purchase_known"

    def _purchase(
        self, webhook: ReadWebhook, order: Order, entry: LedgerEntry, withdrawn: KnownEvent | None
    ) -> str | None:
        mapped = webhook.mapped
        if isinstance(mapped, Skip):
            return mapped.reason
        if withdrawn is not None:
            return self._reinstate(webhook, withdrawn)
        assert isinstance(mapped, Conversion | Filtered)
        entry.event_row_id = self._add_event(webhook, mapped)
        return ""

    def _reinstate(self, webhook: ReadWebhook, withdrawn: KnownEvent) -> str | None:
        """Paid after all: nothing had left, so the same event goes on its way. None: its row is not written yet."""
        conversion = webhook.mapped
        if withdrawn.is_new:
            return None
        if not isinstance(conversion, Conversion):
            return "purchase_withdrawn"
        installation = webhook.stored.installation
        decision = consent_of(conversion.consent, self._records(webhook), installation, conversion.country)
        if withholds(decision):
            return "purchase_withdrawn"
        withdrawn.state = EventState.PENDING
        payload = event_bytes(with_consent(conversion, decision))
        self.written.event_changes.append(
            {"id": withdrawn.id, "state": EventState.PENDING, "reason": "", "payload": payload}
            | {"consent": decision.reason, "updated_at": self._now}
        )
        self.written.work.append(NewWork(withdrawn.id, installation.id, self._now))
        return "purchase_reinstated"

    def _deleted(self, webhook: ReadWebhook) -> None:
        number, reason = told_order(webhook.event), "order_deleted"
        for entry in self._entries(webhook, number):
            waiting = self.known.events.get(entry.event_row_id or 0)
            if waiting is None or waiting.state not in (EventState.PENDING, EventState.HELD):
                continue
            if not self._stop(waiting, "order_deleted"):
                self.again.append(webhook)
                return
            reason = "purchase_withdrawn"
        state = WebhookState.IGNORED if reason == "order_deleted" else WebhookState.PROCESSED
        self._done(webhook, state, reason, order_id=number)

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

    # Consent

    def _records(self, webhook: ReadWebhook) -> list[ConsentStatement]:
        subjects = (webhook.order_subject, webhook.visitor_subject)
        return [one for subject in subjects if subject for one in self.known.consents.get(subject, ())]

    def _note_order_consent(self, webhook: ReadWebhook, order: Order) -> None:
        said = order.consent
        if said.status is ConsentStatus.UNKNOWN and not said.global_privacy_control:
            return
        self._record(webhook, webhook.order_subject, said)
        if said.status is not ConsentStatus.UNKNOWN and webhook.visitor_subject:
            self._record(webhook, webhook.visitor_subject, said)
            if said.status is ConsentStatus.DENIED:
                self._withdraw_visitors_events(webhook)

    def _consent_changed(self, webhook: ReadWebhook, changed: ConsentChanged) -> None:
        """Counts for the visitor, and for the order when it was told on the thank-you page."""
        self._record(webhook, webhook.visitor_subject, changed.consent)
        stopped = self._withdraw_visitors_events(webhook)
        for entry in self._entries(webhook, told_order(changed)):
            self._record(webhook, order_subject(self._hash_key, entry.digest), changed.consent)
            waiting = self.known.events.get(entry.event_row_id or 0)
            stopped += waiting is not None and self._stop_denied(webhook, waiting)
        self._done(
            webhook,
            WebhookState.PROCESSED,
            "events_withdrawn" if stopped else "consent_recorded",
            order_id=told_order(changed),
        )

    def _entries(self, webhook: ReadWebhook, number: str | None) -> list[LedgerEntry]:
        """Ledger entries of an order number: more than one after a reset of the store."""
        mine = webhook.stored.installation.id
        return [e for e in self.known.ledger.values() if (e.installation_id, e.order_id) == (mine, number)]

    def _withdraw_visitors_events(self, webhook: ReadWebhook) -> int:
        """Stop what the latest word no longer allows. What is leaving this moment is checked there again."""
        subject = webhook.visitor_subject
        waiting = [one for one in self.known.events.values() if subject and one.visitor_subject == subject]
        return sum(self._stop_denied(webhook, one) for one in waiting)

    def _stop_denied(self, webhook: ReadWebhook, waiting: KnownEvent) -> bool:
        if waiting.state not in (EventState.PENDING, EventState.HELD):
            return False
        subjects = (waiting.visitor_subject, waiting.order_subject)
        records = [one for subject in subjects if subject for one in self.known.consents.get(subject, ())]
        if not any(one.status is ConsentStatus.DENIED for one in records):
            return False
        decision = consent_of(ConsentStatement(), records, webhook.stored.installation, waiting.country)
        return withholds(decision) and self._stop(waiting, "consent_withdrawn")

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

    # Everything else

    def _plain(self, webhook: ReadWebhook) -> None:
        mapped = webhook.mapped
        if isinstance(mapped, Skip):
            if isinstance(webhook.event, StoreError):
                self._store_error(webhook, webhook.event)
            self._done(webhook, WebhookState.IGNORED, mapped.reason)
            return
        assert isinstance(mapped, Conversion | Filtered)
        event_id = mapped.event.event_id if isinstance(mapped, Conversion) else mapped.event_id
        if (webhook.stored.installation.id, event_id) in self.known.event_ids:
            self._done(webhook, WebhookState.PROCESSED, "event_known")
            return
        self._add_event(webhook, mapped)
        self._done(webhook, WebhookState.PROCESSED, "")

    def _store_error(self, webhook: ReadWebhook, error: StoreError) -> None:
        if error.code.endswith("cannot_view"):
            self._notice(webhook, "store_access_lost", error.code[:80])

    def _notice(self, webhook: ReadWebhook, kind: str, details: str) -> None:
        """Once for a group, however many of its webhooks say the same."""
        notice = (webhook.stored.installation.id, kind, details)
        if notice not in self.notices:
            self.notices.append(notice)

    def _add_event(self, webhook: ReadWebhook, mapped: Conversion | Filtered) -> int:
        row = filtered_row(mapped) if isinstance(mapped, Filtered) else self._conversion_row(webhook, mapped)
        installation = webhook.stored.installation
        if (installation.id, row["event_id"]) in self.known.event_ids and isinstance(webhook.event, Order):
            # Two orders were stamped alike, by a copied order or a restored database: the computed id is unique.
            unstamped = _without_stamp(webhook.event)
            row["event_id"] = purchase_identity(unstamped, mapping_context(installation, self._now))[1]
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
            row["id"], row["installation_id"], row["state"], row.get("visitor_subject"), row.get("order_subject"),
            row["consent_policy"], row.get("country"), row.get("browser_copy", False), 0, is_new=True,
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
            reason = f"invalid:{faults[0]}"[:80]
            return row | {"state": EventState.REJECTED, "reason": reason, "payload": without_user(payload)}
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


def _without_stamp(order: Order) -> Order:
    return replace(order, stamp=OrderStamp())
