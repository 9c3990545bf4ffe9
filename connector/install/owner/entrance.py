"""Signing in and out, and the wrapper that lets only a signed-in browser reach a view."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.install.activating import installation_of_store
from connector.install.owner.sessions import Session, begin_session, current_session, end_session
from connector.install.passwords import fits_password
from connector.install.site import Site, caller, page, posted, too_often
from connector.pages.forms import Form
from connector.pages.rendering import see_other
from connector.platforms.woocommerce.connect import read_store_url

__all__ = ["OwnerView", "owner_page", "owner_posted", "sign_in", "sign_out", "take_sign_in"]

_TRIES_PER_MINUTE = 10
_WHYS = frozenset({"link", "out", "password"})

OwnerView = Callable[[Site, Request, Form, Session], Response]


def owner_page(site: Site, path: str, view: OwnerView) -> Route:
    """A view of the owner's that is read."""
    return page(site, path, _signed_in(view))


def owner_posted(site: Site, path: str, view: OwnerView) -> Route:
    """A view of the owner's that changes something."""
    return posted(site, path, _signed_in(view))


def _signed_in(view: OwnerView) -> Callable[[Site, Request, Form], Response]:
    def guarded(site: Site, request: Request, form: Form) -> Response:
        session = current_session(site, request)
        return see_other("/owner/sign-in") if session is None else view(site, request, form, session)

    return guarded


def sign_in(site: Site, request: Request, form: Form) -> Response:
    """The store's address and the password."""
    if current_session(site, request) is not None:
        return see_other("/owner")
    why = request.query_params.get("why", "")
    return _ask(site, request, typed="", problem=why if why in _WHYS else "")


def take_sign_in(site: Site, request: Request, form: Form) -> Response:
    """Checks both; the answer does not tell which was wrong."""
    typed = form.get("store")[:500]
    store_url = read_store_url(typed)
    if not site.allows("sign in", caller(request), _TRIES_PER_MINUTE):
        return too_often(site, request)
    if not site.allows("sign in at", store_url or "", _TRIES_PER_MINUTE):
        return too_often(site, request)
    installation_id = _installation_id(site, store_url)
    if not fits_password(site.services, installation_id, form.get("password")):
        return _ask(site, request, typed=typed, problem="wrong", status=403)
    response = see_other("/owner")
    begin_session(site, response, installation_id, came_by="password")
    return response


def _ask(site: Site, request: Request, *, typed: str, problem: str, status: int = 200) -> Response:
    return site.pages.show(request, "owner/sign_in.html", status=status, typed=typed, problem=problem)


def _installation_id(site: Site, store_url: str | None) -> str:
    if store_url is None:
        return ""
    with site.services.storage.database.read() as connection:
        found = installation_of_store(connection, store_url)
    return found.id if found else ""


def sign_out(site: Site, request: Request, form: Form, session: Session) -> Response:
    """Ends this browser's session."""
    response = see_other("/owner/sign-in?why=out")
    end_session(site, request, response)
    return response
