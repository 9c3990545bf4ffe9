"""The stand-in store as a server in a thread, on a real socket of 127.0.0.1."""

import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette

from connector.demo.store_stand_in.pages import page_routes
from connector.demo.store_stand_in.rest_api import rest_routes
from connector.demo.store_stand_in.state import StoreState

__all__ = ["StandInStore"]


class StandInStore(StoreState):
    """A running store. Port 0 takes a free one; switches of `StoreState` are its other arguments."""

    def __init__(self, *, port: int = 0, **switches: Any) -> None:
        super().__init__(**switches)
        self.port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The store's home address, without a final slash."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; returns when calls are answered. Raises OSError when the port is taken."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self.source = f"{self.url}/"
        app = Starlette(routes=[*rest_routes(self, lambda: self.url), *page_routes(self, lambda: self.url)])
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            timeout_graceful_shutdown=1,
            date_header=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise OSError("the stand-in store did not start")
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop listening; what the store remembers stays."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(5)
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
