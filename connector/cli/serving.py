"""`connector serve`, `connector deliver` and `connector demo`."""

import importlib
from typing import Annotated

import typer

from connector.cli.environment import opened
from connector.errors import ConnectorError
from connector.logs import configure_logs
from connector.settings import Settings, load_settings


def serve(
    host: Annotated[
        str | None, typer.Option(metavar="H", help="Address to listen on; CONNECTOR_HOST when not given.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="P", help="Port; CONNECTOR_PORT when not given.")
    ] = None,
    no_delivery: Annotated[
        bool, typer.Option("--no-delivery", help="Only receive; `connector deliver` sends, in another process.")
    ] = False,
) -> None:
    """Receive webhooks, show the pages, and send events to TikTok. An empty SQLite file gets its tables.

    \b
    Examples:
      connector serve
      connector serve --host 0.0.0.0 --port 8080 --no-delivery
    """
    settings = _settings()
    from connector.app import run_server

    run_server(settings, host=host, port=port, delivery=not no_delivery)


def deliver() -> None:
    """Only send: process stored webhooks and deliver their events, beside `connector serve --no-delivery`.

    \b
    Several may run on one PostgreSQL; each takes its share.
    """
    settings = _settings()
    from connector.app import run_worker

    run_worker(settings)


def demo() -> None:
    """Play a whole story on a throw-away database with a stand-in TikTok, and say what happened and why.

    \b
    Needs no network and no account. Exits 0 only when every expected outcome came true.
    """
    try:
        run = importlib.import_module("connector.demo.story").run
    except ModuleNotFoundError:
        raise ConnectorError("this installation has no demo") from None
    raise typer.Exit(run())


def _settings() -> Settings:
    settings = load_settings()
    configure_logs(settings.log_format, settings.log_level)
    with opened(settings):  # a wrong setting stops the start with one line that names it
        return settings
