"""The composition root: settings in, running service out. The only place that wires the parts together."""

from connector.app.server import create_app, run_server
from connector.app.worker import run_worker

__all__ = ["create_app", "run_server", "run_worker"]
