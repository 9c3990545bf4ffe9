import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from connector.core.installation_settings import InstallationSettings
from connector.errors import UsageError
from connector.operations.installation_values import ALLOWED_KEYS, currency_of, settings_with, store_url_of
from connector.storage.deliveries import lose_access
from connector.storage.installations import open_credentials
from connector.storage.notices import open_notices
from connector.storage.opening import Storage
from connector.storage.snapshot import InstallationSnapshot
from connector.storage.tables import Credential, EventWork
from tests.cli.conftest import Commands, Opener
from tests.cli.road import paid_order

CANARY = "canary-secret-7f3a"


def secrets_of(storage: Storage, installation_id: str, kind: str) -> list[str]:
    with storage.database.read() as connection:
        return open_credentials(connection, storage.keys, installation_id, kind, storage.now())


def test_add_prints_ids_addresses_and_the_secret_that_it_made(both: Commands, opened: Opener) -> None:
    added = both.add(token=CANARY)
    assert set(added) == {"installation_id", "public_id", "webhook_url", "pixel_script_url", "webhook_secret"}
    assert added["webhook_url"] == f"https://connector.example/webhooks/woocommerce/{added['installation_id']}"
    assert added["pixel_script_url"] == f"https://connector.example/pixel/{added['public_id']}.js"
    assert re.fullmatch(r"[A-Za-z0-9]{22}", added["installation_id"])
    assert re.fullmatch(r"[A-Za-z0-9]{22}", added["public_id"])
    assert added["installation_id"] != added["public_id"]
    assert re.fullmatch(r"[0-9a-f]{64}", added["webhook_secret"])
    storage = opened()
    assert secrets_of(storage, added["installation_id"], "access_token") == [CANARY]
    assert secrets_of(storage, added["installation_id"], "webhook_secret") == [added["webhook_secret"]]


def test_a_given_webhook_secret_is_kept_to_the_byte_and_not_printed(cli: Commands, opened: Opener) -> None:
    answer = cli(
        *"installations add --platform woocommerce --url http://shop.example/store/ --pixel-code C1".split(),
        *"--access-token-stdin --webhook-secret-stdin --json".split(),
        stdin=f"token\n {CANARY}&amp; \nmore",
    )
    assert "webhook_secret" not in answer.document
    assert CANARY not in answer.out + answer.err
    assert secrets_of(opened(), answer.document["installation_id"], "webhook_secret") == [f" {CANARY}&amp; "]


def test_add_normalises_what_was_typed(cli: Commands) -> None:
    added = cli.add("--currency", "eur", "--test-event-code", "TEST1")
    shown = cli("installations", "show", added["installation_id"], "--json").document
    assert shown["store_url"] == "https://shop.example"
    assert shown["currency"] == "EUR"
    assert shown["state"] == "active"
    assert shown["settings"]["consent_policy"] == "opt_out"
    assert shown["settings"]["test_event_code"] == "TEST1"
    assert shown["settings"]["test_event_code_expires_at"] is None


@pytest.mark.parametrize(
    ("changed", "stdin", "word"),
    [
        (["--url", "shop.example"], "t\n", "https://shop.example"),
        (["--url", "ftp://shop.example"], "t\n", "https://shop.example"),
        (["--pixel-code", "C 1"], "t\n", "pixel code"),
        (["--pixel-code", ""], "t\n", "pixel code"),
        (["--currency", "EURO"], "t\n", "currency"),
        (["--consent-policy", "always"], "t\n", "consent-policy"),
        (["--platform", "shopify"], "t\n", "platform"),
        (["--test-event-code", "no spaces"], "t\n", "test event code"),
        ([], "", "access token"),
        ([], "\n", "access token"),
        (["--webhook-secret-stdin"], "t\n", "webhook secret"),
        ([], "  \t\r\n", "access token"),
        ([], "to\x07ken\n", "control characters"),
        ([], f"{'t' * 70_000}\n", "too long"),
        (["--webhook-secret-stdin"], "t\n\n", "webhook secret"),
        (["--webhook-secret-stdin"], "t\n   \n", "webhook secret"),
    ],
)
def test_add_refuses_with_one_line(cli: Commands, changed: list[str], stdin: str, word: str) -> None:
    command = "installations add --platform woocommerce --url https://shop.example --pixel-code C1".split()
    assert word in cli(*command, "--access-token-stdin", "--json", *changed, stdin=stdin).refused()
    assert cli("installations", "list", "--json").document == []


def test_a_token_is_never_an_argument(cli: Commands) -> None:
    command = "installations add --platform woocommerce --url https://shop.example --pixel-code C1".split()
    assert "standard input" in cli(*command).refused()
    assert "No such option" in cli(*command, "--access-token", CANARY).refused()


@pytest.mark.parametrize("typed", ["t-1", "t-1\r", "  t-1\t", "t-1 \r"])
def test_what_came_with_copying_a_token_is_left_out(cli: Commands, opened: Opener, typed: str) -> None:
    added = cli.add(token=typed)["installation_id"]
    assert secrets_of(opened(), added, "access_token") == ["t-1"]


@pytest.mark.parametrize(
    ("changed", "cleared"),
    [
        ("value_basis=without_tax", "value_basis="),
        ("consent_policy=required", "consent_policy=null"),
        ("custom_events=a.b:Booking", "custom_events=null"),
        ("paid_statuses=shipped", "paid_statuses="),
        ("disabled_events=Search", "disabled_events=null"),
        ("send_renewals=true", "send_renewals="),
        ("currency=USD", "currency=null"),
        ("store_name=Mugs", "store_name=null"),
        ("test_event_code=TEST1", "test_event_code=null"),
    ],
)
def test_nothing_or_null_brings_back_the_default(cli: Commands, changed: str, cleared: str) -> None:
    added = cli.add()["installation_id"]
    cli("installations", "set", added, "consent_policy=by_region")

    def shown() -> dict[str, object]:
        document = cli("installations", "show", added, "--json").document
        return {name: value for name, value in document.items() if name != "updated_at"}

    before = shown()
    assert cli("installations", "set", added, changed).code == 0
    assert shown() != before
    assert cli("installations", "set", added, cleared).code == 0
    assert shown() == before


@pytest.mark.parametrize(
    ("assignment", "word"),
    [
        ("paid_statuses={}", "paid_statuses"),
        ("paid_statuses=Processing!", "paid_statuses"),
        ("paid_statuses=[1]", "paid_statuses"),
        ("disabled_events=Viewcontent", "ViewContent"),
        ("disabled_events=Booking", "'Booking'"),
    ],
)
def test_a_word_that_would_do_nothing_is_refused(cli: Commands, assignment: str, word: str) -> None:
    added = cli.add()["installation_id"]
    assert word in cli("installations", "set", added, assignment).refused()


def test_an_event_of_ones_own_can_be_off(cli: Commands) -> None:
    added = cli.add()["installation_id"]
    set_both = ("installations", "set", added, "custom_events=a.b:Booking", "disabled_events=Booking", "--json")
    assert cli(*set_both).document["settings"]["disabled_events"] == ["Booking"]


def test_pause_resume_and_remove(both: Commands, opened: Opener) -> None:
    first = both.add()["installation_id"]
    other = both.add()["installation_id"]
    assert both("installations", "pause", first, "--json").document["state"] == "paused"
    assert both("installations", "resume", first, "--json").document["state"] == "active"
    assert both("installations", "remove", first, "--json").document["state"] == "removed"
    states = {one["installation_id"]: one["state"] for one in both("installations", "list", "--json").document}
    assert states == {first: "removed", other: "active"}
    with opened().database.read() as connection:
        owners = connection.execute(select(Credential.installation_id)).scalars()
        assert first not in set(owners)
    for command in (["pause", first], ["resume", first], ["set", first, "currency=EUR"]):
        assert "was removed" in both("installations", *command).refused()
    assert both("installations", "remove", first).code == 0


def test_a_running_server_sees_every_change(cli: Commands, opened: Opener) -> None:
    added = cli.add()["installation_id"]
    snapshot = InstallationSnapshot(opened(), max_age=-1)
    seen = [snapshot.all()[added]]
    for command in (
        ["pause", added],
        ["resume", added],
        ["set", added, "pixel_code=C2"],
        ["set", added, "currency=USD"],
    ):
        assert cli("installations", *command).code == 0
        seen.append(snapshot.all()[added])
    assert [(r.state, r.pixel_code, r.currency) for r in seen] == [
        ("active", "C1", ""),
        ("paused", "C1", ""),
        ("active", "C1", ""),
        ("active", "C2", ""),
        ("active", "C2", "USD"),
    ]


def test_set_takes_json_lists_pairs_and_plain_text(cli: Commands) -> None:
    added = cli.add()["installation_id"]
    answer = cli(
        "installations", "set", added, "--json",
        "paid_statuses=wc-processing, shipped", 'disabled_events=["ViewContent"]', "custom_events=a.b:Booking",
        "send_renewals=true", "value_basis=without_tax", "test_event_code=12345",
        "test_event_code_expires_at=2030-01-01T00:00", "pixel_code=987", "store_name=Änne's shop", "currency=usd",
        "store_url=https://Other.example/", "consent_policy=required", 'content_id="id"', "purchase_event=Purchase",
        "views_direct=yes", "send_product_names=false",
    )  # fmt: skip
    document = answer.document
    expected = InstallationSettings().model_dump(mode="json") | {
        "consent_policy": "required",
        "paid_statuses": ["processing", "shipped"],
        "value_basis": "without_tax",
        "content_id": "id",
        "purchase_event": "Purchase",
        "disabled_events": ["ViewContent"],
        "custom_events": {"a.b": "Booking"},
        "send_renewals": True,
        "send_product_names": False,
        "test_event_code": "12345",
        "test_event_code_expires_at": "2030-01-01T00:00:00Z",
        "views_direct": True,
    }
    assert document["settings"] == expected
    columns = [document[name] for name in ("pixel_code", "store_name", "currency", "store_url")]
    assert columns == ["987", "Änne's shop", "USD", "https://other.example"]
    assert cli("installations", "show", added, "--json").document["settings"] == document["settings"]


def test_a_new_test_event_code_does_not_inherit_the_old_expiry(cli: Commands) -> None:
    added = cli.add()["installation_id"]
    cli("installations", "set", added, "test_event_code=A", "test_event_code_expires_at=2020-01-01T00:00Z")
    changed = cli("installations", "set", added, "test_event_code=B", "--json").document["settings"]
    assert (changed["test_event_code"], changed["test_event_code_expires_at"]) == ("B", None)
    cleared = cli("installations", "set", added, "test_event_code=null", "--json").document["settings"]
    assert cleared["test_event_code"] is None


@pytest.mark.parametrize(
    "assignment",
    [f"access_token={CANARY}", f"webhook_secret={CANARY}", f"consumer_secret={CANARY}", f"consumer_key={CANARY}"],
)
def test_set_refuses_secret_fields_without_repeating_them(cli: Commands, assignment: str) -> None:
    added = cli.add()["installation_id"]
    assert CANARY not in cli("installations", "set", added, "currency=USD", assignment).refused()
    assert cli("installations", "show", added, "--json").document["currency"] == ""


@pytest.mark.parametrize(
    ("assignment", "word"),
    [
        ("colour=red", "consent_policy"),
        ("currency", "KEY=VALUE"),
        ("consent_policy=maybe", "consent_policy"),
        ("send_renewals=perhaps", "send_renewals"),
        ("paid_statuses=[]", "at least one"),
        ("custom_events=topic", "topic:Name"),
        ("custom_events=a:Checkout", "reserves"),
        ("test_event_code_expires_at=soon", "2026-12-31"),
        ("state=removed", "no setting"),
        ("store_url=shop", "https://shop.example"),
    ],
)
def test_set_names_what_is_wrong(cli: Commands, assignment: str, word: str) -> None:
    added = cli.add()["installation_id"]
    assert word in cli("installations", "set", added, assignment).refused()


def test_reconnect_takes_the_new_token_and_sends_what_waited(both: Commands, opened: Opener) -> None:
    added = both.add(token="old")["installation_id"]
    storage = opened()
    paid_order(storage, added)
    with storage.database.write() as connection:
        lose_access(
            connection, notice_id=1, installation_id=added, reason="token_revoked", details="", now=storage.now()
        )
    answer = both("installations", "reconnect", added, "--access-token-stdin", "--json", stdin=f"{CANARY}\n")
    assert answer.code == 0, answer.err
    assert CANARY not in answer.out + answer.err
    assert (answer.document["access"], answer.document["state"]) == ("ok", "active")
    assert secrets_of(storage, added, "access_token") == [CANARY]
    with storage.database.read() as connection:
        assert open_notices(connection, added) == []
        assert connection.execute(select(EventWork.run_at)).scalar_one() <= storage.now()


def test_show_names_notices_and_counts_events(cli: Commands, opened: Opener) -> None:
    added = cli.add()["installation_id"]
    storage = opened()
    paid_order(storage, added)
    with storage.database.write() as connection:
        lose_access(
            connection, notice_id=1, installation_id=added, reason="token_revoked", details="", now=storage.now()
        )
    shown = cli("installations", "show", added, "--json").document
    assert shown["events"] == {"pending": 1}
    assert [notice["kind"] for notice in shown["notices"]] == ["access_lost"]
    text = cli("installations", "show", added)
    assert "access_lost" in text.out
    assert text.code == 0


@given(st.sampled_from(ALLOWED_KEYS), st.text(max_size=30))
def test_any_text_for_any_setting_is_taken_or_refused_in_words(key: str, text: str) -> None:
    if key in InstallationSettings.model_fields:
        try:
            settings_with(InstallationSettings(), {key: text})
        except UsageError as error:
            said = str(error)
        else:
            said = "taken"
        assert said


@given(st.text(max_size=30))
def test_addresses_and_currencies_are_normal_or_refused(text: str) -> None:
    for read, form in ((store_url_of, r"https?://\S+[^/]"), (currency_of, r"[A-Z]{3}|")):
        try:
            found = read(text)
        except UsageError:
            continue
        assert re.fullmatch(form, found)
        assert read(found) == found
