"""What a lender is told of listings is the exchange's, of this request, on record, and may be told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.statements import digest_of, seal
from concordat.v1 import DataCategory, LogEntryKind, Purpose, Reason, ReleaseResult
from concordat.verify.finding import AnswerBroken
from concordat.verify.listing_answer import VerifiedAnswer, verify_listing_answer
from tests.builders import AT, DAY, EXCHANGE, LENDER, Federation, signer
from tests.receipt_builders import intent_record, receipts_of

LISTINGS, FLAGS = DataCategory.DATA_CATEGORY_LISTINGS, DataCategory.DATA_CATEGORY_FLAGS
TODAY = AT.replace(hour=0)
Mark = v1.ListingMark


def shown(**fields: Any) -> v1.ListingInView:
    given: dict[str, Any] = {
        "kind": v1.ListingKind.LISTING_KIND_DEBT,
        "mark": Mark.LISTING_MARK_EFFECTIVE,
        "band": v1.AmountBand.AMOUNT_BAND_SMALL,
        "basis": v1.ListingBasis.LISTING_BASIS_LOAN,
        "delinquent_since": to_timestamp(TODAY - 300 * DAY),
        "effective_since": to_timestamp(TODAY - 100 * DAY),
        "expires_at": to_timestamp(TODAY + 900 * DAY),
    }
    return v1.ListingInView(**(given | fields))


@dataclass
class Scene:
    """One check, as honest as can be until a test bends it."""

    categories: tuple[DataCategory.ValueType, ...] = (LISTINGS, FLAGS)
    consent: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    release: dict[str, Any] = field(default_factory=dict)
    signed_by: str = EXCHANGE
    recorded: timedelta = timedelta(milliseconds=-1)
    backwards: bool = False  # the release ahead of the access

    def __post_init__(self) -> None:
        self.federation = Federation()
        self.granted = self.federation.consent(
            self.federation.subject("ada"), data_categories=self.categories, **self.consent
        )
        self.ask = v1.RequestViewRequest(
            request=self.federation.view_request(self.granted),
            consent=self.granted.envelope,
            binding=self.granted.person.binding,
        )

    def made(self) -> v1.ListingAnswer:
        consent = self.granted.consent
        given: dict[str, Any] = {
            "answer_id": new_id(),
            "federation": self.federation.name,
            "lender": LENDER,
            "subject_ref": consent.subject_ref,
            "request_digest": digest_of(self.ask.request),
            "consent_digest": digest_of(self.granted.envelope),
            "purpose": consent.purpose,
            "access_id": bytes(range(16)),
            "issued_at": to_timestamp(AT),
            "delete_by": to_timestamp(AT + 30 * DAY),
        }
        if LISTINGS in self.categories:
            given["listings"] = v1.ListingsInForce(listings=[shown()])
        if FLAGS in self.categories:
            given["flags"] = v1.SubjectFlags(fraud_alert=True)
        return v1.ListingAnswer(**(given | self.answer))

    def response(self) -> v1.CheckListingsResponse:
        answer, fed = self.made(), self.federation
        envelope = seal(answer, signer(self.signed_by))
        intent = intent_record(self.ask.request, self.granted.consent, bytes(range(16)), AT)
        given: dict[str, Any] = {
            "access_id": answer.access_id,
            "lender": answer.lender,
            "view_digest": digest_of(envelope),
            "result": ReleaseResult.RELEASE_RESULT_LISTINGS_ONLY,
            "categories": self.categories,
            "listings": len(answer.listings.listings),
        }
        release = v1.LogRecord(
            record_id=new_id(),
            recorded_at=to_timestamp(AT),
            subject_ref=answer.subject_ref,
            release=v1.AccessRelease(**(given | self.release)),
        )
        intent.recorded_at.CopyFrom(to_timestamp(AT + self.recorded))
        logged = [
            (intent, LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT),
            (release, LogEntryKind.LOG_ENTRY_KIND_ACCESS_RELEASE),
        ]
        receipts = receipts_of(
            logged[::-1] if self.backwards else logged,
            origin=fed.anchors.log.name,
            log=signer("log"),
            at=AT + timedelta(milliseconds=20),
        )
        first, second = receipts[::-1] if self.backwards else receipts
        return v1.CheckListingsResponse(answer=envelope, intent=first, release=second)

    def verify(self, response: v1.CheckListingsResponse | None = None) -> VerifiedAnswer:
        fed = self.federation
        return verify_listing_answer(
            self.ask,
            response or self.response(),
            exchange=fed.member(EXCHANGE),
            lender=fed.member(LENDER),
            anchors=fed.anchors,
            at=AT,
        )


def broken(scene: Scene, response: v1.CheckListingsResponse | None = None) -> AnswerBroken:
    with pytest.raises(AnswerBroken) as found:
        scene.verify(response)
    return found.value


@pytest.mark.parametrize("categories", [(LISTINGS, FLAGS), (LISTINGS,), (FLAGS,)])
def test_an_honest_answer_holds(categories: tuple[DataCategory.ValueType, ...]) -> None:
    told = Scene(categories).verify()
    assert told.answer.HasField("listings") == (LISTINGS in categories)
    assert told.answer.HasField("flags") == (FLAGS in categories)
    assert (told.intent.index, told.release.index) == (2, 3)


def test_a_consent_to_more_than_that_is_answered_as_far_as_it_is_asked() -> None:
    scene = Scene((DataCategory.DATA_CATEGORY_SCORE, LISTINGS))
    scene.release = {"categories": [LISTINGS]}
    assert scene.verify().answer.listings.listings


def test_fraud_flags_are_answered_without_listings() -> None:
    scene = Scene((FLAGS,), consent={"purpose": Purpose.PURPOSE_FRAUD_FLAGS})
    assert scene.verify().answer.flags.fraud_alert


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "another request": ({"request_digest": bytes(32)}, "to another request"),
    "another lender": ({"lender": "otherlender"}, "to another request"),
    "another consent": ({"consent_digest": bytes(32)}, "rests on another consent"),
    "another subject": ({"subject_ref": bytes(32)}, "about another subject"),
    "another purpose": ({"purpose": Purpose.PURPOSE_GUARANTOR_CHECK}, "for another purpose"),
    "another federation": ({"federation": "other"}, "a statement of 'other'"),
    "another access": ({"access_id": bytes(16)}, "not the access that the answer names"),
    "a longer keeping": ({"delete_by": to_timestamp(AT + 31 * DAY)}, "day of deletion"),
    "from the future": ({"issued_at": to_timestamp(AT + DAY)}, "says that it was made"),
    "long after the request": ({"issued_at": to_timestamp(AT - DAY)}, "made 2026"),
    "no listings": ({"listings": None}, "covers listings, and none are told"),
    "no flags": ({"flags": None}, "covers flags, and none are told"),
    "of a frozen subject": (
        {"flags": v1.SubjectFlags(frozen=True)},
        "that it has frozen its record",
    ),
}


@pytest.mark.parametrize("case", OTHERS.values(), ids=OTHERS)
def test_an_answer_to_something_else_does_not_hold(case: tuple[dict[str, Any], str]) -> None:
    fields, why = case
    assert why in str(broken(Scene(answer=fields)))


def test_an_answer_by_anyone_but_the_exchange_does_not_hold() -> None:
    for name in (LENDER, "mallory", "alder-bank"):
        assert broken(Scene(signed_by=name)).reason == Reason.REASON_SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("categories", "fields", "why"),
    [
        ((LISTINGS,), {"flags": v1.SubjectFlags()}, "covers no flags, and they are told"),
        ((FLAGS,), {"listings": v1.ListingsInForce()}, "covers no listings, and they are told"),
    ],
)
def test_what_the_consent_does_not_cover_may_not_be_told(
    categories: tuple[DataCategory.ValueType, ...], fields: dict[str, Any], why: str
) -> None:
    assert why in str(broken(Scene(categories, answer=fields)))


UNLAWFUL: dict[str, tuple[dict[str, Any], str]] = {
    "ended": ({"expires_at": to_timestamp(TODAY - DAY)}, "after its end"),
    "not in force yet": ({"effective_since": to_timestamp(TODAY + DAY)}, "before its effect"),
    "to the hour": ({"delinquent_since": to_timestamp(AT - 300 * DAY)}, "less than the day"),
    "settled with no mark": ({"settled_on": to_timestamp(TODAY - DAY)}, "mark and its settlement"),
    "marked with no settlement": ({"mark": Mark.LISTING_MARK_SETTLED}, "mark and its settlement"),
    "settled tomorrow": (
        {"mark": Mark.LISTING_MARK_SETTLED, "settled_on": to_timestamp(TODAY + DAY)},
        "settlement is told before its day",
    ),
    "a judgment from a loan": (
        {"kind": v1.ListingKind.LISTING_KIND_JUDGMENT},
        "kind and what it arose from",
    ),
    "words without words": ({"words": v1.SubjectWords()}, "words are told that say nothing"),
    "too many words": ({"words": v1.SubjectWords(text="word " * 201)}, "201 words"),
}


@pytest.mark.parametrize("case", UNLAWFUL.values(), ids=UNLAWFUL)
def test_a_listing_that_may_not_be_told_does_not_hold(case: tuple[dict[str, Any], str]) -> None:
    fields, why = case
    listings = v1.ListingsInForce(listings=[shown(**fields)])
    assert why in str(broken(Scene(answer={"listings": listings})))


def test_a_listing_that_ends_today_may_still_be_told() -> None:
    listings = v1.ListingsInForce(listings=[shown(expires_at=to_timestamp(TODAY))])
    Scene(answer={"listings": listings}).verify()


def test_the_oldest_stands_first() -> None:
    older = shown(delinquent_since=to_timestamp(TODAY - 400 * DAY))
    Scene(answer={"listings": v1.ListingsInForce(listings=[older, shown()])}).verify()
    wrong = v1.ListingsInForce(listings=[shown(), older])
    assert "oldest first" in str(broken(Scene(answer={"listings": wrong})))


# The log ----------------------------------------------------------------------------------------


def test_an_access_that_was_recorded_after_the_answer_does_not_hold() -> None:
    late = Scene(recorded=timedelta(milliseconds=1))
    assert "after the answer was made" in str(broken(late))


def test_a_release_ahead_of_its_access_does_not_hold() -> None:
    assert "release before the access" in str(broken(Scene(backwards=True)))


def test_an_access_of_another_request_does_not_hold() -> None:
    scene, other = Scene(), Scene()
    response = scene.response()
    response.intent.CopyFrom(other.response().intent)
    assert "another access" in str(broken(scene, response))


RELEASES: dict[str, tuple[dict[str, Any], str]] = {
    "another answer": ({"view_digest": bytes(32)}, "release is of another answer"),
    "another access": ({"access_id": bytes(16)}, "release is of another answer"),
    "another lender": ({"lender": "otherlender"}, "release is of another answer"),
    "fewer listings": ({"listings": 0}, "something else was released"),
    "flags alone": ({"categories": [FLAGS]}, "something else was released"),
    "a score": (
        {"result": ReleaseResult.RELEASE_RESULT_COMPLETE},
        "something else was released",
    ),
}


@pytest.mark.parametrize("case", RELEASES.values(), ids=RELEASES)
def test_a_release_that_the_subject_is_told_otherwise_does_not_hold(
    case: tuple[dict[str, Any], str],
) -> None:
    fields, why = case
    assert why in str(broken(Scene(release=fields)))


def test_a_receipt_of_another_log_does_not_hold() -> None:
    scene = Scene()
    response = scene.response()
    response.release.checkpoint = response.release.checkpoint.replace(b"log", b"lag")
    assert broken(scene, response).reason == Reason.REASON_ACCESS_NOT_LOGGED


SWAPS: dict[str, Callable[[v1.CheckListingsResponse], None]] = {
    "intent for release": lambda response: response.intent.CopyFrom(response.release),
    "release for intent": lambda response: response.release.CopyFrom(response.intent),
}


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)
def test_one_receipt_does_not_stand_for_the_other(
    swap: Callable[[v1.CheckListingsResponse], None],
) -> None:
    scene = Scene()
    response = scene.response()
    swap(response)
    assert "another kind of act" in str(broken(scene, response))


# What it rests on -------------------------------------------------------------------------------


def test_a_consent_that_was_not_in_force_is_found() -> None:
    over = to_timestamp(AT - timedelta(seconds=1))
    scene = Scene(consent={"valid_until": over})
    assert broken(scene).reason == Reason.REASON_CONSENT_EXPIRED


def test_a_lender_that_is_not_licensed_for_the_purpose_is_found() -> None:
    scene = Scene()
    purposes = [Purpose.PURPOSE_DEPOSIT_WAIVER]
    scene.federation.enrol(LENDER, v1.Role.ROLE_LENDER, version=2, purposes=purposes)
    assert broken(scene).reason == Reason.REASON_PURPOSE_NOT_ALLOWED


@pytest.mark.parametrize("field", ["request", "consent", "binding"])
def test_what_was_asked_must_verify_too(field: str) -> None:
    scene = Scene()
    envelope = getattr(scene.ask, field)
    envelope.signatures[0].sig = bytes(64)
    assert broken(scene).reason == Reason.REASON_SIGNATURE_INVALID


def test_bytes_that_are_no_answer_are_one_typed_error() -> None:
    scene = Scene()
    response = scene.response()
    response.answer.payload = b"\xff"
    assert broken(scene, response).reason == Reason.REASON_STATEMENT_MALFORMED
