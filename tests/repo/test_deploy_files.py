"""The files that operators start from name only what exists."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from connector.app.metrics import Metrics
from connector.app.service import build_service
from connector.cli.program import application
from connector.settings import Settings
from connector.storage.opening import Storage
from tests.installations import add_installation

_FOLDER = Path(__file__).resolve().parents[2] / "connector" / "deploy"
_FILES = [path for path in sorted(_FOLDER.rglob("*")) if path.is_file()]


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_every_setting_exists(path: Path) -> None:
    named = set(re.findall(r"CONNECTOR_([A-Z_]+)", path.read_text()))
    assert {name for name in named if name.lower() not in Settings.model_fields} == set()


def test_every_command_of_the_units_exists() -> None:
    known = {
        command.name or command.callback.__name__
        for command in application(()).registered_commands
        if command.callback
    }
    for unit in (_FOLDER / "systemd").iterdir():
        (word,) = re.findall(r"bin/connector (\w+)", unit.read_text())
        assert word in known


def test_the_proxy_goes_by_whether_a_receiver_is_up_not_by_its_database() -> None:
    """Without its database a receiver still takes webhooks into its spool, and says in `/readyz` that it is not well:
    a proxy that went by that would turn every webhook away.
    """
    (asked,) = re.findall(r"health_uri (\S+)", (_FOLDER / "Caddyfile").read_text())
    assert asked == "/healthz"


def test_the_dashboard_asks_for_metrics_that_are_told(settings: Settings, storage: Storage) -> None:
    add_installation(storage)
    registry = CollectorRegistry()
    registry.register(Metrics(build_service(settings, storage, delivery=False)))
    told = generate_latest(registry).decode()

    dashboard = json.loads((_FOLDER / "grafana-dashboard.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"connector_\w+", target["expr"])
    }

    assert len(asked) >= 8
    for name in asked:
        assert name.removesuffix("_total") in told


def test_no_label_is_anybodys_id(settings: Settings, storage: Storage) -> None:
    add_installation(storage, "a-secret-installation-id")
    registry = CollectorRegistry()
    registry.register(Metrics(build_service(settings, storage, delivery=False)))

    assert b"a-secret-installation-id" not in generate_latest(registry)
