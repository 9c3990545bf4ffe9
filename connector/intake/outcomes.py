"""The second half of processing: what a group of read webhooks changes, given what is known. No I/O.

Webhooks are worked through in the order of their arrival, and each sees what those before it did.
"""

from collections.abc import Iterable
from dataclasses import replace

from connector.core.mapping import Conversion, Filtered, Skip, withdraws
from connector.core.states import EventState, WebhookState
from connector.core.store_events import (
    ConsentChanged,
    ConsentStatement,
    ConsentStatus,
    Order,
    OrderDeleted,
    StoreError,
)
from connector.core.told_times import believable
from connector.intake.reading import ReadWebhook, consent_of, order_subject, told_order, withholds
from connector.intake.recording import Recording
from connector.storage.known import KnownEvent, LedgerEntry
from connector.storage.queue import NewWork

__all__ = ["Outcomes"]


class Outcomes(Recording):
    """Decides over one group. What is on its way this moment is looked at again a little later (`again`)."""

    def add_all(self, webhooks: Iterable[ReadWebhook]) -> None:
        """Work through a group in order."""
        for webhook in webhooks:
            self.add(webhook)

    def add(self, webhook: ReadWebhook) -> None:
        """Work out one webhook."""
        event = webhook.event
        if webhook.is_undecided:
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
        heard_at = webhook.stored.received_at
        modified, known = believable(order.modified_at, heard_at), believable(entry.modified_at, heard_at)
        if known and modified and modified < known:
            self._done(webhook, WebhookState.IGNORED, "older_than_known")
            return
        waiting = self.known.events.get(entry.event_row_id) if entry.event_row_id is not None else None
        if known == modified and _came_before(webhook, order, waiting):
            self._done(webhook, WebhookState.IGNORED, "older_than_known")
            return
        self._note_order_consent(webhook, order)
        if waiting is not None and waiting.state is not EventState.WITHDRAWN:
            reason = self._known_purchase(webhook, order, waiting)
        elif entry.event_row_id is not None and waiting is None:
            reason = "purchase_known"  # its row is gone by retention; the ledger remembers
        else:
            reason = self._purchase(webhook, order, entry, waiting)
        if reason is None:
            self.again.append(webhook)
            return
        entry.status, entry.modified_at, entry.changed = order.status, modified or known, True
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
        self._note_browser_copy(webhook, order.stamp.browser_sent, waiting)
        return "purchase_known"

    def _note_browser_copy(self, webhook: ReadWebhook, sent: bool | None, waiting: KnownEvent) -> None:
        """The thank-you page's word counts, either way; without it a copy may have become probable since."""
        mapped = webhook.mapped
        probable = isinstance(mapped, Conversion) and mapped.browser_copy
        copy = waiting.browser_copy or probable if sent is None else sent
        if copy is not waiting.browser_copy:
            waiting.browser_copy = copy
            if not waiting.is_new:
                self.written.event_changes.append({"id": waiting.id, "browser_copy": copy})

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
        mapped = webhook.mapped
        if withdrawn.is_new:
            return None
        if not isinstance(mapped, Conversion):
            return "purchase_withdrawn"
        same = replace(mapped.event, event_id=withdrawn.event_id, name=withdrawn.name)
        row = self._conversion_row(webhook, replace(mapped, event=same))
        if row["state"] is not EventState.PENDING:
            return "purchase_withdrawn"
        withdrawn.state, withdrawn.browser_copy = EventState.PENDING, row["browser_copy"]
        unchanged = ("event_id", "name", "order_id", "pixel_code", "visitor_subject", "order_subject")
        self.written.event_changes.append(
            {"id": withdrawn.id, "reason": "", "updated_at": self._now}
            | {name: value for name, value in row.items() if name not in unchanged}
        )
        self.written.work.append(NewWork(withdrawn.id, webhook.stored.installation.id, self._now))
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

    # Consent

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


def _came_before(webhook: ReadWebhook, order: Order, waiting: KnownEvent | None) -> bool:
    """Whether it says "not paid" and had come before the one that said "paid", by the spool or another receiver:
    a store's own times are seconds, too coarse to tell.
    """
    unpaid = withdraws(order, webhook.stored.installation.settings)
    return waiting is not None and unpaid and webhook.stored.id < waiting.webhook_id
