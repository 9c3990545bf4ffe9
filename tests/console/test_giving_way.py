"""While webhooks press, pages are spaced out; otherwise nothing waits."""

from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from connector.console.application import routes
from connector.console.giving_way import GivingWay
from tests.console.test_pages_render import sign_in
from tests.console.world import SUPPORT, World


class Machine:
    """A clock, a count of webhooks and the processor that they cost, which the test moves."""

    def __init__(self, cost: float = 0.0001) -> None:
        self.now, self.arrived, self.worked, self.cost = 1000.0, 0, 0.0, cost
        self.way = GivingWay(lambda: self.arrived, lambda: self.now, lambda: self.worked)

    def pass_time(self, seconds: float, rate: float) -> None:
        self.now += seconds
        self.arrived += int(seconds * rate)
        self.worked += seconds * rate * self.cost

    def page(self, cost: float) -> float:
        """How long a page waits that then costs so much."""
        wait = self.way.reserve()
        self.worked += cost
        self.way.spent(cost)
        self.way.done()
        return wait

    def pages(self, people: int, rate: float, seconds: float, cost: float) -> int:
        """How many pages people get who ask again two seconds after each."""
        asks, shown, end = [self.now + person / people for person in range(people)], 0, self.now + seconds
        while min(asks) < end:
            person = asks.index(min(asks))
            self.pass_time(max(asks[person] - self.now, 0.0), rate)
            wait = self.page(cost)
            assert wait <= 6.001
            asks[person], shown = self.now + wait + 2.0, shown + 1
        return shown


def test_nobody_waits_while_few_webhooks_arrive() -> None:
    machine = Machine()
    for _ in range(100):
        machine.pass_time(0.3, 200)
        assert machine.page(0.25) == 0.0, "what the console itself costs is no pressure"


def test_on_a_slow_machine_fewer_webhooks_press() -> None:
    machine = Machine(cost=0.0006)
    waits = []
    for _ in range(10):
        machine.pass_time(0.3, 800)
        waits.append(machine.page(0.05))
    assert max(waits) > 0.5


def test_work_without_webhooks_is_no_pressure() -> None:
    machine = Machine(cost=0.1)
    for _ in range(10):
        machine.pass_time(0.3, 10)
        assert machine.page(0.05) == 0.0


def test_after_the_rush_nobody_waits() -> None:
    machine = Machine()
    machine.pages(40, 8000, 5.0, 0.02)
    for _ in range(3):
        machine.pass_time(0.5, 10)
        machine.way.reserve()
    assert machine.way.reserve() == 0.0


@given(st.integers(1, 60), st.floats(0.002, 0.01), st.floats(1500, 12_000))
def test_under_pressure_the_console_keeps_to_its_share(people: int, cost: float, rate: float) -> None:
    machine = Machine()
    machine.pages(people, rate, 10.0, cost)  # learns what a page costs
    shown = machine.pages(people, rate, 60.0, cost)
    # Six seconds are the longest wait: a crowd beyond that is served all the same.
    allowed = max(0.04 / 2 * 60 / cost, people * 60 / 8)
    assert shown <= allowed * 1.1 + people


def test_a_page_under_pressure_is_late_and_whole(staffed: World) -> None:
    arrived = iter(range(0, 10_000_000, 100_000))
    client = TestClient(
        Starlette(routes=routes(staffed.settings, staffed.storage, arrived=lambda: next(arrived))),
        base_url="http://localhost",
    )
    assert sign_in(client, SUPPORT).status_code == 303
    assert client.get("/console/webhooks").status_code == 200
