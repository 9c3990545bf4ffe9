"""Webhooks that only name what changed: it is fetched from the store, and stored like a webhook that carried it.

So reading, replaying and showing know whole bodies only. Outside any transaction; a second fetch after a crash stores
nothing new when the store says the same, and an order is one purchase whatever it says.
"""

import asyncio
from collections.abc import Iterable, Sequence
from http import HTTPStatus

import orjson

from connector.core.store_events import Named
from connector.errors import AddressRefused, CredentialUnreadable, SendFailed
from connector.intake.reading import ReadWebhook
from connector.outbound import Outbound
from connector.platforms import PLATFORMS
from connector.platforms.base import OutgoingRequest, StoreAccess
from connector.storage.arrivals import Arrival, ArrivalWriter, digest_of
from connector.storage.installations import InstallationRecord, open_credentials
from connector.storage.opening import Storage

__all__ = ["Fetching"]

_SECONDS = 5.0  # of one call: all of a group must be through before its lease ends
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class Fetching:
    """Makes the calls that platforms with a `fetch_back` ask for, several at a time."""

    def __init__(self, storage: Storage, *, allow_private: bool) -> None:
        self._storage = storage
        self._allow_private = allow_private

    def fetch(self, webhooks: Sequence[ReadWebhook]) -> list[tuple[int, str]]:
        """Store what they name. Gives the ids of those for which that failed, each with a short reason."""
        asked, failed = [], []
        for webhook in webhooks:
            request = self._request(webhook)
            if request is None:
                failed.append((webhook.stored.id, "fetch:no_access"))
            else:
                asked.append((webhook, request))
        return failed + [(hook.stored.id, reason) for hook, reason in asyncio.run(self._all(asked)) if reason]

    async def _all(self, asked: Iterable[tuple[ReadWebhook, OutgoingRequest]]) -> list[tuple[ReadWebhook, str]]:
        async with Outbound(allow_private=self._allow_private) as outbound:
            return await asyncio.gather(*(self._one(outbound, webhook, request) for webhook, request in asked))

    async def _one(
        self, outbound: Outbound, webhook: ReadWebhook, request: OutgoingRequest
    ) -> tuple[ReadWebhook, str]:
        try:
            reply = await outbound.send(request, timeout_seconds=_SECONDS)
        except (SendFailed, AddressRefused) as error:
            return webhook, f"fetch:{getattr(error, 'reason', 'address_refused')}"
        if reply.status in _GONE:
            return webhook, ""  # deleted since
        if reply.status != HTTPStatus.OK:
            return webhook, f"fetch:http_{reply.status}"
        await asyncio.to_thread(self._store, webhook, reply.body)
        return webhook, ""

    def _request(self, webhook: ReadWebhook) -> OutgoingRequest | None:
        installation, named = webhook.stored.installation, webhook.event
        fetch_back = PLATFORMS[installation.platform].fetch_back
        if fetch_back is None or not isinstance(named, Named):
            return None
        try:
            return fetch_back(named, self._access(installation))
        except CredentialUnreadable:
            return None

    def _access(self, installation: InstallationRecord) -> StoreAccess:
        storage = self._storage
        with storage.database.read() as connection:
            secrets = {
                kind: open_credentials(connection, storage.keys, installation.id, kind, storage.now())
                for kind in PLATFORMS[installation.platform].credential_kinds
            }
        return StoreAccess(installation.store_url, secrets)

    def _store(self, webhook: ReadWebhook, body: bytes) -> None:
        stored, named = webhook.stored, webhook.event
        assert isinstance(named, Named)
        arrival = Arrival(
            id=self._storage.new_id(),
            installation_id=stored.installation.id,
            topic=named.topic,
            received_at=stored.received_at,
            digest=digest_of(stored.installation.id, named.topic, body),
            headers=orjson.dumps({"content-type": "application/json"}).decode(),
            body=body,
            deduplicate=PLATFORMS[stored.installation.platform].deduplicates(body),
            lane=stored.lane,
        )
        writer = ArrivalWriter(self._storage.database)
        try:
            writer.write([arrival])
        finally:
            writer.close()
