"""The commands. `main` is the entry point of `connector` and of `python -m connector`."""

__all__ = ["main"]


def main() -> None:
    """Run the command of the process' arguments and exit with its code."""
    from connector.cli.program import main as run

    run()
