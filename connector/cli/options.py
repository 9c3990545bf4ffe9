"""Options that several commands share, with one wording."""

from typing import Annotated

import typer

__all__ = ["AccessTokenStdin", "AsJson", "InstallationId", "InstallationOption", "Limit", "OptionalInstallation"]

InstallationId = Annotated[str, typer.Argument(metavar="ID", help="The installation's id.", show_default=False)]
InstallationOption = Annotated[
    str, typer.Option("--installation", metavar="ID", help="The installation's id.", show_default=False)
]
OptionalInstallation = Annotated[
    str | None,
    typer.Option("--installation", metavar="ID", help="Only this installation.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, metavar="N", help="At most N, oldest first.", show_default=False)
]
AccessTokenStdin = Annotated[
    bool,
    typer.Option("--access-token-stdin", help="Read TikTok's access token from the first line of standard input."),
]
