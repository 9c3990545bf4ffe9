import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from connector.core.states import EventState
from connector.demo.samples import library, load
from connector.platforms import PLATFORMS
from connector.platforms.base import IncomingWebhook
from connector.storage.queue import event_queue
from connector.storage.tables import Event
from tests.cli.conftest import Commands, Opener
from tests.cli.road import paid_order

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)

_event = Event.__table__  # type: ignore[attr-defined]


class Receiver(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keeping)
        self.got: list[tuple[str, IncomingWebhook]] = []
        self.status = 200


class _Keeping(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append((self.path, IncomingWebhook(headers, body)))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"said so\n")

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_samples_are_sent_as_of_now_under_the_installations_secret(cli: Commands, receiver: Receiver) -> None:
    added = cli.add()
    file = str(library() / "woocommerce" / "order_updated_completed.json")
    url = f"http://127.0.0.1:{receiver.server_port}"
    command = [
        "send-sample",
        file,
        "product_viewed",
        "ping",
        "--installation",
        added["installation_id"],
        "--url",
        url,
    ]
    answer = cli(*command, "--json")
    assert answer.code == 0, answer.err
    assert [(one["sample"], one["status"], one["answer"]) for one in answer.document] == [
        ("order_updated_completed", 200, "said so"),
        ("product_viewed", 200, "said so"),
        ("ping", 200, "said so"),
    ]
    assert {path for path, _ in receiver.got} == {f"/webhooks/woocommerce/{added['installation_id']}"}
    verify = PLATFORMS["woocommerce"].verify
    kinds = [verify(webhook, [added["webhook_secret"]], NOW).kind for _, webhook in receiver.got]
    assert kinds == ["authentic", "authentic", "ping"]
    assert verify(receiver.got[0][1], ["another"], NOW).kind == "refused"
    assert receiver.got[0][1].body != load(file).body
    assert receiver.got[0][1].headers["x-wc-webhook-source"] == "https://shop.example/"
    assert added["webhook_secret"] not in answer.out + answer.err


def test_a_refusal_and_silence_exit_1(cli: Commands, receiver: Receiver) -> None:
    added = cli.add()["installation_id"]
    receiver.status = 410
    url = f"http://127.0.0.1:{receiver.server_port}/webhooks/woocommerce/elsewhere"
    answer = cli("send-sample", "product_viewed", "--installation", added, "--url", url, "--json")
    assert (answer.code, answer.document[0]["status"]) == (1, 410)
    assert receiver.got[0][0] == "/webhooks/woocommerce/elsewhere"
    answer = cli("send-sample", "product_viewed", "--installation", added, "--url", "http://127.0.0.1:1", "--json")
    assert (answer.code, answer.document[0]["status"]) == (1, None)
    assert "--url" in cli("send-sample", "product_viewed", "--installation", added, "--url", "here").refused()


def test_a_file_that_is_no_sample_is_refused(cli: Commands, tmp_path: Path) -> None:
    added = cli.add()["installation_id"]
    (tmp_path / "odd.json").write_text("[]")
    assert "odd.json" in cli("send-sample", str(tmp_path / "odd.json"), "--installation", added).refused()


def test_replay_sends_again_and_a_dry_run_changes_nothing(both: Commands, opened: Opener) -> None:
    added = both.add()["installation_id"]
    storage = opened()
    paid_order(storage, added)
    with storage.database.write() as connection:
        ids = list(connection.execute(_event.select().with_only_columns(_event.c.id)).scalars())
        event_queue.withdraw(connection, ids, storage.now())
        connection.execute(_event.update().values(state=EventState.DELIVERED, delivered_at=storage.now()))
    command = ["replay", "--installation", added, "--json"]
    dry = both(*command, "--dry-run").document
    assert (dry["total"], dry["would_send"], dry["would_send_twice"], dry["replayed"]) == (1, 1, 1, 0)
    assert both("events", "list", "--installation", added, "--state", "delivered", "--json").document
    assert both(*command, "--state", "dead").document["total"] == 0
    assert both(*command, "--until", "2020-01-01").document["total"] == 0
    done = both(*command, "--since", "2020-01-01").document
    assert (done["replayed"], done["skipped"]) == (1, 0)
    (event,) = both("events", "list", "--installation", added, "--json").document
    assert event["state"] == "pending"
    again = both("replay", "--installation", added)
    assert "wait already" in again.out


def test_staff_add_takes_the_password_from_standard_input(both: Commands) -> None:
    password = "canary long password"
    command = ["staff", "add", "Ana@Example.com", "--role", "support", "--password-stdin", "--json"]
    answer = both(*command, stdin=f"{password}\n")
    assert answer.document == {"email": "ana@example.com", "role": "support", "password": True}
    assert password not in answer.out + answer.err
    assert "12" in both(*command, stdin="short\n").refused()
    without = both("staff", "add", "ben@example.com", "--role", "admin")
    assert without.code == 0
    assert "single sign-on" in without.err


def test_reconcile_without_store_keys_is_one_clear_line(cli: Commands) -> None:
    added = cli.add()["installation_id"]
    answer = cli("reconcile", "--installation", added, "--since", "2026-11-01")
    assert answer.code in (1, 2)
    assert answer.one_line()
