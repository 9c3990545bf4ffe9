"""The stand-in's REST API: what installing, the watchdog and a backfill call."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connector.demo.store_stand_in.keys import key_of, refuse_key
from connector.demo.store_stand_in.state import ORDER_EVENTS, PLUGIN_TOPICS, StoreState, StoreWebhook

__all__ = ["rest_routes"]

_Endpoint = Callable[[StoreState, Request, Mapping[str, Any]], Response]
_CUSTOMER_TOPICS = frozenset({"customer.created", "customer.updated"})
_WEBHOOKS = "/wp-json/wc/v3/webhooks"
_PLUGIN = "/wp-json/wc-pixel-connector/v1"


def rest_routes(state: StoreState, url: Callable[[], str]) -> list[Route]:
    """Every route below `/wp-json`."""

    def route(path: str, endpoint: _Endpoint, *methods: str, key: bool = True) -> Route:
        async def call(request: Request) -> Response:
            body = await request.body()
            fields = orjson.loads(body) if body.startswith(b"{") else {}
            refused = _refuse(state, request, key)
            return await run_in_threadpool(endpoint, state, request, fields) if refused is None else refused

        return Route(path, call, methods=list(methods))

    return [
        route("/wp-json/", lambda *_: _index(state, url()), "GET", key=False),
        route("/wp-json/wp/v2/users/me", _whoami, "GET", key=False),
        route("/wp-json/wc/v3/system_status", _system_status, "GET"),
        route("/wp-json/wc/v3/orders", _orders, "GET"),
        route(_WEBHOOKS, _list_webhooks, "GET"),
        route(_WEBHOOKS, _create_webhook, "POST"),
        route(_WEBHOOKS + "/{id:int}", _change_webhook, "PUT"),
        route(_WEBHOOKS + "/{id:int}", _delete_webhook, "DELETE"),
        route(_PLUGIN + "/status", _plugin_status, "GET"),
        route(_PLUGIN + "/script-tags", _list_script_tags, "GET"),
        route(_PLUGIN + "/script-tags", _register_script_tag, "POST"),
        route(_PLUGIN + "/script-tags/{id:int}", _delete_script_tag, "DELETE"),
        route(_PLUGIN + "/connection", _put_connection, "PUT"),
        route(_PLUGIN + "/connection", _delete_connection, "DELETE"),
    ]


def _refuse(state: StoreState, request: Request, key: bool) -> Response | None:
    if state.plain_permalinks:
        return PlainTextResponse("Not Found", 404)
    in_plugin = request.url.path.startswith(_PLUGIN)
    if (in_plugin and not state.has_plugin) or ("/wc/v3/" in request.url.path and not state.has_woocommerce):
        return _error(404, "rest_no_route", "No route was found matching the URL and request method.")
    return refuse_key(state, request) if key else None


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message, "data": {"status": status}}, status)


def _index(state: StoreState, url: str) -> Response:
    namespaces = ["oembed/1.0", "wp/v2"]
    namespaces += ["wc/v3", "wc/store/v1"] if state.has_woocommerce else []
    namespaces += ["wc-pixel-connector/v1"] if state.has_plugin else []
    index = {
        "name": "Stand-in store",
        "url": url,
        "home": state.home,
        "timezone_string": "UTC",
        "namespaces": namespaces,
    }
    return JSONResponse(index, headers={"Date": _http_date(state)})


def _http_date(state: StoreState) -> str:
    return state.clock().strftime("%a, %d %b %Y %H:%M:%S GMT")


def _whoami(state: StoreState, request: Request, fields: Mapping[str, Any]) -> Response:
    """WordPress itself reads Basic (application passwords), over https only."""
    arrives = "authorization" in request.headers and not state.drops_authorization and state.looks_https
    code = "invalid_username" if arrives else "rest_not_logged_in"
    return _error(401, code, "You are not currently logged in.")


def _system_status(state: StoreState, request: Request, fields: Mapping[str, Any]) -> Response:
    return JSONResponse(
        {
            "environment": {
                "home_url": str(request.base_url).rstrip("/"),
                "version": state.woocommerce,
                "wp_version": "6.9",
                "php_version": "8.2.0",
                "default_timezone": "UTC",
            },
            "active_plugins": state.active_plugins,
            "settings": {"currency": state.currency, "number_of_decimals": 2, "HPOS_enabled": True},
        }
    )


def _orders(state: StoreState, request: Request, fields: Mapping[str, Any]) -> Response:
    query = request.query_params
    size, page = int(query.get("per_page", "10")), int(query.get("page", "1"))
    if not 1 <= size <= 100:
        return _error(400, "rest_invalid_param", "Invalid parameter(s): per_page")
    size = min(size, state.largest_page)
    after = _cut(state, query.get("modified_after"), query.get("dates_are_gmt") == "true")
    before = _cut(state, query.get("modified_before"), query.get("dates_are_gmt") == "true")
    found = [
        order
        for order in sorted(state.orders.values(), key=lambda one: (one["date_modified_gmt"], one["id"]))
        if (after is None or _modified(order) > after) and (before is None or _modified(order) < before)
    ]
    shown = found[(page - 1) * size : page * size]
    total = len(found) if shown else 0  # past the end the store says 0
    headers = {"X-WP-Total": str(total), "X-WP-TotalPages": str(-(-total // size)), "Date": _http_date(state)}
    return JSONResponse(shown, headers=headers)


def _cut(state: StoreState, text: str | None, dates_are_gmt: bool) -> datetime | None:
    """The store's reading of `modified_after`: local without a zone, and a zone with `dates_are_gmt` is shifted."""
    if text is None:
        return None
    moment, offset = datetime.fromisoformat(text), timedelta(hours=state.gmt_offset_hours)
    if moment.tzinfo is None:
        return moment if dates_are_gmt else moment - offset
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    return plain + offset if dates_are_gmt else plain


def _modified(order: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(order["date_modified_gmt"])


def _list_webhooks(state: StoreState, request: Request, fields: Mapping[str, Any]) -> Response:
    size, page = int(request.query_params.get("per_page", "10")), int(request.query_params.get("page", "1"))
    shown = sorted(state.webhooks.values(), key=lambda one: -one.id)[(page - 1) * size : page * size]
    return JSONResponse([one.shown() for one in shown])


def _create_webhook(state: StoreState, request: Request, fields: Mapping[str, Any]) -> Response:
    topic, url = str(fields.get("topic", "")), str(fields.get("delivery_url", ""))
    known = ORDER_EVENTS | _CUSTOMER_TOPICS | (PLUGIN_TOPICS if state.has_plugin else frozenset())
    if topic.lower() not in known:
        return _error(400, "woocommerce_rest_shop_webhook_invalid_topic", "Webhook topic must be valid.")
    if not url.startswith(("http://", "https://")):
        return _error(
            400, "woocommerce_rest_shop_webhook_invalid_delivery_url", "Webhook delivery URL must be valid."
        )
    stored = topic if topic == topic.lower() else ""  # a dead webhook, as the real store makes it
    webhook = StoreWebhook(state.next_id(), stored, url, str(fields.get("secret", "")), str(fields.get("name", "")))
    state.webhooks[webhook.id] = webhook
    state.ping(webhook)
    return JSONResponse(webhook.shown(), 201)


def _change_webhook(state: StoreState, request: Request, fields: Mapping[str, Any]) -> Response:
    webhook = state.webhooks.get(request.path_params["id"])
    if webhook is None:
        return _error(404, "woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.")
    moved = fields.get("delivery_url", webhook.delivery_url) != webhook.delivery_url
    for name in ("status", "secret", "delivery_url", "name", "topic"):
        if name in fields:
            setattr(webhook, name, fields[name])
    if moved:
        state.ping(webhook)
    return JSONResponse(webhook.shown())


def _delete_webhook(state: StoreState, request: Request, fields: Mapping[str, Any]) -> Response:
    if request.query_params.get("force") != "true":
        return _error(501, "woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.")
    webhook = state.webhooks.pop(request.path_params["id"], None)
    if webhook is None:
        return _error(404, "woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.")
    return JSONResponse(webhook.shown())


def _plugin_status(state: StoreState, request: Request, fields: Mapping[str, Any]) -> Response:
    return JSONResponse(
        {
            "plugin": "1.0.0",
            "woocommerce": state.woocommerce,
            "wordpress": "6.9",
            "php": "8.2.0",
            "permalinks": True,
            "connected": state.is_connected,
            "installation_id": state.connection.get("installation_id"),
            "public_id": state.connection.get("public_id"),
            "script_tags": _tags(state),
            "topics": sorted(PLUGIN_TOPICS),
            "conflicts": state.plugin_conflicts,
            "page_cache": state.page_cache,
            "consent_api": True,
            "clock": state.clock().isoformat(timespec="seconds"),
            "beacons": {"sent": 0, "dropped": 0, "failed": 0, "suggest_views_direct": False},
        }
    )


def _tags(state: StoreState) -> list[dict[str, Any]]:
    return [{"id": tag_id, "src": src, "event": "onload"} for tag_id, src in state.script_tags.items()]


def _list_script_tags(state: StoreState, request: Request, fields: Mapping[str, Any]) -> Response:
    return JSONResponse(_tags(state))


def _register_script_tag(state: StoreState, request: Request, fields: Mapping[str, Any]) -> Response:
    src = str(fields.get("src", ""))
    existing = next((tag for tag in _tags(state) if tag["src"] == src), None)
    if existing:
        return JSONResponse(existing)
    tag_id = state.next_id()
    state.script_tags[tag_id] = src
    return JSONResponse({"id": tag_id, "src": src, "event": "onload"}, 201)


def _delete_script_tag(state: StoreState, request: Request, fields: Mapping[str, Any]) -> Response:
    src = state.script_tags.pop(request.path_params["id"], None)
    if src is None:
        return _error(404, "rest_not_found", "No such script tag.")
    return JSONResponse({"id": request.path_params["id"], "src": src, "event": "onload"})


def _put_connection(state: StoreState, request: Request, fields: Mapping[str, Any]) -> Response:
    same = fields.get("installation_id") == state.connection.get("installation_id")
    secret = fields.get("link_secret") or (state.connection.get("link_secret") if same else None)
    if not secret:
        return _error(400, "pixel_connector_no_secret", "link_secret is required.")
    state.connection = {**fields, "link_secret": secret}
    shown = {name: value for name, value in fields.items() if name != "link_secret"}
    return JSONResponse({"connected": True, **shown, "ignored": []})


def _delete_connection(state: StoreState, request: Request, fields: Mapping[str, Any]) -> Response:
    state.connection, state.script_tags = {}, {}
    revokes = request.query_params.get("revoke_key") == "1" and state.revokes_keys
    if revokes:
        del state.keys[key_of(state, request)]
    return JSONResponse({"connected": False, "key_revoked": revokes} if state.revokes_keys else {"connected": False})
