"""What all views share: the services, the renderer, cookies, limits, and how a view becomes a route.

Views are plain functions, run in a worker thread, since they ask the database and the store.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from anyio import CapacityLimiter, to_thread
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.install.attempts import Attempt, latest_attempt
from connector.install.services import Services
from connector.pages.cookies import Cookie, SignedTexts
from connector.pages.forms import Form, FormGuard, FormRefused
from connector.pages.rendering import Pages
from connector.pages.security import PageSecurity

__all__ = ["Site", "View", "page", "posted"]

_HERE = Path(__file__).parent
_ONE_DAY = 86_400
_MOST_THREADS = 16  # a slow store holds one for seconds; the rest of the program keeps its own


@dataclass(frozen=True)
class Site:
    """One per program."""

    services: Services
    limiter: MovingWindowRateLimiter = field(default_factory=lambda: MovingWindowRateLimiter(MemoryStorage()))

    @cached_property
    def pages(self) -> Pages:
        """The renderer with its form guard."""
        keys = self.services.storage.keys.signing_keys("form token")
        guard = FormGuard(keys, self.cookie("form", _ONE_DAY), (urlsplit(self.services.own_url).netloc,))
        return Pages(guard, self.services.https, (_HERE / "templates",))

    @cached_property
    def threads(self) -> CapacityLimiter:
        """How many views may run at once."""
        return CapacityLimiter(_MOST_THREADS)

    def cookie(self, name: str, max_age: int) -> Cookie:
        """A cookie with this site's flags."""
        return Cookie(name, max_age, self.services.https)

    @property
    def browser_cookie(self) -> Cookie:
        """Which browser started an install; signed, and good for a day."""
        return self.cookie("install", _ONE_DAY)

    @cached_property
    def browser_texts(self) -> SignedTexts:
        """Signs the browser cookie."""
        return SignedTexts(self.services.storage.keys.signing_keys("install browser"), "browser")

    def browser(self, request: Request) -> str | None:
        """The random name of the browser that started an install here, None for any other."""
        parts = self.browser_texts.read(self.browser_cookie.read(request), _ONE_DAY)
        return parts[0] if parts else None

    def attempt(self, request: Request) -> Attempt | None:
        """The newest attempt of this browser."""
        return latest_attempt(self.services, self.browser(request))

    def allows(self, name: str, who: str, per_minute: int) -> bool:
        """Whether this one may do it once more in this minute."""
        return self.limiter.hit(RateLimitItemPerMinute(per_minute), name, who)


View = Callable[[Site, Request, Form], Response]
_NO_FIELDS = Form(())


def caller(request: Request) -> str:
    """The address of the other side, for limits."""
    return request.client.host if request.client else ""


def page(site: Site, path: str, view: View) -> Route:
    """A view that is read."""

    async def endpoint(request: Request) -> Response:
        return await to_thread.run_sync(view, site, request, _NO_FIELDS, limiter=site.threads)

    return _route(site, path, endpoint, "GET")


def posted(site: Site, path: str, view: View) -> Route:
    """A view that changes something: only a form of one of our own pages reaches it."""

    async def endpoint(request: Request) -> Response:
        try:
            form = await site.pages.guard.read(request)
        except FormRefused as refused:
            word = "too_large" if refused.status == 413 else "text"
            return site.pages.show(request, "install/refused.html", status=refused.status, word=word)
        return await to_thread.run_sync(view, site, request, form, limiter=site.threads)

    return _route(site, path, endpoint, "POST")


def _route(site: Site, path: str, endpoint: Callable[[Request], Awaitable[Response]], method: str) -> Route:
    security = Middleware(PageSecurity, https=site.services.https)
    return Route(path, endpoint, methods=[method], middleware=[security], name=f"{method} {path}")


def too_often(site: Site, request: Request) -> Response:
    """The page for somebody who tries again and again."""
    return site.pages.show(request, "install/refused.html", status=429, word="too_often")
