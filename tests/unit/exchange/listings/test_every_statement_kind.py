"""Every kind of statement about listings: of this federation, by its own signer, as itself, and once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.message import Message

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.rpc.errors import name_of
from concordat.statements import digest_of, seal
from concordat.v1 import (
    DisputeGround,
    DisputeStage,
    FlagKind,
    ListingAction,
    RulingOutcome,
)
from tests.builders import LENDER, REGULATOR, signer
from tests.listing_builders import COURT, FURNISHER, REVIEWER, digest, settlement
from tests.listing_desk import ListingDesk, standing_of

ADA = "wallet-ada"  # whose key is the subject's


@dataclass
class Scene:
    """A desk with what each kind of statement needs: a listing in force, a dispute, an answer recalled."""

    desk: ListingDesk

    def __post_init__(self) -> None:
        desk = self.desk
        self.shown = desk.in_force(debt_commitment=digest("shown"))
        self.disputed = desk.in_force(debt_commitment=digest("disputed"))
        self.withdrawn = desk.in_force(debt_commitment=digest("withdrawn"))
        desk.check()
        desk.withdraw(self.withdrawn)
        self.dispute_id, _ = desk.dispute(self.disputed, DisputeStage.DISPUTE_STAGE_REVIEW)
        (self.recall,) = desk.recalls()
        self.granted = desk.periodic()
        self.common: dict[str, Any] = {
            "federation": desk.federation.name,
            "subject_ref": desk.subject.ref,
        }
        self.now = to_timestamp(desk.federation.at)


@dataclass(frozen=True)
class Kind:
    """One kind: a statement of it, who signs it, and the call that takes it in."""

    signer: str
    make: Callable[[Scene], Message]
    submit: Callable[[Scene, v1.Envelope], object]
    with_subject: bool = True  # names a subject that it must be of


def _filing(scene: Scene) -> v1.ListingFiling:
    return scene.desk.filing(debt_commitment=digest("filed"))


def _file(scene: Scene, envelope: v1.Envelope) -> object:
    request = v1.FileListingsRequest(filings=[envelope])
    response = scene.desk.call(scene.desk.furnishers.FileListings, request, FURNISHER)
    return standing_of(response.results[0])


def _source_event(scene: Scene) -> v1.ListingEvent:
    action = ListingAction.LISTING_ACTION_SETTLE
    paid = settlement(scene.desk.federation.at)
    return scene.desk.event(scene.shown, action, FURNISHER, settlement=paid)


def _say(scene: Scene, envelope: v1.Envelope) -> object:
    request = v1.SubmitListingEventsRequest(events=[envelope])
    response = scene.desk.call(scene.desk.furnishers.SubmitListingEvents, request, FURNISHER)
    return standing_of(response.results[0])


def _review_event(scene: Scene) -> v1.ListingEvent:
    action, ground = (
        ListingAction.LISTING_ACTION_OPEN_REVIEW,
        DisputeGround.DISPUTE_GROUND_INELIGIBLE,
    )
    return scene.desk.event(scene.shown, action, REGULATOR, ground=ground)


def _say_in_review(scene: Scene, envelope: v1.Envelope) -> object:
    request = v1.SubmitReviewEventRequest(event=envelope)
    return scene.desk.call(scene.desk.reviews.SubmitReviewEvent, request, REGULATOR)


def _ruling(scene: Scene) -> v1.Ruling:
    return v1.Ruling(
        **scene.common,
        ruling_id=new_id(),
        reviewer=REVIEWER,
        listing_id=scene.disputed,
        dispute_id=scene.dispute_id,
        outcome=RulingOutcome.RULING_OUTCOME_REJECTED,
        reasons="No payment is on record.",
        decided_at=scene.now,
    )


def _rule(scene: Scene, envelope: v1.Envelope) -> object:
    request = v1.SubmitRulingRequest(ruling=envelope)
    return scene.desk.call(scene.desk.reviews.SubmitRuling, request, REVIEWER)


def _sync(scene: Scene) -> v1.MirrorSync:
    return v1.MirrorSync(
        sync_id=new_id(),
        federation=scene.desk.federation.name,
        court=COURT,
        read_at=scene.now,
        digest=digest(""),
    )


def _synced(scene: Scene, envelope: v1.Envelope) -> object:
    request = v1.SubmitMirrorSyncRequest(sync=envelope)
    return scene.desk.call(scene.desk.furnishers.SubmitMirrorSync, request, COURT)


def _dispute(scene: Scene) -> v1.Dispute:
    return v1.Dispute(
        **scene.common,
        dispute_id=new_id(),
        listing_id=scene.shown,
        stage=DisputeStage.DISPUTE_STAGE_REVIEW,
        ground=DisputeGround.DISPUTE_GROUND_PAID,
        reviewer=REVIEWER,
        raised_at=scene.now,
    )


def _raise(scene: Scene, envelope: v1.Envelope) -> object:
    request = v1.SubmitDisputeRequest(dispute=envelope, binding=scene.desk.subject.binding)
    return scene.desk.call(scene.desk.subjects.SubmitDispute, request)


def _words(scene: Scene) -> v1.ListingEvent:
    words = v1.SubjectWords(text="I was ill.", language="en")
    return scene.desk.event(scene.shown, ListingAction.LISTING_ACTION_STATE, "", words=words)


def _state(scene: Scene, envelope: v1.Envelope) -> object:
    request = v1.SubmitSubjectEventRequest(event=envelope, binding=scene.desk.subject.binding)
    return scene.desk.call(scene.desk.subjects.SubmitSubjectEvent, request)


def _flag(scene: Scene) -> v1.FlagChange:
    kind = FlagKind.FLAG_KIND_FREEZE
    return v1.FlagChange(**scene.common, kind=kind, placed=True, sequence=1, decided_at=scene.now)


def _place(scene: Scene, envelope: v1.Envelope) -> object:
    request = v1.ChangeFlagRequest(change=envelope, binding=scene.desk.subject.binding)
    return scene.desk.call(scene.desk.subjects.ChangeFlag, request)


def _contact(scene: Scene) -> v1.ContactChange:
    return v1.ContactChange(
        **scene.common, email="ada@example.org", language="en", sequence=1, decided_at=scene.now
    )


def _move(scene: Scene, envelope: v1.Envelope) -> object:
    request = v1.ChangeContactRequest(change=envelope, binding=scene.desk.subject.binding)
    return scene.desk.call(scene.desk.subjects.ChangeContact, request)


def _acknowledgement(scene: Scene) -> v1.RetractionAcknowledgement:
    retraction = v1.Retraction.FromString(scene.recall.payload)
    return v1.RetractionAcknowledgement(
        federation=scene.desk.federation.name,
        lender=LENDER,
        retraction_id=retraction.retraction_id,
        retraction_digest=digest_of(scene.recall),
        acknowledged_at=scene.now,
    )


def _acknowledge(scene: Scene, envelope: v1.Envelope) -> object:
    request = v1.AcknowledgeRetractionRequest(acknowledgement=envelope)
    return scene.desk.call(scene.desk.listings.AcknowledgeRetraction, request, LENDER)


def _screen_request(scene: Scene) -> v1.ScreenRequest:
    return v1.ScreenRequest.FromString(scene.desk.screen_request(scene.granted).payload)


def _screen(scene: Scene, envelope: v1.Envelope) -> object:
    (answer,) = scene.desk.screen_all(envelope)
    if answer.HasField("refusal"):
        raise Refusal(answer.refusal.reason)
    told = v1.ScreenAnswer.FromString(answer.answer.payload)
    if told.results[0]:
        raise Refusal(v1.Reason.ValueType(told.results[0]))
    return told.access_ids


KINDS = {
    "filing": Kind(FURNISHER, _filing, _file),
    "source's event": Kind(FURNISHER, _source_event, _say),
    "review's event": Kind(REGULATOR, _review_event, _say_in_review),
    "ruling": Kind(REVIEWER, _ruling, _rule),
    "sync": Kind(COURT, _sync, _synced, with_subject=False),
    "dispute": Kind(ADA, _dispute, _raise),
    "subject's event": Kind(ADA, _words, _state),
    "flag": Kind(ADA, _flag, _place),
    "contact": Kind(ADA, _contact, _move),
    "acknowledgement": Kind(LENDER, _acknowledgement, _acknowledge, with_subject=False),
    "screen request": Kind(LENDER, _screen_request, _screen, with_subject=False),
}
every_kind = pytest.mark.parametrize("name", KINDS)


@pytest.fixture
def scene() -> Iterator[Scene]:
    desk = ListingDesk()
    yield Scene(desk)
    desk.close()


def refused(kind: Kind, scene: Scene, statement: Message, signed_by: str | None = None) -> str:
    """Submit a statement; return why it is refused, "" where it is not."""
    try:
        kind.submit(scene, seal(statement, signer(signed_by or kind.signer)))
    except Refusal as refusal:
        return name_of(refusal.reason)
    return ""


@every_kind
def test_a_lawful_one_is_taken_in_and_again_it_changes_nothing(scene: Scene, name: str) -> None:
    kind = KINDS[name]
    envelope = seal(kind.make(scene), signer(kind.signer))
    first = kind.submit(scene, envelope)
    entries = len(scene.desk.entries())
    assert kind.submit(scene, envelope) == first
    # Only a screening that is read again is entered again: its subjects see each.
    assert len(scene.desk.entries()) - entries == (1 if name == "screen request" else 0)


@every_kind
def test_one_of_another_federation_is_refused(scene: Scene, name: str) -> None:
    statement: Any = KINDS[name].make(scene)
    statement.federation = "other.concordat"
    assert refused(KINDS[name], scene, statement) == "WRONG_FEDERATION"


@every_kind
def test_one_that_another_signed_is_refused(scene: Scene, name: str) -> None:
    statement = KINDS[name].make(scene)
    for other in ("wallet-bob", "elm-telecom", "exchange", FURNISHER, REVIEWER, LENDER, ADA):
        if other != KINDS[name].signer:
            assert refused(KINDS[name], scene, statement, other) == "SIGNATURE_INVALID"
    assert refused(KINDS[name], scene, statement) == ""


@every_kind
def test_one_about_another_subject_is_refused(scene: Scene, name: str) -> None:
    if not KINDS[name].with_subject:
        pytest.skip("names no single subject")
    statement: Any = KINDS[name].make(scene)
    statement.subject_ref = digest("somebody else")
    expected = {ADA: "BINDING_INVALID"}.get(KINDS[name].signer, "LISTING_UNKNOWN")
    if name != "filing":  # which may be about anybody
        assert refused(KINDS[name], scene, statement) == expected


@every_kind
def test_no_kind_passes_as_another(scene: Scene, name: str) -> None:
    kind = KINDS[name]
    for other, as_what in KINDS.items():
        statement = kind.make(scene)
        if isinstance(statement, type(as_what.make(scene))):
            continue  # the same kind, by another signer: refused for that above
        envelope = seal(statement, signer(as_what.signer))
        with pytest.raises(Refusal) as refusal:
            as_what.submit(scene, envelope)
        assert name_of(refusal.value.reason) == "STATEMENT_MALFORMED", other
        # Nor by lying about what it is.
        envelope.payload_type = seal(as_what.make(scene), signer(ADA)).payload_type
        with pytest.raises(Refusal) as refusal:
            as_what.submit(scene, envelope)
        assert name_of(refusal.value.reason) in {"STATEMENT_MALFORMED", "SIGNATURE_INVALID"}
