"""What the doctor says of the audit log and of what stands in front of the service."""

import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import text

from connector.operations.doctor import examine
from connector.operations.doctor.check import Check
from connector.operations.doctor.front import public_address
from connector.operations.doctor.work import audit_chain
from connector.settings import Settings
from connector.storage.audit import audit
from connector.storage.opening import Storage


@pytest.fixture
def proxy() -> Iterator[ThreadingHTTPServer]:
    """Answers whatever status its path begins with."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(int(self.path.split("/")[1]))
            self.send_header("location", "https://elsewhere.example/")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def looked(settings: Settings, url: str, **changes: object) -> Check:
    (check,) = public_address(settings.model_copy(update={"public_url": url, **changes}))
    return check


def test_what_stays_in_the_spool_is_told_with_its_remedy(settings: Settings, storage: Storage) -> None:
    folder = settings.data_dir / "spool"

    def found() -> Check:
        (check,) = [each for each in examine(settings) if each.name == "spool"]
        return check

    assert found().ok
    folder.mkdir(exist_ok=True)
    waiting, damaged = folder / "1-2-3.spool", folder / "4-5-6.damaged"
    waiting.write_bytes(b"x")
    assert found().ok, "for a while that is what it is for"
    os.utime(waiting, (time.time() - 3600,) * 2)
    assert "connector serve" in found().remedy
    waiting.unlink()
    damaged.write_bytes(b"x")
    assert not found().ok
    assert "connector reconcile" in found().remedy


def test_a_redirect_in_front_is_found(settings: Settings, proxy: ThreadingHTTPServer) -> None:
    address = f"http://127.0.0.1:{proxy.server_port}"
    opened = {"allow_private_addresses": True}
    assert looked(settings, f"{address}/200", **opened).ok
    redirect = looked(settings, f"{address}/301", **opened)
    assert (redirect.ok, "redirect" in redirect.text) == (False, True)
    assert not looked(settings, f"{address}/502", **opened).ok


def test_an_address_that_cannot_be_reached_from_here_is_advice(settings: Settings) -> None:
    check = looked(settings, "http://127.0.0.1:1", allow_private_addresses=True)
    assert check.ok
    assert check.remedy


def test_a_port_that_stores_never_call_is_found(settings: Settings) -> None:
    check = looked(settings, "https://shop.example:9999", allow_private_addresses=False)
    assert (check.ok, "9999" in check.text) == (False, True)


def test_without_a_public_address_nothing_is_looked_for(settings: Settings) -> None:
    assert list(public_address(settings.model_copy(update={"public_url": None}))) == []


def test_a_changed_audit_log_is_found(storage: Storage, settings: Settings) -> None:
    for number in range(3):
        audit(storage, "admin@staff.example", "reveal", target=f"webhook {number}", reason="asked", details={})
    assert audit_chain(storage).ok
    with storage.database.write() as connection:
        if storage.database.is_sqlite:
            connection.execute(text("DROP TRIGGER IF EXISTS audit_log_no_update"))
        else:
            connection.execute(text("ALTER TABLE audit_log DISABLE TRIGGER ALL"))
        connection.execute(text("UPDATE audit_log SET reason = 'another' WHERE number = 2"))
    found = {check.name: check for check in examine(settings)}
    assert not found["audit_log"].ok
    assert "2" in found["audit_log"].text
