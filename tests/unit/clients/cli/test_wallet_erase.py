"""`concordat wallet erase`: shown first, done on a yes, told with why and until when."""

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.v1 import ErasureCategory, ErasureRule
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


def test_the_wallet_does_not_miss_the_listings_that_went(
    listed: ListingDesk, wallet: Wallet
) -> None:
    assert listed.json("wallet", "listings", *wallet)["listings"]
    assert listed.json("wallet", "erase", "--yes", *wallet)["gone"][0]["count"] == 1
    assert listed.json("wallet", "listings", *wallet)["ok"]


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
