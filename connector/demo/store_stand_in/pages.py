"""What a browser sees of the stand-in store: its front page and the authorise page."""

import secrets
from collections.abc import Callable, Mapping
from html import escape
from urllib.parse import urlencode, urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from connector.demo.store_stand_in.state import StoreState

__all__ = ["page_routes"]

_REQUIRED = ("app_name", "user_id", "return_url", "callback_url", "scope")


def page_routes(state: StoreState, url: Callable[[], str]) -> list[Route]:
    """Routes of the pages; `url` tells the store's own address."""
    return [
        Route("/", lambda request: _front_page(state, request, url())),
        Route("/shop/", lambda request: _front_page(state, request, url())),
        Route("/wc-auth/v1/authorize", lambda request: _authorise(state, request)),
        Route("/wc-auth/v1/access_granted/", lambda request: _grant(state, request, url())),
    ]


def _front_page(state: StoreState, request: Request, url: str) -> Response:
    if "rest_route" in request.query_params:
        return HTMLResponse('{"name":"Stand-in store","namespaces":["wp/v2","wc/v3"]}', media_type="application/json")
    generator = '<meta name="generator" content="WooCommerce 9.9.5">' if state.has_woocommerce else ""
    tags = "".join(f'<script async src="{escape(src)}"></script>' for src in state.script_tags.values())
    plugin = tags if state.has_plugin else ""
    head = f"<title>Stand-in store</title>{generator}{plugin}{state.head_html}"
    return HTMLResponse(f"<!doctype html><html><head>{head}</head><body><h1>Stand-in store</h1></body></html>")


def _authorise(state: StoreState, request: Request) -> Response:
    """Who is asked, who asks, and two links."""
    query = request.query_params
    missing = next((name for name in _REQUIRED if query.get(name, "") in ("", "0")), None)
    if missing:
        return _error(f"Missing parameter {missing}")
    if query["scope"] not in ("read", "write", "read_write"):
        return _error(f"Invalid scope {escape(query['scope'])}")
    if state.demands_https_callback and urlsplit(query["callback_url"]).scheme != "https":
        return _error("The callback_url needs to be over SSL")
    app, host = escape(query["app_name"]), escape(urlsplit(query["callback_url"]).hostname or "")
    granted = "/wc-auth/v1/access_granted/?" + urlencode({name: query[name] for name in _REQUIRED})
    return HTMLResponse(
        f"<!doctype html><title>Stand-in store</title><h1>{app} would like to connect to your store</h1>"
        f"<p>This will give {app} read and write access. {host} will be told the key.</p>"
        f'<a class="wc-auth-approve" href="{escape(granted)}">Approve</a> '
        f'<a class="wc-auth-deny" href="{escape(_back(query, "0"))}">Deny</a>'
    )


def _back(query: Mapping[str, str], success: str) -> str:
    joint = "&" if "?" in query["return_url"] else "?"
    return f"{query['return_url']}{joint}{urlencode({'success': success, 'user_id': query['user_id']})}"


def _grant(state: StoreState, request: Request, url: str) -> Response:
    """Makes the key, posts it while the browser waits, and counts only 200 as success."""
    query = request.query_params
    key, secret = state.new_keys(query["scope"])
    body = {
        "key_id": secrets.randbelow(10_000),
        "user_id": query["user_id"],
        "consumer_key": key,
        "consumer_secret": secret,
        "key_permissions": query["scope"],
    }
    headers = {"User-Agent": f"WordPress/6.9; {url}", "Content-Type": "application/json;charset=UTF-8"}
    try:
        reply = httpx.post(query["callback_url"], json=body, headers=headers, timeout=60.0, trust_env=False)
        status = reply.status_code
    except httpx.HTTPError:
        status = 0
    if status != 200:
        del state.keys[key]
        return _error(
            f"An error occurred in the request and at the time were unable to send the consumer data: {status}"
        )
    return RedirectResponse(_back(query, "1"), 302)


def _error(text: str) -> Response:
    return HTMLResponse(f"<!doctype html><title>Error</title><p>Error: {text}.</p>", 401)
