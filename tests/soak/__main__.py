"""`python -m tests.soak`: the long form of the kill matrix (`kills`), then very many broken requests (`fuzz`).

Each writes its own part of the report and leaves the other's.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from tests.soak.fuzz import fuzz
from tests.soak.matrix import RANDOM, Outcome, all_places, run

_DATABASES = ("sqlite", "postgresql")
_REPORT = Path(__file__).with_name("REPORT.md")
_BROKEN = "# Broken requests"
_BROKEN_WORDS = (
    "Made by `python -m tests.soak fuzz`: webhooks under wrong signatures, bytes of which were flipped, cut, doubled",
    "or mixed, over plain sockets to one `serve`. Good: it is the process that was started, answered nothing with a",
    "5xx, stored no row but the one signed webhook at the end, and grew by less than 30 MB.",
)


def main() -> int:
    """0 when no promise was broken."""
    arguments = _parsed()
    parts = {"kills": _kills, "fuzz": _fuzz}
    wanted = parts if arguments.command == "all" else [arguments.command]
    return max([parts[name](arguments) for name in wanted])


def _kills(arguments: argparse.Namespace) -> int:
    kinds = _DATABASES if arguments.database == "both" else (arguments.database,)
    outcomes = [Outcome(kind) for kind in kinds]

    def long(outcome: Outcome) -> None:
        for _ in _parts(outcome, arguments.kills, arguments.part, arguments.seed):
            _write(arguments.report, kills=report(outcomes))  # whatever happens next, this stands

    with ThreadPoolExecutor(len(kinds)) as threads:
        list(threads.map(long, outcomes))
    print(report(outcomes))
    return int(any(outcome.faults for outcome in outcomes))


def _fuzz(arguments: argparse.Namespace) -> int:
    lines: list[str] = []

    def tell(line: str) -> None:
        print(line, flush=True)
        lines.append(f"- {line}")
        _write(arguments.report, broken="\n".join([_made_on(), "", *_BROKEN_WORDS, "", *lines]))

    return fuzz(arguments.requests, tell=tell, seed=arguments.seed)


def _write(path: Path, kills: str = "", broken: str = "") -> None:
    """Replace one part of the report."""
    found = path.read_text() if path.is_file() else ""
    old_kills, _, old_broken = found.partition(_BROKEN)
    both = (kills or old_kills).strip(), (broken or old_broken).strip()
    parts = [both[0], f"{_BROKEN}\n\n{both[1]}" if both[1] else ""]
    path.write_text("\n\n".join(part for part in parts if part) + "\n")


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("all", "kills", "fuzz"), default="all")
    parser.add_argument("--kills", type=int, default=1000, help="per database (default 1000)")
    parser.add_argument("--part", type=int, default=100, help="kills after which all is checked (default 100)")
    parser.add_argument("--database", choices=(*_DATABASES, "both"), default="both")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, default=_REPORT)
    parser.add_argument("--requests", type=int, default=1_000_000, help="of fuzz (default 1000000)")
    return parser.parse_args()


def _parts(total: Outcome, kills: int, part: int, seed: int) -> Iterator[None]:
    """Several runs, each on a new database; on SQLite every other one has a receiver and a worker apart."""
    kind = total.kind
    for number, start in enumerate(range(0, kills, part)):
        places = all_places(min(part, kills - start), seed + number)
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            outcome = run(kind, Path(folder), places, seed=seed + number, split=number % 2 == 1, tell=_tell)
        for counter in ("kills", "missed", "counts"):
            getattr(total, counter).update(getattr(outcome, counter))
        total.faults += outcome.faults
        total.seconds += outcome.seconds
        _tell(f"{kind}: {total.kills.total()} kills, {len(total.faults)} faults")
        yield


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _made_on() -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}, {platform.system()}."
    )


def report(outcomes: Sequence[Outcome]) -> str:
    """A page in Markdown."""
    lines = [
        "# Kill matrix",
        "",
        f"{_made_on()} Made by `python -m tests.soak kills`.",
        "",
        "Every process runs the command line's own `main` and is ended by SIGKILL under load: at a named place, or",
        "at a random moment. TikTok's stand-in is slow, drops connections after it took the events, or is down.",
        "SQLite: one `serve`, or `serve --no-delivery` beside `deliver`. PostgreSQL: two of each. SIGKILL ends a",
        "process and leaves the machine's memory alone; loss of power is the part of `synchronous=FULL` and fsync.",
        "",
        "Checked: what was answered 200 is stored exactly once; every stored webhook ends in one final state; every",
        "event reaches TikTok under one event id, counted once after TikTok's merging; nothing forged is stored or",
        "sent, and nothing is sent that nobody posted.",
        "",
        f"| | {' | '.join(outcome.kind for outcome in outcomes)} |",
        f"|---|{'---:|' * len(outcomes)}",
    ]
    rows = [
        ("kills", [o.kills.total() for o in outcomes]),
        ("**broken promises**", [len(o.faults) for o in outcomes]),
    ]
    rows += [(name, [o.counts[name] for o in outcomes]) for name in max((o.counts for o in outcomes), key=len)]
    rows.append(("seconds", [round(o.seconds) for o in outcomes]))
    lines += [f"| {name} | {' | '.join(f'{value:,}' for value in values)} |" for name, values in rows]
    lines += ["", "## Where they died", "", f"| place | {' | '.join(o.kind for o in outcomes)} |"]
    lines.append(f"|---|{'---:|' * len(outcomes)}")
    places = [*sorted({place for o in outcomes for place in o.kills} - {RANDOM}), RANDOM]
    lines += [f"| {place} | {' | '.join(str(o.kills[place]) for o in outcomes)} |" for place in places]
    missed = [f"{o.kind}: {place} ({count})" for o in outcomes for place, count in o.missed.items()]
    if missed:
        lines += ["", f"Not reached in time, killed from outside and not counted: {', '.join(missed)}."]
    lines += ["", *(f"- {o.kind}: {fault}" for o in outcomes for fault in o.faults[:50])]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
