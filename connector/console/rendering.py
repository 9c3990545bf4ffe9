"""From a template's name to an answer of the console: language, viewer, permissions and form token filled in."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from connector.console.admin import ConsoleAdmin
from connector.console.permissions import Action, allows
from connector.console.redaction import masked_text
from connector.console.services import ConsoleServices
from connector.pages.translating import LANGUAGES, Translator
from connector.storage.staff import StaffRecord

__all__ = ["ConsolePages", "say"]

_STATIC = Path(__file__).parent / "static"
THEMES = ("auto", "light", "dark")


def _version() -> str:
    """Changes whenever a file of ours does, so that browsers may keep them."""
    files = sorted(_STATIC.glob("*.*"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:10]


def say(translate: Translator, text: str, values: Mapping[str, object] | None = None) -> str:
    """A whole sentence that the pure parts wrote in English, in the viewer's language where there is one."""
    key = f"says.{text}"
    found = translate(key) if translate.has(key) else text
    return found.format_map(values) if values else found


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

    def show(self, request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
        """One page."""
        pages, translate = self._services.pages, self.translator(request)
        viewer: StaffRecord | None = getattr(request.state, "viewer", None)
        theme = request.cookies.get("console_theme", "auto")
        context = {
            "request": request,
            "t": translate,
            "say": lambda text, found=None: say(translate, text, found),
            "cause": lambda finding: (
                _told(translate, finding.reason, "cause") or say(translate, finding.cause, finding.values)
            ),
            "next_step": lambda finding: (
                _told(translate, finding.reason, "next") or say(translate, finding.next_step, finding.values)
            ),
            "word": lambda group, name: _word(translate, group, name),
            "language": translate.language,
            "path": request.url.path,
            "query": request.url.query,
            "nonce": getattr(request.state, "nonce", ""),
            "form_token": pages.guard.token(request),
            "viewer": viewer,
            "may": lambda action: viewer is not None and allows(viewer.role, action),
            "theme": theme if theme in THEMES else "auto",
            "flashed_messages": (),
            **values,
        }
        text = self.admin.templates.env.get_template(template).render(context)
        response = HTMLResponse(text, status, {"vary": "Accept-Language, Cookie"})
        pages.guard.keep(request, response)
        if request.query_params.get("lang") in LANGUAGES:
            pages.language_cookie.write(response, translate.language)
        return response

    def fault(self, request: Request, status: int, what: str) -> Response:
        """A page that says what went wrong, in words. `what` is a key of `console.fault` or a sentence."""
        return self.show(request, "fault.html", status=status, what=what, code=status)


def _told(translate: Translator, reason: str, part: str) -> str:
    """TikTok's reason in the words that the owner's pages have for it; empty when they have none."""
    if translate.language != "en" and reason.startswith("invalid_") and not translate.has(f"reason.{reason}.{part}"):
        return translate(f"reason.refused_here.{part}", field=reason)
    key = f"reason.{reason}.{part}"
    return translate(key) if reason and translate.has(key) else ""


def _word(translate: Translator, group: str, name: object) -> str:
    """A word of the program (a state, a reason) in the viewer's language; itself when it has no translation."""
    key = f"console.{group}.{name}"
    return translate(key) if translate.has(key) or Translator("en").has(key) else str(name)
