"""Installations as rows: versions of the program run side by side during an upgrade."""

import json

from sqlalchemy import update

from connector.storage.installations import find_installation
from connector.storage.opening import Storage
from connector.storage.tables import Installation
from tests.installations import add_installation


def test_a_setting_that_a_newer_version_wrote_is_left_out(storage: Storage) -> None:
    record = add_installation(storage)
    texts = json.loads(record.settings.model_dump_json()) | {"of_a_later_version": True}
    with storage.database.write() as connection:
        connection.execute(update(Installation.__table__).values(settings=json.dumps(texts)))

    with storage.database.read() as connection:
        found = find_installation(connection, record.id)

    assert found is not None
    assert found.settings == record.settings
