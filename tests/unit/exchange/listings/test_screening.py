"""ScreenListings: many consented subjects in one message, each checked, counted and logged by itself."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.statements import digest_of, seal
from concordat.trust.envelope import validate
from concordat.v1 import (
    ConsentEventKind,
    DataCategory,
    FlagKind,
    Purpose,
    Reason,
    Role,
)
from concordat.verify.screen_answer import verify_screen_answer
from tests.builders import DAY, EXCHANGE, LENDER, Granted, signer
from tests.exchange_services import reason_of
from tests.listing_builders import digest
from tests.listing_desk import LISTINGS, ListingDesk

FLAGS = DataCategory.DATA_CATEGORY_FLAGS
FREEZE, ALERT = FlagKind.FLAG_KIND_FREEZE, FlagKind.FLAG_KIND_FRAUD_ALERT
OTHER_LENDER = "second-lender"
NO_ACCESS = bytes(16)


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


def people(desk: ListingDesk, count: int) -> list[Granted]:
    """Return consents of many subjects, none of whom is listed."""
    return [desk.periodic(desk.federation.subject(f"person {n}")) for n in range(count)]


def reasons(answer: v1.ScreenAnswer) -> list[str]:
    return [
        Reason.Name(Reason.ValueType(result)).removeprefix("REASON_") if result else ""
        for result in answer.results
    ]


def accesses(answer: v1.ScreenAnswer) -> list[bytes]:
    ids = answer.access_ids
    return [ids[at : at + 16] for at in range(0, len(ids), 16)]


# What is told -----------------------------------------------------------------------------------


def test_each_subject_is_told_in_its_place_and_the_answer_verifies_offline(
    desk: ListingDesk,
) -> None:
    desk.in_force()
    others = people(desk, 4)
    request = desk.screen_request(others[0], others[1], desk.periodic(), *others[2:])
    (response,) = desk.screen_all(request)
    validate(response)
    fed = desk.federation
    verified = verify_screen_answer(
        request, response.answer, exchange=fed.member(EXCHANGE), anchors=fed.anchors, at=fed.at
    )
    assert [len(each.listings.listings) for each in verified.subjects] == [0, 0, 1, 0, 0]
    assert {each.refusal for each in verified.subjects} == {Reason.REASON_UNSPECIFIED}
    assert len({each.access_id for each in verified.subjects}) == 5


@pytest.mark.slow
def test_a_thousand_subjects_are_screened_in_one_message_and_one_more_is_refused(
    desk: ListingDesk,
) -> None:
    desk.in_force()
    consents = [*people(desk, 999), desk.periodic()]
    answer = desk.screen(*consents)
    assert answer.results == bytes(1000)
    assert [hit.index for hit in answer.hits] == [999]
    assert len(set(accesses(answer))) == 1000
    with pytest.raises(Exception, match="32000"):
        desk.screen_request(*consents, consents[0])


def test_messages_of_a_stream_are_answered_in_their_order(desk: ListingDesk) -> None:
    desk.in_force()
    consents = [*people(desk, 9), desk.periodic()]
    requests = [desk.screen_request(consent) for consent in consents]
    twice = desk.screen_request(consents[0], consents[0])
    requests.insert(5, twice)
    answers = desk.screen_all(*requests)
    assert [each.WhichOneof("result") for each in answers] == [
        "refusal" if request is twice else "answer" for request in requests
    ]
    told = [v1.ScreenAnswer.FromString(each.answer.payload) for each in answers]
    digests = [each.request_digest for each in told if each.results]
    assert digests == [digest_of(request) for request in requests if request is not twice]


def test_a_fraud_alert_is_told_where_the_consent_covers_flags(desk: ListingDesk) -> None:
    desk.flag(ALERT, placed=True, sequence=1)
    flags = desk.periodic(data_categories=[FLAGS])
    listings = desk.periodic(data_categories=LISTINGS)
    others = people(desk, 1)
    assert list(desk.screen(others[0], flags).alerts) == [1]
    assert list(desk.screen(listings).alerts) == []


# Each by itself ---------------------------------------------------------------------------------


def test_each_subject_is_refused_for_its_own_reason_and_refuses_no_other(
    desk: ListingDesk,
) -> None:
    desk.enrol(OTHER_LENDER, Role.ROLE_LENDER)
    fed = desk.federation

    def person(name: str, **fields: object) -> Granted:
        return desk.periodic(fed.subject(name), **fields)

    desk.in_force()
    frozen = desk.periodic()
    desk.flag(FREEZE, placed=True, sequence=1)
    revoked = person("revoked")
    event = fed.consent_event(revoked, ConsentEventKind.CONSENT_EVENT_KIND_REVOKE)
    desk.tell(event, revoked.person)
    rebound = person(
        "rebound"
    )  # whose key was replaced since: the consent holds until it is revoked
    desk.consent(fed.subject("rebound", version=2))
    once = desk.consent(fed.subject("once"), purpose=Purpose.PURPOSE_CREDIT_APPLICATION)
    score = person("score", data_categories=[DataCategory.DATA_CATEGORY_SCORE])
    another = person("another", recipient=OTHER_LENDER)
    never = fed.consent(fed.subject("never"), data_categories=LISTINGS)
    ended = person("ended", valid_until=to_timestamp(fed.at + timedelta(hours=1)))
    later = person("later", valid_from=to_timestamp(fed.at + DAY))
    fed.at += timedelta(hours=2)
    good = people(desk, 1)
    answer = desk.screen(
        frozen,
        revoked,
        rebound,
        once,
        score,
        another,
        never,
        ended,
        later,
        *good,
        purpose=Purpose.PURPOSE_ACCOUNT_REVIEW,
    )
    assert reasons(answer) == [
        "SUBJECT_FROZEN",
        "CONSENT_REVOKED",
        "",
        "CONSENT_MISMATCH",
        "PURPOSE_NOT_ALLOWED",
        "CONSENT_UNKNOWN",
        "CONSENT_UNKNOWN",
        "CONSENT_EXPIRED",
        "CONSENT_EXPIRED",
        "",
    ]
    assert answer.hits == []
    assert [access == NO_ACCESS for access in accesses(answer)] == [True] * 2 + [False] + [
        True
    ] * 6 + [False]


def test_another_lenders_consent_is_as_unknown_as_one_that_never_was(desk: ListingDesk) -> None:
    desk.enrol(OTHER_LENDER, Role.ROLE_LENDER)
    desk.in_force()
    another = desk.periodic(recipient=OTHER_LENDER)
    never = desk.federation.consent(desk.subject, data_categories=LISTINGS)
    told = []
    for consent in (another, never):
        answer = desk.screen(consent, purpose=Purpose.PURPOSE_ACCOUNT_REVIEW)
        answer.ClearField("request_digest")
        told.append(answer.SerializeToString(deterministic=True))
    assert told[0] == told[1]


def test_a_subject_that_is_named_twice_refuses_the_whole_message(desk: ListingDesk) -> None:
    first, second = desk.periodic(), desk.periodic()
    assert reason_of(lambda: desk.screen(first, second)) == "MESSAGE_INVALID"
    assert desk.desk.uses(first) == desk.desk.uses(second) == 0


def test_a_screening_is_its_own_lenders_fresh_and_of_a_licensed_purpose(
    desk: ListingDesk,
) -> None:
    granted = desk.periodic()
    at = desk.federation.at
    desk.enrol(OTHER_LENDER, Role.ROLE_LENDER)
    request = desk.screen_request(granted)
    asked = v1.ScreenRequest.FromString(request.payload)
    forged = seal(asked, signer(OTHER_LENDER))
    old = desk.screen_request(
        granted,
        issued_at=to_timestamp(at - timedelta(minutes=9)),
        expires_at=to_timestamp(at - timedelta(minutes=4)),
    )
    elsewhere = desk.screen_request(granted, federation="other.concordat")
    answers = desk.screen_all(forged, old, elsewhere)
    assert [Reason.Name(each.refusal.reason) for each in answers] == [
        "REASON_SIGNATURE_INVALID",
        "REASON_STATEMENT_NOT_FRESH",
        "REASON_WRONG_FEDERATION",
    ]
    (answer,) = desk.screen_all(request, caller=OTHER_LENDER)
    assert Reason.Name(answer.refusal.reason) == "REASON_SIGNATURE_INVALID"
    desk.federation.enrol(
        LENDER,
        Role.ROLE_LENDER,
        purposes=[Purpose.PURPOSE_CREDIT_APPLICATION],
        version=3,
    )
    (answer,) = desk.screen_all(request)
    assert Reason.Name(answer.refusal.reason) == "REASON_PURPOSE_NOT_ALLOWED"
    assert desk.desk.uses(granted) == 0


# Counting, and again ----------------------------------------------------------------------------


def test_an_account_is_reviewed_once_a_quarter(desk: ListingDesk) -> None:
    granted = desk.periodic()
    assert reasons(desk.screen(granted)) == [""]
    assert reasons(desk.screen(granted)) == ["CONSENT_TOO_FREQUENT"]
    desk.pass_time(90 * DAY - timedelta(microseconds=1))
    assert reasons(desk.screen(granted)) == ["CONSENT_TOO_FREQUENT"]
    desk.pass_time(timedelta(microseconds=1))
    assert reasons(desk.screen(granted)) == [""]
    assert desk.desk.uses(granted) == 2


def test_more_than_a_quarter_allows_is_no_consent_for_a_review(desk: ListingDesk) -> None:
    monthly = desk.periodic(frequency=v1.Frequency(uses=1, period=v1.Period.PERIOD_MONTH))
    assert reasons(desk.screen(monthly)) == ["PURPOSE_NOT_ALLOWED"]


def test_uses_run_out(desk: ListingDesk) -> None:
    granted = desk.periodic(max_uses=1)
    assert reasons(desk.screen(granted)) == [""]
    desk.pass_time(91 * DAY)
    assert reasons(desk.screen(granted)) == ["CONSENT_EXHAUSTED"]


def test_checks_and_screenings_share_a_consents_uses(desk: ListingDesk) -> None:
    granted = desk.periodic()
    desk.check(granted)
    assert reasons(desk.screen(granted)) == ["CONSENT_TOO_FREQUENT"]
    desk.pass_time(90 * DAY)
    assert reasons(desk.screen(granted)) == [""]
    assert reason_of(lambda: desk.check(granted)) == "CONSENT_TOO_FREQUENT"


def test_the_same_request_again_reads_again_under_the_same_accesses_and_uses_nothing(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    consents = [desk.periodic(max_uses=1), *people(desk, 3)]
    request = desk.screen_request(*consents)
    first, again = desk.screen_all(request, request)
    assert digest_of(first.answer) == digest_of(again.answer)
    desk.federation.at += timedelta(seconds=20)
    (third,) = desk.screen_all(request)
    told = [v1.ScreenAnswer.FromString(each.answer.payload) for each in (first, third)]
    assert told[0].access_ids == told[1].access_ids
    assert told[0].results == told[1].results == bytes(4)
    assert [desk.desk.uses(consent) for consent in consents] == [1, 1, 1, 1]
    # What was struck out meanwhile is gone from what is read again.
    desk.withdraw(listing_id)
    (fourth,) = desk.screen_all(request)
    assert v1.ScreenAnswer.FromString(fourth.answer.payload).hits == []


def test_what_was_refused_is_no_use_and_may_be_asked_again(desk: ListingDesk) -> None:
    granted, other = desk.periodic(), people(desk, 1)[0]
    desk.flag(FREEZE, placed=True, sequence=1)
    request = desk.screen_request(granted, other)
    (refused,) = desk.screen_all(request)
    assert reasons(v1.ScreenAnswer.FromString(refused.answer.payload)) == ["SUBJECT_FROZEN", ""]
    assert (desk.desk.uses(granted), desk.desk.uses(other)) == (0, 1)
    desk.flag(FREEZE, placed=False, sequence=2)
    (answered,) = desk.screen_all(request)
    assert reasons(v1.ScreenAnswer.FromString(answered.answer.payload)) == ["", ""]
    assert (desk.desk.uses(granted), desk.desk.uses(other)) == (1, 1)


def test_the_same_id_with_other_bytes_is_refused(desk: ListingDesk) -> None:
    first, second = desk.periodic(), people(desk, 1)[0]
    request_id = new_id()
    desk.screen(first, request_id=request_id)
    assert (
        reason_of(lambda: desk.screen(second, request_id=request_id)) == "REPLAYED_WITH_OTHER_BYTES"
    )
    # Nor may a check pass under the id of a screening.
    check = desk.consent()
    posing = desk.federation.view_request(check, request_id=request_id)
    assert reason_of(lambda: desk.check(check, posing)) == "REPLAYED_WITH_OTHER_BYTES"
    assert desk.desk.uses(second) == 0


# The log ----------------------------------------------------------------------------------------


def test_each_subject_finds_the_screening_in_its_own_chain_and_a_refusal_too(
    desk: ListingDesk,
) -> None:
    desk.in_force()
    granted, bob = desk.periodic(), desk.periodic(desk.federation.subject("bob"))
    request = desk.screen_request(granted, bob)
    desk.screen_all(request)
    desk.screen(granted, bob)
    told = {
        person.ref: [r.screening for r in desk.history(person) if r.HasField("screening")]
        for person in (desk.subject, bob.person)
    }
    first, second = told[desk.subject.ref]
    assert (first.lender, first.purpose) == (LENDER, Purpose.PURPOSE_ACCOUNT_REVIEW)
    assert first.consent_id == granted.consent.consent_id
    assert first.request_digest == digest_of(request)
    assert (first.refusal, first.listings) == (Reason.REASON_UNSPECIFIED, 1)
    assert (second.refusal, second.listings) == (Reason.REASON_CONSENT_TOO_FREQUENT, 0)
    assert [(s.refusal, s.listings) for s in told[bob.person.ref]] == [
        (Reason.REASON_UNSPECIFIED, 0),
        (Reason.REASON_CONSENT_TOO_FREQUENT, 0),
    ]


def test_a_listing_struck_out_while_its_screening_waits_is_not_told(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    granted = desk.periodic()
    desk.refresh()
    found = desk.desk.listings.book.shown([desk.subject.ref], desk.federation.at)
    assert [entry.listing_id for entry in found[0]] == [listing_id]
    desk.desk.listings.book.shown = lambda *_: found  # type: ignore[method-assign]
    desk.withdraw(listing_id)
    assert desk.screen(granted).hits == []
    assert desk.retractions() == []


def test_a_subject_unknown_to_the_exchange_is_refused_like_any_other(desk: ListingDesk) -> None:
    granted = desk.periodic()
    answer = desk.screen(
        granted,
        subject_refs=granted.person.ref + digest("nobody"),
        consent_ids=granted.consent.consent_id + new_id(),
    )
    assert reasons(answer) == ["", "CONSENT_UNKNOWN"]
