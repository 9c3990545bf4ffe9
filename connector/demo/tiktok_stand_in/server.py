"""The stand-in as a server in a thread, on a real socket of 127.0.0.1."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from connector.demo.tiktok_stand_in.accounts import routes
from connector.demo.tiktok_stand_in.state import StandInState
from connector.demo.tiktok_stand_in.track import track

__all__ = ["StandInTikTok", "stand_in_app"]

_TRACK_PATH = "/open_api/v1.3/event/track/"


def stand_in_app(state: StandInState) -> ASGIApp:
    """All routes; `event/track/` goes past the framework."""
    pages = Starlette(routes=routes(state))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == _TRACK_PATH and scope["method"] == "POST":
            await track(state, scope, receive, send)
        else:
            await pages(scope, receive, send)

    return app


class StandInTikTok(StandInState):
    """A running stand-in. What it took survives `stop` and `start`, which keep the port.

    `tokens` maps access tokens to the pixel codes they may use. Port 0 takes a free one.
    """

    def __init__(
        self,
        tokens: Mapping[str, Iterable[str]] | None = None,
        *,
        port: int = 0,
        slim: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(tokens, slim=slim, clock=clock)
        self.port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where to send, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; returns when calls are answered. Raises OSError when the port is taken."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            stand_in_app(self),
            log_config=None,
            log_level="critical",  # it drops connections on purpose
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise OSError("the stand-in TikTok did not start")
            time.sleep(0.005)

    def stop(self) -> None:
        """Close the socket: from now on connections are refused."""
        if self._server is None or self._thread is None:
            return
        if self.mode == "hang":
            self.mode = "ok"
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
