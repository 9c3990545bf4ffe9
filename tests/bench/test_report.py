from tests.bench.report import Row, at_least, at_most, compared, markdown


def verdicts(*rows: Row) -> list[str]:
    return [line.split("|")[-2].strip() for line in markdown(rows).splitlines()[2:]]


def test_a_miss_of_speed_says_what_it_comes_to_on_the_machine_of_the_budgets() -> None:
    machine = Row("empty", "7,500/s", empty_rate=7500)
    told = verdicts(machine, at_least("rate", 500, "/s", 1500), at_most("p99", 100, "ms", 50))
    assert told == [
        "",
        "**miss** here; computed for 30,000 empty answers/s: 1.33 of the budget",
        "**miss** here; computed for 30,000 empty answers/s: 2.00 of the budget",
    ]


def test_what_does_not_hang_on_the_machine_is_not_computed() -> None:
    machine = Row("empty", "7,500/s", empty_rate=7500)
    told = verdicts(
        machine,
        at_most("memory", 300, "MB", 200),
        compared("a", "1", "b", 0.3, least=0.4),
        at_least("rate", 2, "/s", 1),
    )
    assert told == ["", "**miss**", "**miss**", "pass"]


def test_without_that_machine_s_rate_a_miss_is_a_miss() -> None:
    assert verdicts(at_least("rate", 500, "/s", 1500)) == ["**miss**"]
