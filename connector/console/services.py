"""What every page of the console takes: storage, the shared page layer, and threads of its own.

The database is asked from a few threads that only the console uses, so that no crowd of readers takes a thread
from intake; on PostgreSQL a statement of theirs is stopped after two seconds.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
import anyio.to_thread
from sqlalchemy import Connection, text

from connector.console.giving_way import GivingWay
from connector.pages.cookies import Cookie, SignedTexts
from connector.pages.forms import FormGuard
from connector.pages.rendering import Pages
from connector.settings import Settings
from connector.storage.opening import Storage

__all__ = ["ConsoleServices", "console_services"]

_T = TypeVar("_T")
_THREADS = 3
_STATEMENT_LIMIT = "2s"
_SESSION_SECONDS = 12 * 3600
_FORM_SECONDS = 12 * 3600


@dataclass(frozen=True)
class ConsoleServices:
    """One per process."""

    settings: Settings
    storage: Storage
    pages: Pages
    session_cookie: Cookie
    links: SignedTexts  # short signed texts: where to go after signing in, single sign-on's state
    way: GivingWay
    _limiter: list[anyio.CapacityLimiter] = field(default_factory=list)

    @property
    def guard(self) -> FormGuard:
        """Reads forms of ours."""
        return self.pages.guard

    async def read(self, query: Callable[[Connection], _T]) -> _T:
        """Run a query in a short read transaction, on a thread of the console's own."""

        def run() -> _T:
            with self.storage.database.read() as connection:
                if not self.storage.database.is_sqlite:
                    connection.execute(text(f"SET LOCAL statement_timeout = '{_STATEMENT_LIMIT}'"))
                return query(connection)

        return await self.run(run)

    async def run(self, work: Callable[[], _T]) -> _T:
        """Run blocking work on a thread of the console's own."""
        if not self._limiter:
            self._limiter.append(anyio.CapacityLimiter(_THREADS))

        def counted() -> _T:
            before = time.thread_time()
            try:
                return work()
            finally:
                self.way.spent(time.thread_time() - before)

        return await anyio.to_thread.run_sync(counted, limiter=self._limiter[0])


def console_services(settings: Settings, storage: Storage, way: GivingWay | None = None) -> ConsoleServices:
    """Wire them from the settings."""
    https = settings.own_url.startswith("https://")
    keys = storage.keys.signing_keys("console forms")
    guard = FormGuard(keys, Cookie("console_form", _FORM_SECONDS, https))
    return ConsoleServices(
        settings=settings,
        storage=storage,
        pages=Pages(guard, https),
        session_cookie=Cookie("staff_session", _SESSION_SECONDS, https),
        links=SignedTexts(storage.keys.signing_keys("console links"), "console"),
        way=way or GivingWay(lambda: 0),
    )
