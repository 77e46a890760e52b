"""`concordat wallet erase`: shown first, done on a yes, told with why and until when."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest

from clients.sdk.own_listings import OwnListings
from concordat import v1
from concordat.clock import Clock, from_timestamp, to_timestamp
from concordat.rpc.errors import RemoteError
from concordat.v1 import ErasureCategory, ErasureRule, Reason
from tests.builders import DAY
from tests.unit.clients.cli.conftest import ListingDesk

Wallet = tuple[str, str]


@pytest.fixture
def wallet(listed: ListingDesk) -> Wallet:
    listed.fake.erasure = v1.ErasureOutcome(
        gone=[
            v1.ErasureItem(category=ErasureCategory.ERASURE_CATEGORY_LISTINGS, count=1),
            v1.ErasureItem(category=ErasureCategory.ERASURE_CATEGORY_CONTACT, count=1),
        ],
        kept=[
            v1.ErasureItem(
                category=ErasureCategory.ERASURE_CATEGORY_ACCESSES,
                count=3,
                rule=ErasureRule.ERASURE_RULE_PROOF_OF_ACCESS,
                until=to_timestamp(listed.fake.at + 90 * DAY),
            )
        ],
        ask_too=["alder-bank"],
    )
    option = listed.wallet()
    listed.fake.in_force()
    return option


def test_what_goes_and_what_stays_is_told_with_why_until_when_and_whom_to_ask(
    listed: ListingDesk, wallet: Wallet
) -> None:
    result = listed.run("wallet", "erase", "--preview", *wallet)
    assert result.exit_code == 0, result.output
    for words in ("what would go", "proof that the access was lawful", "Ask them: alder-bank."):
        assert words in result.stdout
    told = listed.json("wallet", "erase", "--preview", *wallet)
    assert told["preview"]
    assert told["kept"][0]["until"]
    assert listed.fake.stories  # nothing went


def test_nothing_is_erased_without_a_yes(listed: ListingDesk, wallet: Wallet) -> None:
    result = listed.run("wallet", "erase", *wallet, stdin="n\n")
    assert result.exit_code == 1
    asked = [v1.ErasureRequest.FromString(r.request.payload) for r in erasures(listed)]
    assert [request.preview for request in asked] == [True]


def test_what_changed_after_it_was_shown_is_shown_again_before_anything_goes(
    listed: ListingDesk, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def agree(*_: object, **__: object) -> bool:
        asked.append(len(erasures(listed)))
        if len(asked) == 1:
            listed.fake.erasure.gone[1].count = 2
        return True

    monkeypatch.setattr("clients.cli.wallet_erase.typer.confirm", agree)
    result = listed.run("wallet", "erase", *wallet)
    assert result.exit_code == 0, result.output
    assert "has changed since you read it" in result.stdout
    assert len(asked) == 2
    previews = [
        v1.ErasureRequest.FromString(each.request.payload).preview for each in erasures(listed)
    ]
    assert previews == [True, True, True, False]


def test_whoever_reads_for_long_before_agreeing_sends_a_fresh_request(
    listed: ListingDesk, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = datetime.now(UTC)

    def agree(*_: object, **__: object) -> bool:
        monkeypatch.setattr(Clock, "now", lambda _: began + timedelta(minutes=5))
        return True

    monkeypatch.setattr("clients.cli.wallet_erase.typer.confirm", agree)
    listed.run("wallet", "erase", *wallet)
    sent = v1.ErasureRequest.FromString(erasures(listed)[-1].request.payload)
    assert not sent.preview
    assert from_timestamp(sent.issued_at) == began + timedelta(minutes=5)


def test_an_erasure_whose_answer_was_lost_is_found_out_at_once_or_by_the_log(
    listed: ListingDesk, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed.json("wallet", "listings", *wallet)
    for later in (0, 120):  # seconds: the same bytes are answered again; then they are too old
        listed.fake.in_force()
        listed.fake.lose_erasures = 4
        told = listed.json("wallet", "erase", "--yes", *wallet, code=3)
        assert "not known" in told["error"]
        at = datetime.now(UTC) + timedelta(seconds=later)
        monkeypatch.setattr("clients.cli.wallet_desk.Clock.now", lambda _, at=at: at)
        result = listed.run("wallet", "erase", "--preview", *wallet)
        assert "its answer had been lost" in result.stdout
        monkeypatch.undo()
        assert listed.json("wallet", "listings", *wallet)["ok"]
    assert len(listed.fake.erased) == 2


def test_the_wallet_does_not_miss_the_listings_that_went(
    listed: ListingDesk, wallet: Wallet
) -> None:
    assert listed.json("wallet", "listings", *wallet)["listings"]
    assert listed.json("wallet", "erase", "--yes", *wallet)["gone"][0]["count"] == 1
    assert listed.json("wallet", "listings", *wallet)["ok"]


def test_the_wallet_forgets_what_went_though_its_listings_could_not_be_read_just_then(
    listed: ListingDesk, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> OwnListings:
        raise RemoteError(grpc.StatusCode.UNAVAILABLE, Reason.REASON_UNAVAILABLE, "away")

    listed.json("wallet", "listings", *wallet)
    with monkeypatch.context() as patch:
        patch.setattr("clients.sdk.client.WalletClient.own_listings", lost)
        told = listed.json("wallet", "erase", "--yes", *wallet, code=3)
        assert "it was erased" in told["error"]
    assert listed.run("wallet", "erase", "--preview", *wallet).exit_code == 0
    assert listed.json("wallet", "listings", *wallet)["ok"]
    assert len(listed.fake.erased) == 1


def test_more_missing_than_erased_is_found_out(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.in_force()
    listed.json("wallet", "listings", *wallet)
    told = listed.json("wallet", "erase", "--yes", *wallet, code=1)
    assert told["reason"] == "ANSWER_NOT_VERIFIED"
    assert "2 listings are missing" in told["advice"]


def test_an_outcome_of_another_request_is_no_outcome(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.erasure.request_digest = bytes(32)
    told = listed.json("wallet", "erase", "--yes", *wallet, code=1)
    assert told["reason"] == "ANSWER_NOT_VERIFIED"


def erasures(listed: ListingDesk) -> list[v1.RequestErasureRequest]:
    return listed.fake.seen["RequestErasure"]
