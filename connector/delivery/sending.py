"""Sends one claim: call, read the answer, write what came of it, and so on until nothing of it is left.

No transaction is open during a call. Everything written is fenced by the claim's lease; a call whose answer nobody
saw is made again under the same event ids, which TikTok merges.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from connector import failpoints
from connector.core.http_values import OutgoingRequest
from connector.core.results import AccessLost, DeliveryResult, RetryLater, Split, Throttled
from connector.core.retries import next_wait, throttle_wait
from connector.core.states import EventState, Lane
from connector.delivery.batches import EventBatch
from connector.delivery.claiming import Claim
from connector.delivery.leases import Leases
from connector.delivery.pacing import Pacing
from connector.delivery.result_writes import InThread, Outcome, ResultWrites
from connector.delivery.results import RESULT_WORDS, Plan, plan, reason_of
from connector.errors import AddressRefused, CredentialUnreadable, SendFailed
from connector.logs import log
from connector.outbound import Outbound
from connector.storage.deliveries import (
    AttemptRecord,
    PendingEvent,
    Settlement,
    lose_access,
    record_attempts,
    settle,
    times_answered_alone,
)
from connector.storage.installations import open_credentials
from connector.storage.opening import Storage
from connector.tiktok.payload import batch_request
from connector.tiktok.replies import ReadReply, read_reply
from connector.tracing import TracedCall, Traces

__all__ = ["Call", "Sending"]

# Bases until trouble of this kind is usually over, where no time is named: a daily quota, tried each half hour;
# maintenance, each ten minutes.
_USUAL_BASES = {"app_quota_day": 360, "maintenance": 120}
_FAILED_CALLS = 3  # after so many a claim rests: TikTok itself is ill, not one event
_STAYING_LANES = frozenset({Lane.REPLAY, Lane.RECONCILE})  # a failed replay must not crowd the retries of live orders
# Answers without a word of TikTok itself: whatever stands between is at fault, for all installations alike.
_NO_ANSWER = frozenset({"gateway_error", "garbage_answer"})


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was made, what it brought, and the row that keeps it."""

    batch: EventBatch
    reply: ReadReply
    record: AttemptRecord

    @property
    def result(self) -> DeliveryResult:
        """The answer's meaning."""
        return self.reply.result


class Sending:
    """Sends claims; one per worker. `in_thread` runs a function beside the event loop."""

    def __init__(
        self,
        storage: Storage,
        outbound: Outbound,
        leases: Leases,
        pacing: Pacing,
        *,
        api_url: str,
        retry_base: float,
        timeout_seconds: float,
        random: Callable[[], float],
        in_thread: InThread,
        results: ResultWrites,
        traces: Traces | None = None,
    ) -> None:
        self._storage = storage
        self._outbound = outbound
        self._leases = leases
        self._pacing = pacing
        self._api_url = api_url
        self._base = retry_base
        self._timeout = timeout_seconds
        self._random = random
        self._in_thread = in_thread
        self._results = results
        self._traces = traces

    async def send(self, claim: Claim) -> int:
        """Send all of a claim. Returns how many of its events were in a call."""
        waiting = list(reversed(claim.batches))
        sent: set[int] = set()
        failed = 0
        while waiting:
            batch = await self._still_ours(claim, waiting.pop(), renew=bool(sent))
            if not batch.events:
                continue
            call = await self._call(claim, batch)
            sent.update(batch.row_ids)
            failed += isinstance(call.result, RetryLater)
            following = await self._follow(claim, call, may_go_on=failed < _FAILED_CALLS)
            if following is None:
                break
            waiting.extend(reversed(following))
        return len(sent)

    async def _still_ours(self, claim: Claim, batch: EventBatch, *, renew: bool) -> EventBatch:
        """Before every call but the first the lease is asked again: an event may have been withdrawn since. When it
        has run out the rest is given back, to be claimed and judged anew.
        """
        if self._leases.has_run_out(claim.token):
            await self._in_thread(self._leases.give_back, claim.token)
        elif renew:
            await self._in_thread(self._leases.renew, claim.token)
        held = self._leases.held(claim.token)
        return batch.only([event for event in batch.events if event.row_id in held])

    async def _call(self, claim: Claim, batch: EventBatch) -> Call:
        request = batch_request(
            [event.payload for event in batch.events],
            pixel_code=batch.pixel_code,
            access_token=claim.access_token,
            api_url=self._api_url,
            test_event_code=batch.test_event_code,
        )
        started_at, began = self._storage.now(), time.perf_counter()
        self._pacing.began(started_at)
        failpoints.reach("before_send")
        status, reply = await self._answer(request, claim.access_token)
        failpoints.reach("after_answer")
        duration_ms = int((time.perf_counter() - began) * 1000)
        self._note(status, reply)
        call = Call(batch, reply, self._record(batch, status, reply, started_at, duration_ms))
        _tell(call)
        if self._traces is not None:
            self._trace(self._traces, call)
        return call

    def _trace(self, traces: Traces, call: Call) -> None:
        record = call.record
        for event in call.batch.events:
            traces.call(
                TracedCall(
                    event.webhook_id, event.row_id, event.event_id, record.id, record.installation_id,
                    record.started_at, record.duration_ms, record.event_count, record.result, record.http_status,
                    record.code, record.request_id,
                )
            )  # fmt: skip

    async def _answer(self, request: OutgoingRequest, token: str) -> tuple[int | None, ReadReply]:
        """The HTTP status and what the answer means; None and "retry" when nothing came back."""
        try:
            answer = await self._outbound.send(request, timeout_seconds=self._timeout, guarded=False)
        except SendFailed as error:
            return None, ReadReply(RetryLater(error.reason), None, "", None)
        except AddressRefused:
            return None, ReadReply(RetryLater("address_refused"), None, "", None)
        now = self._storage.now()
        return answer.status, read_reply(answer.status, answer.headers, answer.body, now, token=token)

    def _record(
        self, batch: EventBatch, status: int | None, reply: ReadReply, started_at: datetime, duration_ms: int
    ) -> AttemptRecord:
        return AttemptRecord(
            id=self._storage.new_id(),
            installation_id=batch.installation_id,
            pixel_code=batch.pixel_code,
            started_at=started_at,
            duration_ms=duration_ms,
            event_count=len(batch.events),
            is_test=batch.test_event_code is not None,
            http_status=status,
            code=reply.code,
            message=reply.message,
            request_id=reply.request_id or "",
            result=RESULT_WORDS[type(reply.result)],
            reason=reason_of(reply.result),
        )

    def _note(self, status: int | None, reply: ReadReply) -> None:
        """Tell the breaker whether anything came from TikTok itself."""
        if status is None or (reply.code is None and reason_of(reply.result) in _NO_ANSWER):
            self._pacing.failed(self._storage.now())
        else:
            self._pacing.answered()

    async def _follow(self, claim: Claim, call: Call, *, may_go_on: bool) -> Sequence[EventBatch] | None:
        """Write what came of a call. Returns the calls to make next; None when the claim ends here."""
        split_before = await self._split_before(call)
        following = plan(call.batch, call.result, pixel_code=claim.pixel_code, split_before=split_before)
        if following.lost is not None:
            await self._in_thread(self._access_lost, claim, call, following.lost)
            return None
        # An answer without a code says nothing of these events: the others would hear the same.
        ends = following.throttled is not None or (
            isinstance(call.result, RetryLater) and (call.reply.code is None or not may_go_on)
        )
        settlements = self._settlements(claim, call, following, ends=ends)
        await self._results.write(Outcome(claim.token, call.record, call.batch.row_ids, settlements))
        return None if ends else following.resend

    async def _split_before(self, call: Call) -> int:
        if not isinstance(call.result, Split) or len(call.batch.events) > 1:
            return 0
        count: int = await self._in_thread(self._count_split, call.batch.row_ids[0], call.result.reason)
        return count

    def _count_split(self, row_id: int, reason: str) -> int:
        with self._storage.database.read() as connection:
            return times_answered_alone(connection, row_id, reason)

    def _settlements(self, claim: Claim, call: Call, following: Plan, *, ends: bool) -> list[Settlement]:
        if following.finished is not None:
            return [Settlement(call.batch.row_ids, following.finished, following.reason)]
        if following.throttled is not None:
            until = self._pause(claim, following.throttled)
            held = tuple(sorted(self._leases.held(claim.token)))
            reason = following.throttled.reason
            return [Settlement(held, EventState.PENDING, reason, until, claim.lane, counts=False)]
        if following.retry is None:
            return []
        settlements = self._retries(claim, call.batch, following.retry)
        rest = tuple(sorted(self._leases.held(claim.token) - set(call.batch.row_ids))) if ends else ()
        if rest:
            run_at, reason = settlements[0].run_at, following.reason
            settlements.append(Settlement(rest, EventState.PENDING, reason, run_at, claim.lane, counts=False))
        return settlements

    def _retries(self, claim: Claim, batch: EventBatch, retry: RetryLater) -> list[Settlement]:
        """The events of a call for later, by their own number of attempts."""
        lane = claim.lane if claim.lane in _STAYING_LANES else Lane.RETRY
        by_attempts: dict[int, list[PendingEvent]] = defaultdict(list)
        for event in batch.events:
            by_attempts[event.attempts + 1].append(event)
        settlements = []
        for attempts, events in sorted(by_attempts.items()):
            wished = self._wished(retry.reason, retry.wait_seconds)
            seconds = next_wait(attempts, self._base, self._random(), wished)
            run_at = self._storage.now() + timedelta(seconds=seconds)
            row_ids = tuple(event.row_id for event in events)
            settlements.append(Settlement(row_ids, EventState.PENDING, retry.reason, run_at, lane))
        return settlements

    def _wished(self, reason: str, wait_seconds: float | None) -> float | None:
        """The server's wish in seconds, else what is usual for this reason, if anything is."""
        usual = _USUAL_BASES.get(reason)
        return wait_seconds if usual is None or wait_seconds is not None else usual * self._base

    def _pause(self, claim: Claim, throttled: Throttled) -> datetime:
        wished = self._wished(throttled.reason, throttled.wait_seconds)
        seconds = throttle_wait(throttled.scope, self._base, self._random(), wished)
        until = self._storage.now() + timedelta(seconds=seconds)
        if throttled.scope == "app":
            self._pacing.pause_all(until)
        else:
            self._pacing.pause(claim.installation_id, until)
        log.warning("throttled", installation_id=claim.installation_id, reason=throttled.reason)
        return until

    def _access_lost(self, claim: Claim, call: Call, lost: AccessLost) -> None:
        """Pause the installation, unless its owner has given a new token meanwhile; all work is given back."""
        now = self._storage.now()
        held = tuple(sorted(self._leases.held(claim.token)))
        waits = Settlement(held, EventState.PENDING, "access_lost", now, claim.lane, counts=False)
        with self._storage.database.write() as connection:
            record_attempts(connection, [(call.record, call.batch.row_ids)])
            settle(connection, claim.token, [waits], now)
            if self._is_current(connection, claim):
                lose_access(
                    connection,
                    notice_id=self._storage.new_id(),
                    installation_id=claim.installation_id,
                    reason=lost.reason,
                    details=call.reply.message,
                    now=now,
                )
        self._leases.forget(claim.token, held)
        log.warning("access_lost", installation_id=claim.installation_id, reason=lost.reason)

    def _is_current(self, connection: Connection, claim: Claim) -> bool:
        now = self._storage.now()
        try:
            live = open_credentials(connection, self._storage.keys, claim.installation_id, "access_token", now)
        except CredentialUnreadable:
            return True
        return live[:1] == [claim.access_token]


def _tell(call: Call) -> None:
    """One line for a call: which webhooks' events were in it, and under which id TikTok knows it."""
    record = call.record
    log.info(
        "tiktok_answered",
        installation_id=record.installation_id,
        attempt_id=record.id,
        webhook_ids=[event.webhook_id for event in call.batch.events],
        result=record.result,
        reason=record.reason,
        http_status=record.http_status,
        code=record.code,
        tiktok_request_id=record.request_id,
        duration_ms=record.duration_ms,
    )
