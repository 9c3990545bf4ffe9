"""Reading form posts: bounded, and believed only when they come from one of our own pages.

Two checks, each enough against a current browser: the browser's own word about where the request comes from
(Sec-Fetch-Site, else Origin), and a token in the form that fits a cookie.
"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from connector.pages.cookies import Cookie

__all__ = ["Form", "FormGuard", "FormRefused", "read_body"]

MAX_FORM_BYTES = 64 * 1024
TOKEN_FIELD = "form_token"  # noqa: S105 - the name of a field


class FormRefused(Exception):
    """A post that is not from our page, or too large; the caller answers 403 or 413."""

    def __init__(self, status: int) -> None:
        super().__init__("the form is refused")
        self.status = status


@dataclass(frozen=True, slots=True)
class Form:
    """Fields of a post; `values` has them in order, with repetitions. No `repr`: a field may be a secret."""

    values: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        return f"Form({len(self.values)} fields)"

    def get(self, name: str, default: str = "") -> str:
        """The last value of that name, trimmed."""
        return next((value.strip() for key, value in reversed(self.values) if key == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of that name, for check boxes."""
        return [value for key, value in self.values if key == name]

    def has(self, name: str) -> bool:
        """Whether it was sent, as ticked boxes and pressed buttons are."""
        return any(key == name for key, _ in self.values)


async def read_body(request: Request, limit: int = MAX_FORM_BYTES) -> bytes:
    """The body, at most `limit` bytes. Raises FormRefused with 413."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise FormRefused(413)
    return bytes(body)


async def read_form(request: Request, limit: int = MAX_FORM_BYTES) -> Form:
    """The fields of a URL-encoded post; no check of where it comes from. Raises FormRefused."""
    text = (await read_body(request, limit)).decode("utf-8", "replace")
    try:
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=500)
    except ValueError:
        raise FormRefused(413) from None
    # No keyboard writes the sign zero, and PostgreSQL takes no text with it.
    return Form(tuple((name, value.replace("\0", "")) for name, value in fields))


class FormGuard:
    """Makes and checks form tokens. `keys` are oldest first; `own_hosts` besides the host that was asked."""

    def __init__(self, keys: Sequence[bytes], cookie: Cookie, own_hosts: Sequence[str] = ()) -> None:
        self._keys = tuple(keys)
        self._cookie = cookie
        self._own_hosts = frozenset(own_hosts)

    def token(self, request: Request) -> str:
        """The token for this browser's forms; call `keep` on the response that carries it."""
        value = self._cookie.read(request) or getattr(request.state, "form_cookie", None)
        if value is None:
            value = request.state.form_cookie = secrets.token_urlsafe(24)
        return _mac(self._keys[-1], value)

    def keep(self, request: Request, response: Response) -> None:
        """Set the cookie when `token` had to make one."""
        value = getattr(request.state, "form_cookie", None)
        if value is not None:
            self._cookie.write(response, value)

    async def read(self, request: Request) -> Form:
        """A post from one of our own pages. Raises FormRefused with 403 or 413."""
        if not _comes_from_us(request.headers, self._own_hosts | {request.headers.get("host", "")}):
            raise FormRefused(403)
        form = await read_form(request)
        value, sent = self._cookie.read(request), form.get(TOKEN_FIELD)
        if not value or not any(hmac.compare_digest(_mac(key, value), sent) for key in self._keys):
            raise FormRefused(403)
        return form


def _mac(key: bytes, value: str) -> str:
    return hmac.digest(key, value.encode("utf-8", "replace"), "sha256").hex()


def _comes_from_us(headers: Mapping[str, str], hosts: frozenset[str]) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc in hosts
