"""From a template's name to an answer of the console: language, viewer, permissions and form token filled in.

Intake runs on the same event loop: a page is written in pieces of a millisecond, and between two of them whatever
else has arrived is served.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from connector.console.admin import ConsoleAdmin
from connector.console.permissions import Action, allows
from connector.console.redaction import masked_text
from connector.console.services import ConsoleServices
from connector.pages.translating import LANGUAGES, Translator
from connector.storage.staff import StaffRecord
from connector.tiktok.explanations import EXPLANATIONS

__all__ = ["ConsolePages", "PageInPieces", "say"]

_STATIC = Path(__file__).parent / "static"
THEMES = ("auto", "light", "dark")
_PIECE_SECONDS = 0.001
Wording = Callable[[str, object], str]


def _version() -> str:
    """Changes whenever a file of ours does, so that browsers may keep them."""
    files = sorted(_STATIC.glob("*.*"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:10]


def say(translate: Translator, text: str, values: Mapping[str, object] | None = None) -> str:
    """A whole sentence that the pure parts wrote in English, in the viewer's language where there is one."""
    key = f"says.{text}"
    found = translate(key) if translate.has(key) else text
    return found.format_map(values) if values else found


class PageInPieces(HTMLResponse):
    """A page that is written while it is answered, the event loop given back after each millisecond.

    A thread would not help: it holds the interpreter for five milliseconds at a time.
    """

    def __init__(
        self, pieces: Iterator[str], status: int, headers: Mapping[str, str], spent: Callable[[float], None]
    ) -> None:
        super().__init__("", status, headers)
        del self.headers["content-length"]
        self._pieces = pieces
        self._spent = spent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write the page, then answer. A fault in a template is a fault of the request, as ever."""
        self.body = "".join(await self._written()).encode()
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)

    async def _written(self) -> list[str]:
        written: list[str] = []
        begin = time.perf_counter()
        for piece in self._pieces:
            written.append(piece)
            if time.perf_counter() > begin + _PIECE_SECONDS:
                self._spent(time.perf_counter() - begin)
                await asyncio.sleep(0)
                begin = time.perf_counter()
        self._spent(time.perf_counter() - begin)
        return written


class ConsolePages:
    """Renders the console's templates."""

    def __init__(self, services: ConsoleServices) -> None:
        self._services = services
        self.admin = ConsoleAdmin(
            {"languages": LANGUAGES, "asset_version": _version(), "Action": Action, "mask": masked_text}
        )

    def translator(self, request: Request) -> Translator:
        """Texts in this request's language."""
        return self._services.pages.translator(request)

    def wording(self, request: Request) -> Wording:
        """Words of the program (states, reasons) in this request's language."""
        translate = self.translator(request)
        return lambda group, name: _word(translate, group, name)

    def show(self, request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
        """One page."""
        pages, translate = self._services.pages, self.translator(request)
        viewer: StaffRecord | None = getattr(request.state, "viewer", None)
        theme = request.cookies.get("console_theme", "auto")
        context = {
            "request": request,
            "t": translate,
            "say": lambda text, found=None: say(translate, text, found),
            "cause": lambda finding: _cause(translate, finding.reason, finding.cause, finding.values),
            "next_step": lambda finding: _next_step(translate, finding.reason, finding.next_step, finding.values),
            "word": self.wording(request),
            "explained": lambda reason: _explained(translate, reason),
            "language": translate.language,
            "path": request.url.path,
            "here": lambda code: _in_language(request, code),
            "query": request.url.query,
            "nonce": getattr(request.state, "nonce", ""),
            "form_token": pages.guard.token(request),
            "viewer": viewer,
            "may": lambda action: viewer is not None and allows(viewer.role, action),
            "theme": theme if theme in THEMES else "auto",
            "flashed_messages": (),
            **values,
        }
        pieces = self.admin.templates.env.get_template(template).generate(context)
        response = PageInPieces(pieces, status, {"vary": "Accept-Language, Cookie"}, self._services.way.spent)
        pages.guard.keep(request, response)
        if request.query_params.get("lang") in LANGUAGES:
            pages.language_cookie.write(response, translate.language)
        return response

    def fault(self, request: Request, status: int, what: str) -> Response:
        """A page that says what went wrong, in words. `what` is a key of `console.fault` or a sentence."""
        return self.show(request, "fault.html", status=status, what=what, code=status)


def _in_language(request: Request, code: str) -> str:
    """The same page in another language; the answer to a form has no address of its own."""
    if request.method == "POST":
        return f"/console/?lang={code}"
    return "?" + str(
        QueryParams([*((n, v) for n, v in request.query_params.multi_items() if n != "lang"), ("lang", code)])
    )


def _told(translate: Translator, reason: str, part: str) -> str:
    """TikTok's reason in the words that the owner's pages have for it; empty when they have none."""
    if translate.language != "en" and reason.startswith("invalid_") and not translate.has(f"reason.{reason}.{part}"):
        return translate(f"reason.refused_here.{part}", field=reason)
    key = f"reason.{reason}.{part}"
    return translate(key) if reason and translate.has(key) else ""


def _cause(translate: Translator, reason: str, text: str, values: Mapping[str, object] | None = None) -> str:
    """Why, in the owner's words where there are some, else `text` in the viewer's language."""
    return _told(translate, reason, "cause") or say(translate, text, values)


def _next_step(translate: Translator, reason: str, text: str, values: Mapping[str, object] | None = None) -> str:
    """What to do, in the same way."""
    return _told(translate, reason, "next") or say(translate, text, values)


def _explained(translate: Translator, reason: str) -> str:
    """Why TikTok refuses access, and what ends that; the bare reason when nothing more is known."""
    known = EXPLANATIONS.get(reason)
    if known is None:
        return _word(translate, "reason", reason)
    return f"{_cause(translate, reason, known.cause)} {_next_step(translate, reason, known.next_step)}"


def _word(translate: Translator, group: str, name: object) -> str:
    """A word of the program (a state, a reason) in the viewer's language; itself when it has no translation.

    A reason of TikTok's is said as its explanation begins; what stands behind a colon is a detail.
    """
    key = f"console.{group}.{name}"
    if translate.has(key) or Translator("en").has(key):
        return translate(key)
    kind, colon, detail = str(name).partition(":")
    if colon and Translator("en").has(f"console.{group}.{kind}"):
        return f"{_word(translate, group, kind)} ({detail})"
    if group == "reason" and (known := EXPLANATIONS.get(str(name))):
        return _cause(translate, str(name), known.cause)
    return str(name)
