"""`connector send-sample`"""

from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from connector.cli.environment import command_settings, opened
from connector.cli.options import AsJson, InstallationOption
from connector.cli.output import progress, write_json, write_table
from connector.core.http_values import OutgoingRequest
from connector.demo.samples import Sample, load, moved_to, signed
from connector.errors import SendFailed, UsageError
from connector.operations.installations import require_installation
from connector.outbound import send_now
from connector.storage.installations import InstallationRecord, open_credentials

_ANSWER_LIMIT = 200
_SOURCE = "x-wc-webhook-source"


def send_sample(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Sample files, or names of bundled ones.", show_default=False),
    ],
    installation: InstallationOption,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where the server listens; its public address when not given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign recorded webhooks with an installation's secret, as of now, and post them to a running server.

    \b
    Examples:
      connector send-sample order_updated_cod_paid --installation ID
      connector send-sample my_order.json --installation ID --url http://127.0.0.1:8000

    \b
    Exits 1 when any of them was not answered with 2xx.
    """
    settings = command_settings()
    samples = [load(file) for file in files]
    with opened(settings) as storage:
        with storage.database.read() as connection:
            record = require_installation(connection, installation)
            secrets = open_credentials(connection, storage.keys, record.id, "webhook_secret", storage.now())
        if not secrets:
            raise UsageError(f"installation {installation!r} has no webhook secret to sign with")
        target = _target(url or settings.own_url, record)
        with progress("Sending", len(samples)) as bar:
            answers = []
            for sample in samples:
                answers.append(_post(moved_to(sample, storage.now()), target, secrets[0], record.store_url))
                bar.advance()
    _show(answers, as_json)
    if any(not answer["accepted"] for answer in answers):
        raise typer.Exit(1)


def _target(url: str, record: InstallationRecord) -> str:
    if not url.startswith(("http://", "https://")) or not urlsplit(url).netloc:
        raise UsageError("--url takes an address such as http://127.0.0.1:8000")
    if "/webhooks/" in urlsplit(url).path:
        return url
    return f"{url.rstrip('/')}/webhooks/{record.platform}/{record.id}"


def _post(sample: Sample, target: str, secret: str, store_url: str) -> dict[str, Any]:
    headers, body = signed(sample, secret)
    # From this store, not from the one that was recorded: events of another address may be left out.
    headers |= {name: f"{store_url}/" for name in headers if name.lower() == _SOURCE}
    about = {"sample": sample.name, "topic": sample.topic or "ping"}
    try:
        reply = send_now(OutgoingRequest("POST", target, headers, body), guarded=False)
    except SendFailed as error:
        return {**about, "status": None, "accepted": False, "answer": f"no answer: {error.reason}"}
    answer = reply.body[:_ANSWER_LIMIT].decode("utf-8", "replace").strip()
    return {**about, "status": reply.status, "accepted": 200 <= reply.status < 300, "answer": answer}


def _show(answers: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        write_json(answers)
        return
    rows = [(a["sample"], a["topic"], a["status"], a["answer"]) for a in answers]
    write_table(("sample", "topic", "status", "answer"), rows, "Nothing was sent.")
