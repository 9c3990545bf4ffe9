import pytest

from connector.cli.program import application
from tests.cli.conftest import Commands

CONTRACT = [
    *(["serve"], ["deliver"], ["demo"], ["migrate"], ["doctor"], ["send-sample"], ["replay"], ["reconcile"]),
    *(["rotate-keys"], ["export-person"], ["erase-person"], ["staff", "add"], ["events", "list"]),
    *(["webhooks", "list"], ["webhooks", "show"]),
    *(["installations", name] for name in "add list show pause resume remove set reconnect".split()),
]
COMMANDS = [
    *([command.name] for command in application(()).registered_commands if command.name),
    *(
        [group.name, command.name]
        for group in application(()).registered_groups
        for command in group.typer_instance.registered_commands
    ),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(cli: Commands, command: list[str]) -> None:
    answer = cli(*command, "--help")
    assert answer.code == 0
    assert answer.err == ""
    assert answer.out.startswith(f"Usage: connector {' '.join(command)}")
    first = answer.out.splitlines()[2].strip()
    assert len(first) > 20
    assert first[0].isupper()


def test_the_program_alone_shows_its_commands(cli: Commands) -> None:
    answer = cli()
    assert answer.code == 0
    assert all(command[0] in answer.out for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nonsense"], "nonsense"),
        (["events"], "Missing command"),
        (["events", "list"], "--installation"),
        (["events", "list", "--installation", "nobody"], "nobody"),
        (["events", "list", "--installation", "nobody", "--state", "lost"], "'lost' is not one of 'pending'"),
        (["events", "list", "--installation", "nobody", "--limit", "0"], "--limit"),
        (["webhooks", "list", "--installation", "nobody", "--json"], "nobody"),
        (["installations", "show", "nobody", "--json"], "nobody"),
        (["installations", "pause", "nobody"], "nobody"),
        (["installations", "resume", "nobody"], "nobody"),
        (["installations", "remove", "nobody"], "nobody"),
        (["installations", "set", "nobody", "currency=EUR"], "nobody"),
        (["installations", "set", "nobody"], "KEY=VALUE"),
        (["installations", "reconnect", "nobody"], "--access-token-stdin"),
        (["installations", "reconnect", "nobody", "--access-token-stdin"], "nobody"),
        (["send-sample", "ping", "--installation", "nobody"], "nobody"),
        (["send-sample", "no_such_sample", "--installation", "nobody"], "no_such_sample"),
        (["send-sample", "--installation", "nobody"], "FILE"),
        (["replay", "--installation", "nobody"], "nobody"),
        (["replay", "--installation", "nobody", "--since", "yesterday"], "--since"),
        (["replay", "--installation", "nobody", "--since", "0001-01-01T00:00:00+14:00"], "--since"),
        (["replay", "--installation", "nobody", "--until", "9999-12-31T23:59:59-14:00"], "--until"),
        (["replay", "--installation", "nobody", "--since", "2026-11-20", "--until", "2026-11-20"], "--until"),
        (["reconcile", "--installation", "nobody", "--since", "2026-11-01"], "nobody"),
        (["reconcile", "--installation", "nobody"], "--since"),
        (["doctor", "--installation", "nobody"], "nobody"),
        (["export-person", "--installation", "nobody"], "--email-stdin"),
        (["export-person", "--installation", "nobody", "--email-stdin"], "nobody"),
        (["erase-person", "--installation", "nobody", "--email-stdin"], "nobody"),
        (["staff", "add", "ana@example.com"], "--role"),
        (["staff", "add", "ana@example.com", "--role", "boss"], "boss"),
        (["staff", "add", "no address", "--role", "admin"], "e-mail"),
        (["serve", "--port", "99999"], "--port"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_bad_input_exits_2_with_one_line(cli: Commands, arguments: list[str], word: str) -> None:
    assert word in cli(*arguments, stdin="somebody@example.com\n").refused()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONNECTOR_PORT", "eighty"),
        ("CONNECTOR_SECRET_KEYS", "short"),
        ("CONNECTOR_DATABASE_URL", "mysql://localhost/x"),
        ("CONNECTOR_DATABASE_URL", "postgresql://u:p@host:port/x"),
        ("CONNECTOR_PUBLIC_URL", "connector.example"),
        ("CONNECTOR_LOG_FORMAT", "xml"),
        ("CONNECTOR_DATA_DIR", "/dev/null/data"),
    ],
)
@pytest.mark.parametrize("command", [["installations", "list", "--json"], ["doctor"], ["migrate"], ["serve"]])
def test_a_wrong_setting_is_named(
    cli: Commands, environment: pytest.MonkeyPatch, command: list[str], name: str, value: str
) -> None:
    environment.setenv(name, value)
    assert name in cli(*command).refused()


def test_another_key_is_a_wrong_setting(cli: Commands, environment: pytest.MonkeyPatch) -> None:
    cli.add()
    environment.setenv("CONNECTOR_SECRET_KEYS", "x" * 40)
    assert "CONNECTOR_SECRET_KEYS" in cli("installations", "list").refused()


def test_an_unreachable_database_is_one_line_without_the_password(
    cli: Commands, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("CONNECTOR_DATABASE_URL", "postgresql://user:canary-7f3a@127.0.0.1:1/x")
    answer = cli("installations", "list", "--json")
    assert (answer.code, answer.out) == (1, "")
    assert "database" in answer.one_line()
    assert "canary-7f3a" not in answer.err


def test_what_nobody_expected_is_one_line_and_shows_no_value(cli: Commands, environment: pytest.MonkeyPatch) -> None:
    def break_down(*_arguments: object) -> None:
        raise RuntimeError("token canary-7f3a")

    environment.setattr("connector.cli.installations.all_installations", break_down)
    answer = cli("installations", "list", "--json")
    assert (answer.code, answer.out) == (1, "")
    assert "RuntimeError" in answer.one_line()
    assert "canary-7f3a" not in answer.err


def test_the_contracts_commands_are_all_there() -> None:
    assert [command for command in CONTRACT if command not in COMMANDS] == []
