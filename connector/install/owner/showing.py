"""Rendering an owner's page: the tabs, the store's name and the messages that follow a post."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from connector.install.owner.sessions import Session
from connector.install.site import Site

__all__ = ["TABS", "actor", "is_setting_up", "show"]

TABS = (
    ("overview", "/owner"),
    ("tiktok", "/owner/tiktok"),
    ("store", "/owner/store"),
    ("settings", "/owner/settings"),
)
# Words in the address after a post, each with its level; anything else there is ignored.
_DONE = {
    "saved": "ok",
    "saved_untold": "warn",
    "connected": "ok",
    "connected_untried": "warn",
    "disconnected": "ok",
    "paused": "ok",
    "resumed": "ok",
    "checked": "ok",
    "refused": "fail",
    "unchecked": "fail",
    "rotated": "ok",
    "rotated_in_part": "warn",
    "test_on": "ok",
    "test_off": "ok",
    "password_changed": "ok",
    "tiktok_state": "fail",
    "tiktok_refused": "warn",
    "seen": "ok",
    "copy": "ok",
    "same_shop": "ok",
    "comparing": "ok",
    "no_keys": "fail",
}


def show(site: Site, request: Request, session: Session, template: str, tab: str, **values: Any) -> Response:
    """One page of the owner's."""
    done = request.query_params.get("done", "")
    message = (done, _DONE[done]) if done in _DONE else None
    installation = session.installation
    return site.pages.show(
        request,
        template,
        **{
            "tabs": TABS,
            "tab": tab,
            "installation": installation,
            "session": session,
            "message": message,
            "setting_up": is_setting_up(session),
            # The language links are read, so after a post they lead to the page that the form is on.
            "path": request.url.path if request.method == "GET" else dict(TABS)[tab],
            **values,
        },
    )


def is_setting_up(session: Session) -> bool:
    """Whether TikTok was never connected: then the pages lead on like steps."""
    return session.installation.access_reason == "not_connected" and not session.installation.pixel_code


def actor(session: Session) -> str:
    """Who did it, for the audit log."""
    return f"owner {session.user_name}".strip()
