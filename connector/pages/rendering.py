"""From a template's name and its values to an answer: language, form token and nonce are filled in here."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from connector.pages.cookies import Cookie
from connector.pages.forms import FormGuard
from connector.pages.times import written
from connector.pages.translating import LANGUAGES, Translator, choose_language

__all__ = ["Pages", "see_other"]

_HERE = Path(__file__).parent
_STYLE = (_HERE / "style.css").read_bytes()
STYLE_PATH = f"/pages/style.{hashlib.sha256(_STYLE).hexdigest()[:12]}.css"
_MAX_LANGUAGE_AGE = 365 * 86_400


def see_other(path: str) -> Response:
    """After a post: look there."""
    return RedirectResponse(path, 303)


@dataclass(frozen=True)
class Pages:
    """Renders templates of these folders and of the base one. One per program part."""

    guard: FormGuard
    https: bool
    folders: Sequence[Path] = ()
    globals: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        loader = FileSystemLoader([*self.folders, _HERE / "templates"])
        environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        environment.filters["written"] = written
        environment.globals.update({"languages": LANGUAGES, "style_path": STYLE_PATH, **self.globals})
        object.__setattr__(self, "_environment", environment)

    @property
    def language_cookie(self) -> Cookie:
        """Which language the visitor chose."""
        return Cookie("language", _MAX_LANGUAGE_AGE, self.https)

    def language(self, request: Request) -> str:
        """This request's language."""
        return choose_language(
            request.query_params.get("lang"),
            self.language_cookie.read(request),
            request.headers.get("accept-language", ""),
        )

    def translator(self, request: Request) -> Translator:
        """Texts in this request's language."""
        return Translator(self.language(request))

    def show(self, request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
        """One page. `refresh` among the values is the seconds after which the browser looks again."""
        translate = self.translator(request)
        text = self._template(template).render(
            {
                "t": translate,
                "language": translate.language,
                "path": request.url.path,
                "form_token": self.guard.token(request),
                "nonce": getattr(request.state, "nonce", ""),
                "refresh": None,
                **values,
            }
        )
        response = HTMLResponse(text, status, {"vary": "Accept-Language, Cookie"})
        self.guard.keep(request, response)
        if request.query_params.get("lang") in LANGUAGES:
            self.language_cookie.write(response, translate.language)
        return response

    def _template(self, name: str) -> Any:
        environment: Environment = self._environment  # type: ignore[attr-defined]
        return environment.get_template(name)


async def _style(request: Request) -> Response:
    return Response(_STYLE, media_type="text/css", headers={"cache-control": "public, max-age=31536000, immutable"})


def style_route() -> Route:
    """The one stylesheet, cached for ever under its digest."""
    return Route(STYLE_PATH, _style)
