"""The intake, served."""

from collections.abc import Iterator

import pytest

from connector.settings import Settings
from connector.storage.opening import Storage
from tests.intake.serving import LIMIT, Served


@pytest.fixture
def served(settings: Settings, storage: Storage) -> Iterator[Served]:
    limits = {"max_body_bytes": LIMIT, "body_timeout": 0.6, "header_timeout": 0.6, "commit_patience": 20.0}
    with Served(settings.model_copy(update=limits), storage) as running:
        yield running
