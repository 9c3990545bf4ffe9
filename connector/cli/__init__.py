"""The commands. `main` is the entry point of `connector` and of `python -m connector`."""

from connector.cli.program import main

__all__ = ["main"]
