"""Signing in with e-mail and password: throttled per address and per account, one answer for every failure."""

from datetime import timedelta
from ipaddress import ip_address, ip_network

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connector.console.gate import safe_next, start_session
from connector.console.permissions import Action
from connector.console.rendering import ConsolePages
from connector.console.services import ConsoleServices
from connector.console.staff import check_password
from connector.core.identity import normal_email
from connector.pages.forms import FormRefused
from connector.storage.audit import audit_in
from connector.storage.opening import Storage
from connector.storage.staff import StaffRecord, change_staff
from connector.storage.staff_attempts import AttemptLimit, may_try

__all__ = ["SignIn", "note_sign_in"]

# Many people may share an address; one account is guessed at from many addresses.
_PER_ADDRESS = AttemptLimit("address", 20, timedelta(minutes=5))
_PER_ACCOUNT = AttemptLimit("account", 8, timedelta(minutes=5))


class SignIn:
    """The sign-in page and what becomes of its form."""

    def __init__(self, services: ConsoleServices, pages: ConsolePages, *, single_sign_on: bool) -> None:
        self._services = services
        self._pages = pages
        self._single_sign_on = single_sign_on

    async def show(self, request: Request) -> Response:
        """The empty form."""
        return self._form(request, 200, "")

    async def take(self, request: Request) -> Response:
        """Check e-mail and password; a session under a fresh token, or the form again."""
        try:
            form = await self._services.guard.read(request)
        except FormRefused as error:
            return self._form(request, error.status, "form_refused")
        email = form.get("email")[:254]
        if not await self._may_try(request, email):
            return self._form(request, 429, "too_many")
        # The password is taken untrimmed: a space may be part of it.
        password = next((value for name, value in form.values if name == "password"), "")
        staff = await self._services.run(lambda: check_password(self._services.storage, email, password))
        if staff is None:
            return self._form(request, 401, "wrong", email)
        await self._services.run(lambda: note_sign_in(self._services.storage, staff, "password"))
        response = RedirectResponse(safe_next(form.get("next")), 303)
        await start_session(self._services, request, staff, response)
        return response

    async def _may_try(self, request: Request, email: str) -> bool:
        attempts = ((_PER_ADDRESS, _network(request)), (_PER_ACCOUNT, normal_email(email) or ""))
        return await self._services.run(lambda: may_try(self._services.storage, attempts))

    def _form(self, request: Request, status: int, fault: str, email: str = "") -> Response:
        return self._pages.show(
            request,
            "sign_in.html",
            status=status,
            fault=fault,
            email=email,
            next=safe_next(request.query_params.get("next")),
            single_sign_on=self._single_sign_on,
        )


def note_sign_in(storage: Storage, staff: StaffRecord, how: str) -> None:
    """Remember when, and write it to the audit log."""
    with storage.database.write() as connection:
        change_staff(connection, staff.id, last_sign_in_at=storage.now())
        audit_in(connection, storage, staff.email, Action.SIGN_IN, details={"by": how})


def _network(request: Request) -> str:
    """The address, of IPv6 the /64 that one customer has."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(ip_network(f"{address}/64", strict=False)) if address.version == 6 else str(address)
