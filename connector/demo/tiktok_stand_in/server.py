"""The stand-in as a server in a thread, on a real socket of 127.0.0.1."""

import time
from collections.abc import Callable, Iterable, Mapping

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from connector.demo.listening import Listening
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


class StandInTikTok(Listening, StandInState):
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
        StandInState.__init__(self, tokens, slim=slim, clock=clock)
        # It drops connections on purpose: no news.
        Listening.__init__(self, lambda: stand_in_app(self), port=port, log_level="critical")

    def stop(self) -> None:
        """Close the socket: from now on connections are refused. A call that hangs is let go."""
        if self.mode == "hang":
            self.mode = "ok"
        super().stop()
