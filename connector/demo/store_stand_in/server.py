"""The stand-in store as a server in a thread, on a real socket of 127.0.0.1."""

from typing import Any

from starlette.applications import Starlette

from connector.demo.listening import Listening
from connector.demo.store_stand_in.pages import page_routes
from connector.demo.store_stand_in.rest_api import rest_routes
from connector.demo.store_stand_in.state import StoreState

__all__ = ["StandInStore"]


class StandInStore(Listening, StoreState):
    """A running store. Port 0 takes a free one; switches of `StoreState` are its other arguments."""

    def __init__(self, *, port: int = 0, **switches: Any) -> None:
        StoreState.__init__(self, **switches)
        Listening.__init__(self, self._application, port=port, date_header=False)

    def _application(self) -> Starlette:
        self.source = f"{self.url}/"
        self.home = self.home or self.url
        return Starlette(routes=[*rest_routes(self, lambda: self.url), *page_routes(self, lambda: self.url)])
