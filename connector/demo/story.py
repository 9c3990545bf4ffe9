"""`make demo`: a short story of one store, played with real recorded webhooks on the real server."""

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from connector.demo.stage import Stage
from connector.demo.tiktok_stand_in import AcceptedEvent
from connector.errors import ConnectorError

__all__ = ["run"]

_WRONG_SECRET = "not-the-secret-of-this-store"  # noqa: S105 -- the forger does not know the real one


@dataclass(frozen=True, slots=True)
class Expected:
    """What a scene must leave behind: HTTP answers, and events by name, state, reason, value and currency."""

    answers: Sequence[int]
    events: Sequence[tuple[str, str, str, str | None, str | None]] = ()
    accepted: int = 0


@dataclass(frozen=True, slots=True)
class Scene:
    """One step of the story. `play` posts what it posts and returns the HTTP answers."""

    title: str
    why: str
    play: Callable[[Stage], list[int]]
    expected: Expected


def _posts(*names: str) -> Callable[[Stage], list[int]]:
    return lambda stage: [stage.post(stage.now_sample(name)).status for name in names]


def _twice(name: str) -> Callable[[Stage], list[int]]:
    def play(stage: Stage) -> list[int]:
        sample = stage.now_sample(name)
        return [stage.post(sample).status, stage.post(sample).status]

    return play


def _forged(name: str) -> Callable[[Stage], list[int]]:
    return lambda stage: [stage.post(stage.now_sample(name), _WRONG_SECRET).status]


def _outage(*names: str) -> Callable[[Stage], list[int]]:
    def play(stage: Stage) -> list[int]:
        stage.tiktok.mode = "down"
        answers = _posts(*names)(stage)
        stage.wait("two tries in vain", lambda: sum(1 for e in stage.events() if e.attempts >= 2) >= len(names))
        _say(f"    TikTok is down; {len(names)} purchases wait, each tried twice and more. Now it comes back.")
        stage.tiktok.mode = "ok"
        return answers

    return play


STORY: tuple[Scene, ...] = (
    Scene(
        "A visitor looks at a hoodie",
        "consent was granted: ViewContent goes to TikTok under the id that the browser uses too",
        _posts("product_viewed"),
        Expected([200], [("ViewContent", "delivered", "", "46.41", "EUR")], 1),
    ),
    Scene(
        "and puts two into the cart",
        "AddToCart carries the value of both",
        _posts("cart_item_added"),
        Expected([200], [("AddToCart", "delivered", "", "101.16", "EUR")], 1),
    ),
    Scene(
        "An order is created, unpaid",
        "kept, but not a purchase yet: its status is pending",
        _posts("order_created_pending"),
        Expected([200]),
    ),
    Scene(
        "The same order is paid, and the store tells it twice",
        "one purchase per order for ever; the second webhook is a duplicate and changes nothing",
        _twice("order_updated_set_paid"),
        Expected([200, 200], [("CompletePayment", "delivered", "", "29.75", "EUR")], 1),
    ),
    Scene(
        "Another order waits for a bank transfer",
        "on hold is a promise, not a payment: nothing is sent",
        _posts("order_updated_bank_transfer_on_hold"),
        Expected([200]),
    ),
    Scene(
        "Somebody forges an order",
        "the signature does not fit: 401, and nothing is stored",
        _forged("order_created_usd"),
        Expected([401]),
    ),
    Scene(
        "A visitor refused consent, and buys",
        "withheld: the row keeps the value for the owner's figures, and nobody's identity",
        _posts("order_stamped_consent_denied"),
        Expected([200], [("CompletePayment", "withheld", "consent_denied", "20.71", "EUR")]),
    ),
    Scene(
        "TikTok is down while two orders arrive, from the US and from Japan",
        "they are stored, retried and delivered when it heals: no sale is lost in an outage",
        _outage("order_created_usd", "order_created_jpy"),
        Expected(
            [200, 200],
            [
                ("CompletePayment", "delivered", "", "1474.98", "USD"),
                ("CompletePayment", "delivered", "", "51", "JPY"),
            ],
            2,
        ),
    ),
)

_console = Console(file=sys.stdout, highlight=False)


def _say(text: str) -> None:
    _console.print(text, soft_wrap=True)


def run() -> int:
    """Play the story. Returns 0 when every expected outcome came true, else 1."""
    _say("[bold]A store, its webhooks, and what TikTok heard[/bold] (real recorded requests, a stand-in TikTok)\n")
    faults = 0
    with Stage() as stage:
        for number, scene in enumerate(STORY, 1):
            faults += _play(stage, number, scene)
        _say("")
        _console.print(_summary(stage))
        faults += _accepted_fault(stage)
    verdict = "[green]Every expected outcome came true.[/green]" if not faults else f"[red]{faults} went wrong.[/red]"
    _say(f"\n{verdict}")
    return 1 if faults else 0


def _play(stage: Stage, number: int, scene: Scene) -> int:
    _say(f"[bold]{number}. {scene.title}[/bold]")
    known = {event.event_id for event in stage.events()}
    accepted = len(stage.tiktok.accepted)
    try:
        answers = scene.play(stage)
        stage.wait("everything to be worked through", stage.settled)
    except ConnectorError as error:
        _say(f"    [red]✗ {error}[/red]")
        return 1
    found = [event for event in stage.events() if event.event_id not in known]
    for event in found:
        value = f", {event.value} {event.currency}" if event.value is not None else ""
        _say(f"    {event.name} {event.state}{f' ({event.reason})' if event.reason else ''}{value}")
    seen = Expected(
        answers,
        [(e.name, e.state, e.reason, None if e.value is None else str(e.value), e.currency) for e in found],
        len(stage.tiktok.accepted) - accepted,
    )
    if _comparable(seen) == _comparable(scene.expected):
        _say(f"    [green]✓[/green] {scene.why}")
        return 0
    _say(f"    [red]✗ expected {scene.expected}\n      but got  {seen}[/red]")
    return 1


def _comparable(expected: Expected) -> tuple[list[int], list[object], int]:
    return list(expected.answers), sorted(expected.events, key=repr), expected.accepted


def _accepted_fault(stage: Stage) -> int:
    """TikTok's own list against ours: each delivered event is there, once."""
    there = sorted(event.event["event_id"] for event in stage.tiktok.accepted)
    ours = sorted(event.event_id for event in stage.events() if event.state == "delivered")
    return 0 if there == ours else 1


def _summary(stage: Stage) -> Table:
    table = Table(title="What became of it", title_justify="left")
    for name in ("", "count", "value"):
        table.add_column(name, justify="left" if not name else "right")
    events = stage.events()
    table.add_row("webhooks received and stored", str(len(stage.webhooks())), "")
    table.add_row("events accepted by TikTok", str(len(stage.tiktok.accepted)), _values(stage.tiktok.accepted))
    for state, label in (("withheld", "events withheld for consent"), ("rejected", "events rejected by TikTok")):
        found = [event for event in events if event.state == state]
        table.add_row(label, str(len(found)), _money((e.value, e.currency) for e in found))
    refused = sum(1 for status in stage.answers if status >= 400)
    table.add_row("requests refused", str(refused), "")
    return table


def _values(accepted: Sequence[AcceptedEvent]) -> str:
    properties = (event.event.get("properties", {}) for event in accepted)
    return _money((p.get("value"), p.get("currency")) for p in properties)


def _money(amounts: object) -> str:
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for value, currency in amounts:  # type: ignore[attr-defined]
        if value is not None and currency:
            totals[currency] += Decimal(str(value))
    return ", ".join(f"{total.normalize():,f} {currency}" for currency, total in sorted(totals.items()))
