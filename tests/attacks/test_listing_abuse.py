"""Listings under attack: nobody finds out who is listed, floods anybody, or bends a clock."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import grpc
import pytest

from concordat import v1
from concordat.clock import Clock, to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.rpc.channels import MAX_MESSAGE_BYTES
from concordat.rpc.errors import from_rpc_error, name_of
from concordat.rpc.policy import Port
from concordat.statements import seal
from concordat.trust.sealed import MAX_SEALED_BYTES
from concordat.v1 import DisputeStage, ListingAction, ListingState, Purpose, Role
from concordat.v1.listing_service_pb2_grpc import (
    FurnisherServiceStub,
    ListingServiceStub,
    add_FurnisherServiceServicer_to_server,
    add_ListingServiceServicer_to_server,
)
from concordat.v1.subject_service_pb2_grpc import (
    SubjectServiceStub,
    add_SubjectServiceServicer_to_server,
)
from exchange.listings.profile import Span
from tests.attacks.ports import AioPort, Neighbourhood
from tests.builders import DAY, LENDER, REGULATOR, Federation, Pki, Subject, signer
from tests.exchange_builders import ExchangeDesk
from tests.exchange_services import reason_of
from tests.listing_builders import FURNISHER, REVIEWER, digest, settlement
from tests.listing_desk import LISTINGS, OTHER_FURNISHER, OTHER_REVIEWER, ListingDesk

REVIEW = DisputeStage.DISPUTE_STAGE_REVIEW
STATE = ListingAction.LISTING_ACTION_STATE
EXPIRED = ListingState.LISTING_STATE_EXPIRED
EFFECTIVE = ListingState.LISTING_STATE_EFFECTIVE
SPY = "spying-lender"


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


# Who is listed? ---------------------------------------------------------------------------------

Told = list[bytes | str]


@dataclass(frozen=True)
class Target:
    """Somebody of whom an attacker knows everything but whether there is a listing."""

    person: Subject
    consent: v1.Envelope  # to another lender: it may have leaked
    consent_id: bytes
    listing_id: bytes  # of the listing that there is, or one that there is not
    dispute_id: bytes


def outcome(work: Callable[[], Any], *unlike: str) -> bytes | str:
    """Return an answer as bytes, without fields that differ between any two, or why there is none."""
    try:
        answer = work()
    except Refusal as refusal:
        return name_of(refusal.reason)
    for field in unlike:
        answer.ClearField(field)
    return bytes(answer.SerializeToString(deterministic=True))


def as_lender(desk: ListingDesk, target: Target) -> Told:
    """Ask in every way in which a lender can, without a consent of one's own."""
    fed, person = desk.federation, target.person
    own = desk.consent(fed.subject("accomplice"), recipient=SPY)
    forged = fed.consent(
        Subject(person.ref, signer("wallet-accomplice"), person.binding),
        recipient=SPY,
        data_categories=LISTINGS,
    )

    def check(request: v1.Envelope, consent: v1.Envelope, binding: v1.Envelope) -> Any:
        ask = v1.RequestViewRequest(request=request, consent=consent, binding=binding)
        desk.refresh()
        return desk.call(desk.listings.CheckListings, v1.CheckListingsRequest(ask=ask), SPY)

    def screen(consent_id: bytes) -> v1.ScreenAnswer:
        request = v1.ScreenRequest(
            request_id=new_id(),
            federation=fed.name,
            lender=SPY,
            purpose=Purpose.PURPOSE_ACCOUNT_REVIEW,
            subject_refs=person.ref,
            consent_ids=consent_id,
            issued_at=to_timestamp(fed.at),
            expires_at=to_timestamp(fed.at + timedelta(minutes=1)),
        )
        (answer,) = desk.screen_all(seal(request, signer(SPY)), caller=SPY)
        return v1.ScreenAnswer.FromString(answer.answer.payload)

    of_target = fed.view_request(own, subject_ref=person.ref)
    with_leaked = fed.view_request(own, subject_ref=person.ref, consent_digest=digest("leaked"))
    return [
        outcome(partial(check, of_target, own.envelope, own.person.binding)),
        outcome(partial(check, of_target, own.envelope, person.binding)),
        outcome(partial(check, with_leaked, target.consent, person.binding)),
        outcome(partial(check, fed.view_request(forged), forged.envelope, person.binding)),
        *(
            outcome(partial(screen, consent_id), "request_digest")
            for consent_id in (target.consent_id, own.consent.consent_id, new_id())
        ),
        outcome(
            lambda: desk.call(
                desk.listings.ListRetractions, v1.ListRetractionsRequest(most=200), SPY
            )
        ),
        outcome(
            lambda: desk.acknowledge(seal(_retraction(desk, target), signer("anybody")), lender=SPY)
        ),
    ]


def _retraction(desk: ListingDesk, target: Target) -> v1.Retraction:
    at = desk.federation.at
    return v1.Retraction(
        retraction_id=new_id(),
        federation=desk.federation.name,
        lender=SPY,
        answer_digest=digest("an answer"),
        subject_ref=target.person.ref,
        cause=v1.RetractionCause.RETRACTION_CAUSE_WITHDRAWN,
        issued_at=to_timestamp(at),
        acknowledge_by=to_timestamp(at + DAY),
    )


def as_furnisher(desk: ListingDesk, target: Target) -> Told:
    """File and say everything that a furnisher can about somebody whose debt is another's."""
    filing = desk.filing(
        subject_ref=target.person.ref,
        source=OTHER_FURNISHER,
        debt_commitment=digest("a debt of its own " + target.person.ref.hex()),
    )
    told: Told = []
    for _ in range(2):  # and again: a retry tells no more
        (result,) = desk.file_all(filing)
        result.standing.ClearField("listing_id")
        told.append(result.SerializeToString())
    guess = desk.filing(
        subject_ref=target.person.ref,
        source=OTHER_FURNISHER,
        debt_commitment=digest("guessed"),
        delinquent_since=to_timestamp(desk.federation.at - 10 * DAY),
    )
    told.append(desk.file_all(guess)[0].SerializeToString())
    for action, particulars in (
        (ListingAction.LISTING_ACTION_RECONFIRM, {}),
        (ListingAction.LISTING_ACTION_SETTLE, {"settlement": settlement(desk.federation.at)}),
        (ListingAction.LISTING_ACTION_WITHDRAW, {"withdrawal": 3}),
    ):
        event = desk.event(
            target.listing_id,
            action,
            OTHER_FURNISHER,
            subject_ref=target.person.ref,
            **particulars,
        )
        told.append(desk.say(event)[0].SerializeToString())
    told.append(
        outcome(
            lambda: desk.call(desk.furnishers.ListDuties, v1.ListDutiesRequest(), OTHER_FURNISHER)
        )
    )
    return told


def as_reviewer(desk: ListingDesk, target: Target) -> Told:
    """Look for what lies with another reviewer."""
    reviews = v1.ListReviewsRequest(most=200)
    one = v1.GetReviewRequest(dispute_id=target.dispute_id)
    return [
        outcome(lambda: desk.call(desk.reviews.ListReviews, reviews, OTHER_REVIEWER)),
        outcome(lambda: desk.call(desk.reviews.GetReview, one, OTHER_REVIEWER)),
    ]


@pytest.mark.parametrize("attack", [as_lender, as_furnisher, as_reviewer])
@pytest.mark.parametrize("disputed", [False, True])
def test_no_call_tells_who_is_listed_to_whom_it_is_none_of_its_business(
    desk: ListingDesk, attack: Callable[[ListingDesk, Target], Told], disputed: bool
) -> None:
    desk.enrol(SPY, Role.ROLE_LENDER)
    listing_id = desk.in_force()
    dispute_id = desk.dispute(listing_id, REVIEW)[0] if disputed else new_id()
    told = []
    for person, its, of_it in (
        (desk.subject, listing_id, dispute_id),
        (desk.federation.subject("bob"), new_id(), new_id()),
    ):
        granted = desk.periodic(person)
        target = Target(person, granted.envelope, granted.consent.consent_id, its, of_it)
        told.append(attack(desk, target))
    assert told[0] == told[1]


def test_a_leaked_consent_lets_nobody_but_its_lender_ask(desk: ListingDesk) -> None:
    desk.enrol(SPY, Role.ROLE_LENDER)
    desk.in_force()
    granted = desk.periodic()
    stolen = desk.federation.view_request(granted)
    ask = v1.CheckListingsRequest(ask=desk.federation.ask(granted, stolen))
    assert reason_of(partial(desk.call, desk.listings.CheckListings, ask, SPY)) == (
        "SIGNATURE_INVALID"
    )
    # The subject sees the attempts that a spy signed itself.
    spied = desk.federation.view_request(granted, lender=SPY)
    ask = v1.CheckListingsRequest(ask=desk.federation.ask(granted, spied))
    assert reason_of(partial(desk.call, desk.listings.CheckListings, ask, SPY)) == (
        "CONSENT_WRONG_RECIPIENT"
    )
    attempts = [r.refusal.lender for r in desk.history() if r.HasField("refusal")]
    assert attempts == [SPY]


def test_a_thousand_invented_people_are_as_unknown_as_a_listed_one(desk: ListingDesk) -> None:
    desk.in_force()
    refs = [desk.subject.ref, *(digest(f"invented {n}") for n in range(999))]
    request = v1.ScreenRequest(
        request_id=new_id(),
        federation=desk.federation.name,
        lender=LENDER,
        purpose=Purpose.PURPOSE_ACCOUNT_REVIEW,
        subject_refs=b"".join(refs),
        consent_ids=b"".join(new_id() for _ in refs),
        issued_at=to_timestamp(desk.federation.at),
        expires_at=to_timestamp(desk.federation.at + timedelta(minutes=1)),
    )
    (response,) = desk.screen_all(seal(request, signer(LENDER)))
    answer = v1.ScreenAnswer.FromString(response.answer.payload)
    assert set(answer.results) == {v1.Reason.REASON_CONSENT_UNKNOWN}
    assert answer.hits == []
    assert list(answer.alerts) == []
    assert answer.access_ids == bytes(16 * 1000)


# Floods -----------------------------------------------------------------------------------------


def test_a_flood_of_reconfirmations_leaves_history_log_and_inbox_as_they_are(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    before = (len(desk.own().listings[0].steps), len(desk.history()), len(desk.read_inbox()))
    reconfirm = ListingAction.LISTING_ACTION_RECONFIRM
    for age in range(5):
        said = to_timestamp(desk.federation.at - age * DAY)
        flood = [desk.event(listing_id, reconfirm, FURNISHER, decided_at=said) for _ in range(128)]
        assert all(result.standing.state == EFFECTIVE for result in desk.say(*flood))
    after = (len(desk.own().listings[0].steps), len(desk.history()), len(desk.read_inbox()))
    assert after == before


def test_a_history_of_a_listing_stays_within_what_its_subject_is_shown(desk: ListingDesk) -> None:
    """A source that reconfirms every day for as long as it may pushes nothing out of the account."""
    listing_id = desk.file().listing_id
    for _ in range(300):
        desk.pass_time(DAY)
        desk.reconfirm(listing_id)
    desk.read_inbox()
    for _ in range(300):
        desk.pass_time(DAY)
        desk.reconfirm(listing_id)
    (own,) = desk.own().listings
    assert own.state == EFFECTIVE
    assert own.steps[0].sequence == 1
    assert len(own.steps) < 50


@pytest.mark.parametrize(
    ("unit", "most"),
    [
        ("word ", 200),
        ("слово ", 200),
        ("كلمة ", 200),
        ("단어 ", 200),
        ("字", 200),
        ("か", 200),
        ("\U00020000", 200),
        ("ส", 1000),  # five letters a word, where no spaces are set
        ("🙂 ", 200),
    ],
    ids=lambda value: f"U+{ord(value[0]):04X}" if isinstance(value, str) else None,
)
def test_two_hundred_words_are_the_limit_in_every_script(
    desk: ListingDesk, unit: str, most: int
) -> None:
    listing_id = desk.in_force()

    def stated(text: str) -> str:
        words = v1.SubjectWords(text=text, language="en")
        return reason_of(partial(desk.subject_says, listing_id, STATE, words=words))

    assert stated(unit * (most + 1)) == "WORDS_TOO_MANY"
    assert stated(unit * most) == ""


# A clock set back -------------------------------------------------------------------------------


def test_a_clock_set_back_brings_no_expired_listing_back(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    long_ago = desk.federation.at
    desk.pass_time(7 * 366 * DAY)
    assert desk.state(listing_id) == EXPIRED
    desk.federation.at = long_ago
    desk.desk.listings.run_due_now(desk.desk.clock)  # which never goes back
    assert desk.state(listing_id) == EXPIRED
    assert desk.shown() == []


def test_a_clock_set_back_and_forth_never_shortens_a_notice_period(desk: ListingDesk) -> None:
    listing_id = desk.file().listing_id
    desk.read_inbox()
    served = desk.federation.at
    clock = desk.desk.clock  # what servers and timers read
    for days in (-20, 5, -400, 29):
        desk.federation.at = served + days * DAY
        assert clock.now() >= served
        desk.federation.at = clock.now()
        desk.reconfirm(listing_id)
        desk.desk.listings.run_due_now(clock)
        assert desk.state(listing_id) == ListingState.LISTING_STATE_NOTICED
    desk.pass_time(DAY)
    (own,) = desk.own().listings
    assert own.state == EFFECTIVE
    assert own.effective_at == to_timestamp(served + 30 * DAY)


def test_no_date_in_a_statement_moves_an_end(desk: ListingDesk) -> None:
    """What counts is when it is on record here, whatever a statement says of when it was made."""
    listing_id = desk.in_force()
    ends = desk.own().listings[0].expires_at
    early = to_timestamp(desk.federation.at - 29 * DAY)
    action = ListingAction.LISTING_ACTION_SETTLE
    desk.subject_says(
        listing_id, action, settlement=settlement(desk.federation.at - 29 * DAY), decided_at=early
    )
    (own,) = desk.own().listings
    # A subject's own word on when it paid shortens no limit: it counts from now.
    assert own.expires_at == to_timestamp(Span(months=36).after(desk.federation.at))
    assert own.expires_at.seconds < ends.seconds


# On real ports ----------------------------------------------------------------------------------


@dataclass
class Ports:
    """An exchange's listings on real ports, with real certificates."""

    desk: ListingDesk
    here: Neighbourhood
    member: AioPort
    public: AioPort

    def channel(self, member: str) -> grpc.Channel:
        return self.here.channel(self.member, self.here.pki.issue(member))

    def anybody(self) -> grpc.Channel:
        return self.here.channel(self.public, None)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


@pytest.fixture
def ports(pki: Pki) -> Iterator[Ports]:
    federation = Federation(at=datetime.now(UTC), tls_ca_pem=pki.ca_pem)
    desk = ListingDesk(ExchangeDesk(federation))
    here = Neighbourhood(federation, pki, Clock(), AioPort)
    member, public = here.listen(Port.MEMBER), here.listen(Port.PUBLIC)
    assert isinstance(member, AioPort)
    assert isinstance(public, AioPort)
    add_FurnisherServiceServicer_to_server(desk.furnishers, member.server)
    add_ListingServiceServicer_to_server(desk.listings, member.server)
    add_SubjectServiceServicer_to_server(desk.subjects, public.server)
    with ExitStack() as stack:
        stack.enter_context(member.start())
        stack.enter_context(public.start())
        yield Ports(desk, here, member, public)
    desk.close()


def test_a_filing_counts_only_over_its_own_signers_connection(ports: Ports) -> None:
    filing = seal(ports.desk.filing(), signer(FURNISHER))
    request = v1.FileListingsRequest(filings=[filing])
    for member, expected in ((OTHER_FURNISHER, "SIGNATURE_INVALID"), (FURNISHER, "")):
        with ports.channel(member) as channel:
            response = FurnisherServiceStub(channel).FileListings(request, timeout=5)
            assert name_of(response.results[0].refusal.reason) == (expected or "UNSPECIFIED")
    with ports.channel(REGULATOR) as channel, pytest.raises(grpc.RpcError) as refused:
        FurnisherServiceStub(channel).FileListings(request, timeout=5)
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


def dispute_request(ports: Ports, *sizes: int) -> v1.SubmitDisputeRequest:
    desk = ports.desk
    dispute = v1.Dispute(
        dispute_id=new_id(),
        federation=desk.federation.name,
        subject_ref=desk.subject.ref,
        listing_id=new_id(),
        stage=REVIEW,
        ground=v1.DisputeGround.DISPUTE_GROUND_PAID,
        reviewer=REVIEWER,
        raised_at=to_timestamp(datetime.now(UTC)),
    )
    return v1.SubmitDisputeRequest(
        dispute=seal(dispute, desk.subject.signer),
        binding=desk.subject.binding,
        attachments=[v1.SealedAttachment(sealed=bytes(size)) for size in sizes],
    )


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([MAX_SEALED_BYTES] * 4, "LISTING_UNKNOWN"),  # let in, and then there is no such listing
        ([MAX_SEALED_BYTES + 1], "MESSAGE_INVALID"),
        ([1] * 5, "MESSAGE_INVALID"),
        ([0], "MESSAGE_INVALID"),
        ([MAX_MESSAGE_BYTES], "RESOURCE_EXHAUSTED"),
    ],
)
def test_attachments_are_as_large_as_the_contract_says_and_no_larger(
    ports: Ports, sizes: list[int], expected: str
) -> None:
    with ports.anybody() as channel, pytest.raises(grpc.RpcError) as refused:
        SubjectServiceStub(channel).SubmitDispute(dispute_request(ports, *sizes), timeout=5)
    error = from_rpc_error(refused.value)
    assert (name_of(error.reason) if error.reason else error.code.name) == expected


def test_the_largest_evidence_reaches_its_reviewer(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    sealed = [v1.SealedAttachment(sealed=bytes([n]) * MAX_SEALED_BYTES) for n in range(4)]
    dispute_id, _ = desk.dispute(listing_id, REVIEW, attachments=sealed)
    request = v1.GetReviewRequest(dispute_id=dispute_id)
    shown = desk.call(desk.reviews.GetReview, request, REVIEWER)
    assert list(shown.attachments) == sealed
    assert shown.ByteSize() < 4 * MAX_MESSAGE_BYTES


def test_a_screening_stream_ends_when_its_lender_is_suspended(ports: Ports) -> None:
    desk = ports.desk
    granted = desk.periodic()
    desk.desk.listings.book._current_at += 3600
    at = datetime.now(UTC)
    fresh = {
        "issued_at": to_timestamp(at),
        "expires_at": to_timestamp(at + timedelta(minutes=1)),
    }
    first = v1.ScreenListingsRequest(request=desk.screen_request(granted, **fresh))
    second = v1.ScreenListingsRequest(request=desk.screen_request(granted, **fresh))

    answered = threading.Event()

    def requests() -> Iterator[v1.ScreenListingsRequest]:
        yield first
        answered.wait()
        yield second

    with ports.channel(LENDER) as channel:
        answers = ListingServiceStub(channel).ScreenListings(requests(), timeout=10)
        assert next(answers).HasField("answer")
        desk.federation.suspend(LENDER)
        answered.set()
        with pytest.raises(grpc.RpcError) as refused:
            next(answers)
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
