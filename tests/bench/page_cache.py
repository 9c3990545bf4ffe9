"""What of a database the system has in memory: nothing, as after the machine's restart, or the trees that a server
which wrote its history has there, because every new row falls somewhere else in them.
"""

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from sqlalchemy import text

from tests.bench.places import Place

__all__ = ["forget", "read_scattered_trees"]

_CHUNK = 4 << 20
# The trees whose keys are digests or event ids: one scan of SQLite's, and PostgreSQL's name of each.
_TREES = {
    "webhook_key_pkey": "SELECT count(*) FROM webhook_key NOT INDEXED",
    "order_ledger_pkey": "SELECT count(*) FROM order_ledger NOT INDEXED",
    "search_term_pkey": "SELECT count(*) FROM search_term NOT INDEXED",
    "event_once": "SELECT count(event_id) FROM event",
    "event_of_visitor": "SELECT count(*) FROM event INDEXED BY event_of_visitor",
    "consent_of_subject": "SELECT count(*) FROM consent_record INDEXED BY consent_of_subject",
}


def forget(place: Place) -> None:
    """Let the system drop every page of the database's files."""
    for path in _files(place):
        with path.open("rb") as file:
            os.fdatasync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_scattered_trees(place: Place) -> int:
    """Read each of them from end to end. Returns their bytes."""
    before = _bytes_read()
    if place.kind == "sqlite":
        with closing(sqlite3.connect(place.storage.database.sqlite_path)) as connection:
            for scan in _TREES.values():
                connection.execute(scan).fetchone()
    else:
        for path in _tree_files(place):
            with path.open("rb") as file:
                while file.read(_CHUNK):
                    pass
    return _bytes_read() - before


def _bytes_read() -> int:
    return int(Path("/proc/self/io").read_text(encoding="ascii").split()[1])


def _files(place: Place) -> Iterable[Path]:
    if place.kind == "sqlite":
        return place.folder.glob("connector.sqlite3*")
    return [path for path in _postgres_file(place, "pg_class").parent.iterdir() if path.is_file()]


def _tree_files(place: Place) -> Iterable[Path]:
    for name in _TREES:
        first = _postgres_file(place, name)
        yield from (first, *first.parent.glob(f"{first.name}.*"))


def _postgres_file(place: Place, relation: str) -> Path:
    asked = text("SELECT current_setting('data_directory') || '/' || pg_relation_filepath(:name)")
    with place.storage.database.read() as connection:
        return Path(str(connection.execute(asked, {"name": relation}).scalar_one()))
