"""A provider answers the person itself: on its own signature alone, and on nobody else's word."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.statements import digest_of, envelope_of, seal
from concordat.trust.envelope import payload_type_of, sign_statement
from concordat.verify.consent import open_binding, open_own_view_request
from concordat.verify.request import open_score_statement
from provider.own_answering import OwnDesk
from provider.servicer import ProviderServicer
from provider.store import scores
from provider.store.journal import OWN_LOOK, Outcome
from tests.builders import EXCHANGE, PROVIDERS, Federation, Subject, signer
from tests.own_view_builders import own_ask, own_look, own_request
from tests.unit.provider.conftest import SELF, Bench, reasons
from tests.unit.provider.test_servicer import Admitted, call

Bend = Callable[[Federation, Subject, v1.RequestOwnScoresRequest], None]


def own_desk(bench: Bench) -> OwnDesk:
    return OwnDesk(bench.desk.stating, bench.store)


def answer(bench: Bench, ask: v1.RequestOwnScoresRequest) -> v1.ScoreResult:
    return own_desk(bench).answer(ask, bench.federation.at)


def test_a_person_is_told_its_own_score_as_a_lender_would_be(bench: Bench) -> None:
    fed = bench.federation
    person = fed.subject()
    bench.put(person, 655)
    ask = own_ask(fed, person)
    result = answer(bench, ask)
    binding = open_binding(person.binding, fed.anchors, fed.at)
    asked = open_own_view_request(ask.request, binding, fed.anchors, fed.at)
    member = fed.member(SELF)
    statement = open_score_statement(result.statement, member, asked, fed.anchors, fed.at).message
    assert (statement.score, list(statement.reasons)) == (655, ["BK01", "BK02"])
    assert statement.request_digest == digest_of(ask.request)
    assert bench.journal() == [(Outcome.SCORED, 0, OWN_LOOK)]


def test_a_person_that_nobody_knows_is_told_so(bench: Bench) -> None:
    result = answer(bench, own_ask(bench.federation, bench.federation.subject()))
    statement = v1.ScoreStatement.FromString(result.statement.payload)
    assert statement.absence == v1.Absence.ABSENCE_NO_RECORD
    assert bench.journal() == [(Outcome.NO_RECORD, 0, OWN_LOOK)]


def of_another_person(fed: Federation, _: Subject, ask: v1.RequestOwnScoresRequest) -> None:
    ask.CopyFrom(own_ask(fed, fed.subject("bob"), own_request(fed, fed.subject())))


def by_another_key(fed: Federation, person: Subject, ask: v1.RequestOwnScoresRequest) -> None:
    request = own_request(fed, person, signed_by="mallory")
    ask.CopyFrom(own_ask(fed, person, request))


def by_the_exchange(fed: Federation, person: Subject, ask: v1.RequestOwnScoresRequest) -> None:
    request = own_request(fed, person, signed_by=EXCHANGE)
    ask.CopyFrom(own_ask(fed, person, request))


def bound_by_the_exchange(
    fed: Federation, person: Subject, ask: v1.RequestOwnScoresRequest
) -> None:
    binding = v1.SubjectBinding.FromString(person.binding.payload)
    binding.public_key = signer("mallory").public_key
    request = own_request(fed, person, signed_by="mallory")
    ask.CopyFrom(own_ask(fed, person, request, binding=seal(binding, signer(EXCHANGE))))


def of_another_subject(fed: Federation, person: Subject, ask: v1.RequestOwnScoresRequest) -> None:
    request = own_request(fed, person, subject_ref=fed.subject("bob").ref)
    ask.CopyFrom(own_ask(fed, person, request))


def of_another_federation(
    fed: Federation, person: Subject, ask: v1.RequestOwnScoresRequest
) -> None:
    ask.CopyFrom(own_ask(fed, person, own_request(fed, person, federation="other.concordat")))


def of_other_providers(fed: Federation, person: Subject, ask: v1.RequestOwnScoresRequest) -> None:
    ask.CopyFrom(own_ask(fed, person, own_request(fed, person, providers=PROVIDERS[1:])))


def of_yesterday(fed: Federation, person: Subject, ask: v1.RequestOwnScoresRequest) -> None:
    request = own_request(fed, person, made=fed.at - timedelta(days=1))
    ask.CopyFrom(own_ask(fed, person, request))


def not_logged(fed: Federation, person: Subject, ask: v1.RequestOwnScoresRequest) -> None:
    ask.intent.CopyFrom(v1.LogReceipt())


def logged_for_another_look(
    fed: Federation, person: Subject, ask: v1.RequestOwnScoresRequest
) -> None:
    ask.intent.CopyFrom(own_look(fed, own_request(fed, person)))


def logged_by_another(fed: Federation, person: Subject, ask: v1.RequestOwnScoresRequest) -> None:
    ask.intent.CopyFrom(own_look(fed, ask.request, log=signer("mallory")))


def logged_as_a_lenders_access(
    fed: Federation, person: Subject, ask: v1.RequestOwnScoresRequest
) -> None:
    granted = fed.consent(person)
    ask.intent.CopyFrom(fed.intent(granted, fed.view_request(granted)))


def a_lenders_request(fed: Federation, person: Subject, ask: v1.RequestOwnScoresRequest) -> None:
    ask.request.CopyFrom(fed.view_request(fed.consent(person)))


BENT: dict[Bend, str] = {
    of_another_person: "SIGNATURE_INVALID",
    by_another_key: "SIGNATURE_INVALID",
    by_the_exchange: "SIGNATURE_INVALID",
    bound_by_the_exchange: "SIGNATURE_INVALID",
    of_another_subject: "BINDING_INVALID",
    of_another_federation: "WRONG_FEDERATION",
    of_other_providers: "PROVIDER_NOT_NAMED",
    of_yesterday: "STATEMENT_NOT_FRESH",
    not_logged: "ACCESS_NOT_LOGGED",
    logged_for_another_look: "ACCESS_NOT_LOGGED",
    logged_by_another: "ACCESS_NOT_LOGGED",
    logged_as_a_lenders_access: "ACCESS_NOT_LOGGED",
    a_lenders_request: "STATEMENT_MALFORMED",
}


@pytest.mark.parametrize("bend", BENT, ids=lambda bend: bend.__name__)
def test_what_is_not_the_persons_own_logged_request_is_refused_by_the_provider_alone(
    bench: Bench, bend: Bend
) -> None:
    person = bench.federation.subject()
    bench.put(person)
    ask = own_ask(bench.federation, person)
    bend(bench.federation, person, ask)
    assert reasons([answer(bench, ask)]) == [BENT[bend]]
    assert bench.journal() == []


def test_the_same_look_is_answered_again_and_other_bytes_under_its_id_are_not(bench: Bench) -> None:
    fed, person = bench.federation, bench.federation.subject()
    request_id = new_id()
    one = own_ask(fed, person, own_request(fed, person, request_id=request_id))
    other = own_request(fed, person, request_id=request_id, providers=[SELF])
    results = [answer(bench, ask) for ask in (one, one, own_ask(fed, person, other))]
    assert reasons(results) == ["", "", "REPLAYED_WITH_OTHER_BYTES"]


def test_a_key_that_was_replaced_opens_nothing(bench: Bench) -> None:
    fed = bench.federation
    new, old = fed.subject("ada", version=2), fed.subject("ada")
    assert reasons([answer(bench, own_ask(fed, new))]) == [""]
    assert reasons([answer(bench, own_ask(fed, old))]) == ["BINDING_INVALID"]


def test_own_looks_move_no_score_and_use_up_no_consent(bench: Bench) -> None:
    fed, person = bench.federation, bench.federation.subject()
    bench.put(person)
    kept = bench.store.run(lambda c: scores.read(c, [person.ref]))
    for _ in range(5):
        answer(bench, own_ask(fed, person))
    granted = fed.consent(person)  # of one use
    (result,) = bench.answer(fed.score_request(granted))
    assert reasons([result]) == [""]
    assert bench.store.run(lambda c: scores.read(c, [person.ref])) == kept


def test_only_the_exchange_of_the_trust_bundle_brings_a_persons_request(bench: Bench) -> None:
    fed = bench.federation
    fed.enrol("rival-exchange", v1.Role.ROLE_EXCHANGE)
    servicer = ProviderServicer(bench.desk, own_desk(bench), EXCHANGE, lambda: None)
    ask = own_ask(fed, fed.subject())
    told = []
    for caller in (EXCHANGE, "rival-exchange"):
        admitted = Admitted(servicer, fed.member(caller), fed.at)
        told.append(call(admitted, "ProviderService", "RequestOwnScores", ask))
    assert reasons([told[0][0].result]) == [""]
    assert told[1][0] is None
    assert "ROLE_NOT_ALLOWED" in told[1][1]


def test_what_the_licence_does_not_allow_is_not_stated_to_the_person_either(bench: Bench) -> None:
    fed, person = bench.federation, bench.federation.subject()
    bench.put(person, 9999)
    assert reasons([answer(bench, own_ask(fed, person))]) == ["SCORE_OUT_OF_SCALE"]
    assert bench.journal() == [(Outcome.REFUSED, v1.Reason.REASON_SCORE_OUT_OF_SCALE, OWN_LOOK)]


def test_a_request_that_lives_longer_than_five_minutes_is_malformed(bench: Bench) -> None:
    fed, person = bench.federation, bench.federation.subject()
    request = v1.OwnViewRequest.FromString(own_request(fed, person).payload)
    request.expires_at.CopyFrom(to_timestamp(fed.at + timedelta(minutes=6)))
    kind, payload = payload_type_of(v1.OwnViewRequest), request.SerializeToString()
    signature = sign_statement(kind, payload, person.signer)
    ask = own_ask(fed, person, envelope_of(kind, payload, [signature]))
    assert reasons([answer(bench, ask)]) == ["STATEMENT_MALFORMED"]
