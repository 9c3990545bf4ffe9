"""A small storefront over a real socket that prints and answers what the companion plugin does (STOREFRONT.md)."""

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import quote_plus  # as PHP writes cookies

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from connector.core.installation_settings import ConsentPolicy
from connector.tiktok.pixel import PixelConfig, pixel_script

PIXEL = "CSTANDIN000000000000"
PUBLIC_ID = "0123456789abcdef0123"
HOODIE = {"product_id": 18, "variation_id": 0, "sku": "HOOD", "name": "Hoodie", "price": "42.50", "currency": "EUR"}
ORDER = {"id": 123, "key": "wc_order_abc"}
PURCHASE = {
    "event_id": "a" * 64, "event": "CompletePayment", "pixel_code": PIXEL, "order_id": "123",
    "value": "90.40", "currency": "EUR", "num_items": 2,
    "contents": [{"content_id": "HOOD", "content_type": "product", "price": "42.50", "quantity": 2}],
}  # fmt: skip
CHECKOUT = {"stage": "checkout", "value": "85.00", "currency": "EUR", "items": [{**HOODIE, "quantity": 2}]}
PAGES: dict[str, dict[str, Any]] = {
    "/": {"page": "other"},
    "/product/hoodie/": {"page": "product", "product": HOODIE},
    "/search/": {"page": "search", "search": "hood"},
    "/checkout/": {"page": "checkout", "checkout": CHECKOUT},
}
ADD_BUTTON = """<button id="add" onclick="fetch('/add', {method: 'POST'})">add</button>
<form action="/add-by-form" method="post"><button id="form-add">add</button></form>
<label><input type="radio" name="payment_method" value="cod"> cash</label><button id="place_order">pay</button>"""


class Shop:
    """A running shop. What it is told is in `beacons`; what it says can be set before a page is opened."""

    def __init__(self, library_url: str, policy: ConsentPolicy = ConsentPolicy.BY_REGION, **config: Any) -> None:
        self.script = pixel_script(PIXEL, PixelConfig(library_url, consent_policy=policy, **config))
        self.block: dict[str, Any] = {"policy": policy.value, "viewsDirect": False}
        self.country: str | None = "DE"
        self.consent_required = True
        self.context: dict[str, Any] = {}
        self.contexts = 0
        self.beacons: list[dict[str, Any]] = []
        self.head = ""  # before the script
        self.body_class = ""
        self.csp = ""
        self.purchase: dict[str, Any] | None = PURCHASE  # printed once, as the store does
        self.minted = 0
        self.with_block = True
        self.headers: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> list[dict[str, Any]]:
        """Beacons of one name."""
        return [beacon for beacon in self.beacons if beacon["name"] == name]

    def __enter__(self) -> Self:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        app = Starlette(
            routes=[
                Route("/pixel.js", self._script),
                Route("/api/context", self._context),
                Route("/api/beacon", self._beacon, methods=["POST"]),
                Route("/collect", self._beacon, methods=["POST"]),
                Route("/add", self._add, methods=["POST"]),
                Route("/add-by-form", self._add_by_form, methods=["POST"]),
                Route("/{path:path}", self._page),
            ]
        )
        config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    async def _page(self, request: Request) -> Response:
        path = "/" + request.path_params["path"]
        about = dict(PAGES.get(path, {"page": "other"}))
        if path.startswith("/checkout/order-received/"):
            about = {"page": "order_received", "checkout": {"stage": "order_received"}, "order": ORDER}
            if self.purchase is not None:
                about["purchase"], self.purchase = self.purchase, None
        block = {
            "v": 1, "publicId": PUBLIC_ID, "api": f"{self.url}/api", "collect": f"{self.url}/collect",
            "contentId": "sku", "currency": "EUR", **self.block, **about,
        }  # fmt: skip
        printed = json.dumps(block).replace("<", "\\u003C") if self.with_block else "{}"
        html = (
            f"<!doctype html><html><head><title>shop</title>{self.head}"
            f'<script type="application/json" id="pixel-connector-config">{printed}</script>'
            f'<script async src="{self.url}/pixel.js"></script></head>'
            f'<body class="{self.body_class}"><a id="home" href="/">home</a>{ADD_BUTTON}</body></html>'
        )
        headers = {"Content-Security-Policy": self.csp} if self.csp else {}
        return HTMLResponse(html, headers=headers | self.headers)

    async def _script(self, _request: Request) -> Response:
        return Response(self.script, media_type="text/javascript")

    async def _context(self, _request: Request) -> Response:
        self.contexts += 1
        place = {"country": self.country, "consent_required": self.consent_required}
        answer = place | {"customer": None, "staff": False}
        return JSONResponse(answer | self.context)

    async def _beacon(self, request: Request) -> Response:
        beacon = json.loads(await request.body())
        self.beacons.append(beacon | {"_path": request.url.path, "_type": request.headers["content-type"]})
        return Response(status_code=204)

    async def _add(self, _request: Request) -> Response:
        return self._with_handover(Response("{}"))

    async def _add_by_form(self, _request: Request) -> Response:
        return self._with_handover(Response(status_code=303, headers={"Location": "/product/hoodie/"}))

    def _with_handover(self, response: Response) -> Response:
        self.minted += 1
        item = {"id": f"{self.minted:032x}", **HOODIE, "quantity": 2}
        response.headers["Set-Cookie"] = (
            f"pixel_connector_cart={quote_plus(json.dumps([item]))}; Path=/; SameSite=Lax; Max-Age=300"
        )
        return response


def eventually(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """Wait for something that must come; the answer is what came, or the last that was there."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
