"""Cookies: their names and flags in one place, and signed ones with an age (itsdangerous)."""

from collections.abc import Sequence
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["Cookie", "SignedTexts"]


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie of ours. On https it has the prefix that binds it to this host and to Secure.

    SameSite is Lax: the store and TikTok send the browser back to us, and it must still be the same browser.
    """

    name: str
    max_age: int
    https: bool

    @property
    def full_name(self) -> str:
        """The name in the browser."""
        return f"__Host-{self.name}" if self.https else self.name

    def read(self, request: Request) -> str | None:
        """Its value, None when absent."""
        return request.cookies.get(self.full_name)

    def write(self, response: Response, value: str) -> None:
        """Set it."""
        response.set_cookie(
            self.full_name, value, max_age=self.max_age, path="/", secure=self.https, httponly=True, samesite="lax"
        )

    def forget(self, response: Response) -> None:
        """Remove it."""
        response.delete_cookie(self.full_name, path="/", secure=self.https, httponly=True, samesite="lax")


class SignedTexts:
    """Short texts that only we can have written, valid for a while. `keys` are oldest first.

    Signed texts hold nothing but `A-Za-z0-9_.-`, so they pass through any address unharmed.
    """

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        self._serializer = URLSafeTimedSerializer(list(keys), salt=purpose)

    def sign(self, *parts: str) -> str:
        """One text of these parts."""
        signed = self._serializer.dumps(list(parts))
        return signed if isinstance(signed, str) else signed.decode()

    def read(self, signed: str | None, max_age: int) -> tuple[str, ...] | None:
        """The parts; None when it is not ours, was changed, or is older than `max_age` seconds."""
        if not signed or len(signed) > 2000:
            return None
        try:
            parts = self._serializer.loads(signed, max_age=max_age)
        except BadSignature:
            return None
        return tuple(parts) if isinstance(parts, list) and all(isinstance(one, str) for one in parts) else None
