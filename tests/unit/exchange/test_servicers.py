"""The exchange's three services: what each takes in, from whom, and what it answers."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.directory import MemberDirectory
from concordat.refusal import Refusal
from concordat.rpc.errors import CATALOG
from concordat.statements import digest_of, seal
from concordat.v1 import ConsentEventKind, ConsentState, Reason, Role, Standing
from exchange.members import servicer as member_servicer
from exchange.members.keeper import keep_licence, load
from tests.builders import AT, DAY, EXCHANGE, LENDER, Federation, Granted, Subject, signer
from tests.exchange_services import (
    NO_CONTEXT,
    ExchangeServices,
    Idling,
    reason_of,
    subject_request,
)

PAUSE = ConsentEventKind.CONSENT_EVENT_KIND_PAUSE
RESUME = ConsentEventKind.CONSENT_EVENT_KIND_RESUME
REVOKE = ConsentEventKind.CONSENT_EVENT_KIND_REVOKE
ACTIVE = ConsentState.CONSENT_STATE_ACTIVE
PAUSED = ConsentState.CONSENT_STATE_PAUSED
REVOKED = ConsentState.CONSENT_STATE_REVOKED


@pytest.fixture
def services() -> Iterator[ExchangeServices]:
    services = ExchangeServices()
    yield services
    services.close()


@pytest.fixture
def federation(services: ExchangeServices) -> Federation:
    return services.federation


@pytest.fixture
def granted(services: ExchangeServices) -> Granted:
    granted = services.federation.consent(services.federation.subject())
    services.grant(granted)
    return granted


def standing(services: ExchangeServices, granted: Granted) -> tuple[int, int]:
    """Return a consent's state and how many events it had, as its subject sees them."""
    (record,) = services.page(granted.person).consents
    return record.state, len(record.events)


# ConsentService: what a wallet may do ------------------------------------------------------------


def test_a_consent_is_granted_paused_resumed_and_revoked_on_the_exchanges_signed_word(
    services: ExchangeServices, federation: Federation
) -> None:
    granted = federation.consent(federation.subject())
    words = [services.grant(granted)]
    events = [
        federation.consent_event(granted, kind, sequence)
        for sequence, kind in enumerate([PAUSE, RESUME, REVOKE], 1)
    ]
    words += [services.tell(event, granted.person) for event in events]
    assert [word.state for word in words] == [ACTIVE, PAUSED, ACTIVE, REVOKED]
    assert [word.event_sequence for word in words] == [0, 1, 2, 3]
    assert {word.consent_digest for word in words} == {digest_of(granted.envelope)}
    assert {word.binding_version for word in words} == {1}
    (record,) = services.page(granted.person).consents
    assert (record.consent, record.state, record.uses) == (granted.envelope, REVOKED, 0)
    assert list(record.events) == events


def test_granting_again_changes_nothing_and_tells_where_the_consent_stands(
    services: ExchangeServices, federation: Federation, granted: Granted
) -> None:
    services.tell(federation.consent_event(granted, PAUSE), granted.person)
    again = services.grant(granted)
    assert (again.state, again.event_sequence) == (PAUSED, 1)
    assert standing(services, granted) == (PAUSED, 1)


def test_an_event_that_the_state_does_not_allow_is_refused(
    services: ExchangeServices, federation: Federation, granted: Granted
) -> None:
    event = federation.consent_event(granted, RESUME)
    refused = reason_of(lambda: services.tell(event, granted.person))
    assert refused == "CONSENT_TRANSITION_REFUSED"
    assert standing(services, granted) == (ACTIVE, 0)


def by_mallory(federation: Federation, granted: Granted) -> Granted:
    return Granted(granted.person, granted.consent, seal(granted.consent, signer("mallory")))


def by_mallory_under_its_own_binding(federation: Federation, granted: Granted) -> Granted:
    mallory = federation.subject("mallory")
    return Granted(mallory, granted.consent, seal(granted.consent, mallory.signer))


def under_a_binding_of_the_exchanges_own_making(
    federation: Federation, granted: Granted
) -> Granted:
    binding = v1.SubjectBinding.FromString(granted.person.binding.payload)
    person = Subject(granted.person.ref, granted.person.signer, seal(binding, signer(EXCHANGE)))
    return Granted(person, granted.consent, granted.envelope)


def for_what_no_purpose_allows(federation: Federation, granted: Granted) -> Granted:
    listings = [v1.DataCategory.DATA_CATEGORY_LISTINGS]
    purpose = v1.Purpose.PURPOSE_FRAUD_FLAGS
    return federation.consent(granted.person, purpose=purpose, data_categories=listings)


def already_over(federation: Federation, granted: Granted) -> Granted:
    return federation.consent(granted.person, valid_until=to_timestamp(AT))


def of_another_federation(federation: Federation, granted: Granted) -> Granted:
    return federation.consent(granted.person, federation="other.concordat")


@pytest.mark.parametrize(
    ("bend", "reason"),
    [
        (by_mallory, "SIGNATURE_INVALID"),
        (by_mallory_under_its_own_binding, "BINDING_INVALID"),
        (under_a_binding_of_the_exchanges_own_making, "SIGNATURE_INVALID"),
        (for_what_no_purpose_allows, "PURPOSE_NOT_ALLOWED"),
        (already_over, "CONSENT_EXPIRED"),
        (of_another_federation, "WRONG_FEDERATION"),
    ],
)
def test_a_consent_that_its_subject_did_not_lawfully_give_is_not_put_on_record(
    services: ExchangeServices,
    federation: Federation,
    bend: Callable[[Federation, Granted], Granted],
    reason: str,
) -> None:
    person = federation.subject()
    bent = bend(federation, federation.consent(person))
    assert reason_of(lambda: services.grant(bent)) == reason
    assert list(services.page(person).consents) == []


def test_nobody_but_the_subject_moves_a_consent(
    services: ExchangeServices, federation: Federation, granted: Granted
) -> None:
    mallory = federation.subject("mallory")
    forged = federation.consent_event(
        Granted(mallory, granted.consent, granted.envelope), REVOKE, subject_ref=granted.person.ref
    )
    assert reason_of(lambda: services.tell(forged, granted.person)) == "SIGNATURE_INVALID"
    assert reason_of(lambda: services.tell(forged, mallory)) == "BINDING_INVALID"
    # About itself Mallory may sign what it likes: the consent is another's.
    own = federation.consent_event(Granted(mallory, granted.consent, granted.envelope), REVOKE)
    assert reason_of(lambda: services.tell(own, mallory)) == "CONSENT_UNKNOWN"
    assert standing(services, granted) == (ACTIVE, 0)


@pytest.mark.parametrize(
    ("bent", "reason"),
    [
        ({"consent_digest": bytes(32)}, "CONSENT_UNKNOWN"),
        ({"consent_id": bytes(16)}, "CONSENT_UNKNOWN"),
        ({"federation": "other.concordat"}, "WRONG_FEDERATION"),
    ],
)
def test_an_event_about_something_else_changes_nothing(
    services: ExchangeServices,
    federation: Federation,
    granted: Granted,
    bent: dict[str, Any],
    reason: str,
) -> None:
    event = federation.consent_event(granted, REVOKE, **bent)
    assert reason_of(lambda: services.tell(event, granted.person)) == reason
    assert standing(services, granted) == (ACTIVE, 0)


# ConsentService: what a subject may see ----------------------------------------------------------


def test_nobody_sees_the_consents_of_another(
    services: ExchangeServices, federation: Federation, granted: Granted
) -> None:
    ada, mallory = granted.person, federation.subject("mallory")
    forged = subject_request(federation, ada, signed_by="wallet-mallory")
    assert reason_of(lambda: services.page(ada, forged)) == "SIGNATURE_INVALID"
    assert reason_of(lambda: services.page(mallory, forged)) == "BINDING_INVALID"
    assert list(services.page(mallory).consents) == []


@pytest.mark.parametrize(
    ("made", "fields", "reason"),
    [
        (AT - DAY, {}, "STATEMENT_NOT_FRESH"),
        (AT + DAY, {}, "STATEMENT_NOT_FRESH"),
        (AT, {"federation": "other.concordat"}, "WRONG_FEDERATION"),
    ],
)
def test_a_request_of_another_day_or_federation_shows_nothing(
    services: ExchangeServices,
    federation: Federation,
    granted: Granted,
    made: datetime,
    fields: dict[str, Any],
    reason: str,
) -> None:
    asked = subject_request(federation, granted.person, made=made, **fields)
    assert reason_of(lambda: services.page(granted.person, asked)) == reason


def test_a_superseded_key_sees_and_moves_nothing(
    services: ExchangeServices, federation: Federation, granted: Granted
) -> None:
    newer = federation.subject("ada", version=2)
    services.grant(federation.consent(newer))
    assert reason_of(lambda: services.page(granted.person)) == "BINDING_INVALID"
    event = federation.consent_event(granted, REVOKE)
    assert reason_of(lambda: services.tell(event, granted.person)) == "BINDING_INVALID"
    assert {record.state for record in services.page(newer).consents} == {ACTIVE}


def test_consents_are_listed_a_hundred_at_a_time_in_the_order_of_their_ids(
    services: ExchangeServices, federation: Federation
) -> None:
    person = federation.subject()
    granted = [services.desk.grant(person) for _ in range(103)]
    first = services.page(person)
    ids = [v1.Consent.FromString(record.consent.payload).consent_id for record in first.consents]
    rest = services.page(person, after=ids[-1])
    ids += [v1.Consent.FromString(record.consent.payload).consent_id for record in rest.consents]
    assert (len(first.consents), first.more, rest.more) == (100, True, False)
    assert ids == sorted(one.consent.consent_id for one in granted)


# MemberService -----------------------------------------------------------------------------------

NEW = "dogwood-bureau"


def submit(services: ExchangeServices, envelope: v1.Envelope) -> str:
    """Submit a licence or a status, as the regulator; return why it is refused."""
    if "licence-status" in envelope.payload_type:
        status = v1.SubmitLicenceStatusRequest(status=envelope)
        return reason_of(lambda: services.call(services.members.SubmitLicenceStatus, status))
    licence = v1.SubmitLicenceRequest(licence=envelope)
    return reason_of(lambda: services.call(services.members.SubmitLicence, licence))


def new_licence(federation: Federation, **fields: Any) -> v1.Envelope:
    return federation.licence(NEW, Role.ROLE_PROVIDER, **fields)


def suspension(federation: Federation, **fields: Any) -> v1.Envelope:
    return federation.status(LENDER, Standing.STANDING_SUSPENDED, **fields)


def known(directory: MemberDirectory) -> tuple[bool, bool]:
    """Return whether the new member is known, and whether the lender is in good standing."""
    members = {member.member_id for member in directory.members()}
    return NEW in members, directory.standing(LENDER) == Standing.STANDING_ACTIVE


def after_a_restart(services: ExchangeServices) -> MemberDirectory:
    """Return the directory that a new process would load."""
    directory = MemberDirectory(services.federation.anchors)
    services.desk.store.run(lambda connection: load(connection, directory, AT))
    return directory


def test_what_enough_roots_signed_is_in_force_listed_and_survives_a_restart(
    services: ExchangeServices, federation: Federation
) -> None:
    licence, status = new_licence(federation), suspension(federation)
    assert [submit(services, one) for one in (licence, status)] == ["", ""]
    assert known(federation.directory) == (True, False)
    listed = services.call(services.members.ListMembers, v1.ListMembersRequest())
    assert licence in listed.licences
    assert list(listed.statuses) == [status]
    assert known(after_a_restart(services)) == (True, False)


def one_root_short(make: Callable[..., v1.Envelope], federation: Federation) -> v1.Envelope:
    return make(federation, roots=1)


def one_root_twice(make: Callable[..., v1.Envelope], federation: Federation) -> v1.Envelope:
    envelope = make(federation)
    envelope.signatures[1].CopyFrom(envelope.signatures[0])
    return envelope


def signed_by_members(make: Callable[..., v1.Envelope], federation: Federation) -> v1.Envelope:
    envelope = make(federation)
    kind = v1.LicenceStatus if make is suspension else v1.Licence
    statement = kind.FromString(envelope.payload)
    return seal(statement, signer(EXCHANGE), signer("regulator"))


def bit_flipped(make: Callable[..., v1.Envelope], federation: Federation) -> v1.Envelope:
    envelope = make(federation)
    payload = bytearray(envelope.payload)
    payload[len(payload) // 2] ^= 1
    envelope.payload = bytes(payload)
    return envelope


@pytest.mark.parametrize("make", [new_licence, suspension])
@pytest.mark.parametrize("forge", [one_root_short, one_root_twice, signed_by_members, bit_flipped])
def test_what_too_few_roots_signed_changes_nothing_whoever_submits_it(
    services: ExchangeServices,
    federation: Federation,
    make: Callable[..., v1.Envelope],
    forge: Callable[..., v1.Envelope],
) -> None:
    assert submit(services, forge(make, federation)) == "SIGNATURE_INVALID"
    assert known(federation.directory) == (False, True)
    restarted = after_a_restart(services)
    assert (restarted.members(), restarted.status_envelopes()) == ([], [])


def test_a_licence_that_passes_as_a_status_is_refused(
    services: ExchangeServices, federation: Federation
) -> None:
    request = v1.SubmitLicenceStatusRequest(status=new_licence(federation))
    method = services.members.SubmitLicenceStatus
    assert reason_of(lambda: services.call(method, request)) == "STATEMENT_MALFORMED"


def test_an_older_licence_or_status_is_superseded(
    services: ExchangeServices, federation: Federation
) -> None:
    assert submit(services, new_licence(federation, version=2)) == ""
    assert submit(services, suspension(federation, sequence=2)) == ""
    assert submit(services, new_licence(federation, version=1)) == "LICENCE_SUPERSEDED"
    assert submit(services, suspension(federation, sequence=1)) == "LICENCE_SUPERSEDED"


def submit_calibration(services: ExchangeServices, envelope: v1.Envelope) -> str:
    request = v1.SubmitCalibrationRequest(calibration=envelope)
    return reason_of(lambda: services.call(services.members.SubmitCalibration, request))


def test_a_calibration_is_in_use_listed_and_survives_a_restart(
    services: ExchangeServices, federation: Federation
) -> None:
    new = federation.calibration(version=2)
    assert submit_calibration(services, new) == ""
    assert submit_calibration(services, new) == ""  # the same again changes nothing
    assert federation.directory.calibration(AT).envelope == new
    listed = services.call(services.members.ListMembers, v1.ListMembersRequest()).calibrations
    assert [v1.Calibration.FromString(one.payload).version for one in listed] == [1, 2]
    services.desk.store.run(lambda connection: keep_exchange(connection, federation))
    assert [one.version for one in after_a_restart(services).calibrations()] == [2]


def keep_exchange(connection: Connection, federation: Federation) -> None:
    """Store the exchange's licence, which names the keys that sign calibrations."""
    member = federation.member(EXCHANGE)
    keep_licence(connection, member.licence, member.licence_envelope, AT)


@pytest.mark.parametrize("bend", [{"roots": 1}, {"signed_by": "regulator"}])
def test_a_calibration_that_exchange_and_roots_did_not_sign_changes_nothing(
    services: ExchangeServices, federation: Federation, bend: Any
) -> None:
    weak = federation.calibration(version=2, **bend)
    assert submit_calibration(services, weak) == "SIGNATURE_INVALID"
    other = federation.calibration(version=1)
    assert submit_calibration(services, other) == "CALIBRATION_SUPERSEDED"
    assert [one.version for one in federation.directory.calibrations()] == [1]


def test_the_calibration_in_use_the_one_before_and_later_ones_are_listed(
    services: ExchangeServices, federation: Federation
) -> None:
    for version in range(2, 20):
        federation.calibrate(version=version)
    for version in range(20, 30):
        federation.calibrate(version=version, not_before=to_timestamp(federation.at + 9 * DAY))
    listed = services.call(services.members.ListMembers, v1.ListMembersRequest()).calibrations
    versions = [v1.Calibration.FromString(one.payload).version for one in listed]
    assert versions == list(range(18, 26)), "19 is in use"


def test_a_watcher_hears_of_a_suspension_within_half_a_second_and_of_life_within_one(
    services: ExchangeServices, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    idling = Idling()
    monkeypatch.setattr(member_servicer, "asyncio", idling)

    async def watch() -> None:
        services.let_in(LENDER)
        stream = services.members.WatchMembers(v1.WatchMembersRequest(), NO_CONTEXT)
        first = await anext(stream)
        assert len(first.licences) == len(federation.directory.members())
        for _ in range(5):
            idling.seconds = 0.0
            beat = await anext(stream)
            assert (list(beat.licences), list(beat.statuses)) == ([], [])
            assert idling.seconds <= 1, "silence is how a broken exchange is told from a quiet one"
            federation.suspend(LENDER, sequence=federation.directory.revision)
            idling.seconds = 0.0
            news = await anext(stream)
            assert list(news.statuses) == federation.directory.status_envelopes()
            assert not news.licences, "only what is new"
            # The other half of the second is for an exchange process that has to hear of it first.
            assert idling.seconds <= 0.5
        services.stopping.set()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    asyncio.run(watch())


# ViewService -------------------------------------------------------------------------------------


def test_a_view_is_answered_and_a_refusal_raised(
    services: ExchangeServices, federation: Federation, granted: Granted
) -> None:
    ask = federation.ask(granted)
    answer = services.call(services.views.RequestView, ask, LENDER)
    assert services.desk.verify(granted, ask.request, answer).view.lender == LENDER
    again = federation.ask(granted)
    refused = reason_of(lambda: services.call(services.views.RequestView, again, LENDER))
    assert refused == "CONSENT_EXHAUSTED"


def test_a_view_needs_a_caller_that_is_a_member(
    services: ExchangeServices, federation: Federation, granted: Granted
) -> None:
    ask = federation.ask(granted)
    refused = reason_of(lambda: services.call(services.views.RequestView, ask))
    assert refused == "CALLER_UNKNOWN"


def test_a_stream_answers_each_ask_in_its_place_and_a_refused_one_refuses_no_other(
    services: ExchangeServices, federation: Federation
) -> None:
    people = [services.desk.grant(federation.subject(f"person-{n}")) for n in range(9)]
    unknown = federation.consent(federation.subject("nobody"))
    forged = by_mallory(federation, people[8])
    messages = [[people[0], unknown, people[1]], people[2:5], [forged], people[5:8]]
    asks = [[federation.ask(granted) for granted in message] for message in messages]
    answers, broken = services.stream(asks)
    assert broken is None
    for sent, asked, answer in zip(messages, asks, answers, strict=True):
        for granted, ask, result in zip(sent, asked, answer.results, strict=True):
            if granted is unknown or granted is forged:
                assert result.WhichOneof("result") == "refusal"
                continue
            view = services.desk.verify(granted, ask.request, result.view).view
            assert view.subject_ref == granted.person.ref
    refusals = [answers[0].results[1].refusal, answers[2].results[0].refusal]
    reasons = [Reason.REASON_CONSENT_UNKNOWN, Reason.REASON_SIGNATURE_INVALID]
    assert [refusal.reason for refusal in refusals] == reasons
    assert [refusal.message for refusal in refusals] == [CATALOG[one].message for one in reasons]


def test_what_came_before_a_stream_broke_is_answered_before_its_end_is_told(
    services: ExchangeServices, federation: Federation
) -> None:
    people = [services.desk.grant(federation.subject(f"person-{n}")) for n in range(7)]
    cut = Refusal(Reason.REASON_MEMBER_SUSPENDED)
    answers, broken = services.stream([[federation.ask(one)] for one in people] + [cut])
    assert [len(answer.results) for answer in answers] == [1] * 7
    assert broken is cut
