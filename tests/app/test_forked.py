"""A worker's processing in a child of its own: it works, ends with the worker, and is not missed when it dies."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.child import Child
from tests.road.service import Service

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")


@pytest.fixture
def service(tmp_path: Path, database_kind: str) -> Iterator[Service]:
    made = Service(tmp_path, database_kind, CONNECTOR_LOG_LEVEL="warning")
    yield made
    made.close()


def children(process: Child) -> list[int]:
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def started_worker(service: Service) -> tuple[Child, int]:
    worker = service.start("deliver")
    service.wait(lambda: len(children(worker)) == 1)
    return worker, children(worker)[0]


def test_the_child_processes_and_the_worker_delivers(service: Service) -> None:
    shop = service.add("--consent-policy", "opt_out")
    service.start("serve", "--no-delivery")
    worker, child = started_worker(service)

    assert service.post(shop, order_id=1) == 200
    service.wait(lambda: len(service.tiktok.accepted) == 1)

    assert service.stop(worker) == 0
    assert not is_alive(child)


def test_a_killed_worker_takes_its_child_with_it(service: Service) -> None:
    worker, child = started_worker(service)
    service.stop(worker, signal.SIGKILL)
    service.wait(lambda: not is_alive(child))


def test_a_worker_whose_child_was_killed_processes_by_itself(service: Service) -> None:
    shop = service.add("--consent-policy", "opt_out")
    service.start("serve", "--no-delivery")
    worker, child = started_worker(service)

    os.kill(child, signal.SIGKILL)
    for number in (1, 2, 3):
        assert service.post(shop, order_id=number) == 200

    service.wait(lambda: len(service.tiktok.accepted) == 3)
    assert worker.poll() is None
    assert service.stop(worker) == 0
