"""A provider that lies: its answer is thrown away, it alone is missing, and the view still verifies.

The view comes from the exchange's own flow; only the network is replaced.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.statements import cosign, envelope_of, seal
from concordat.trust.envelope import payload_type_of, sign_statement
from concordat.v1 import ProviderOutcomeKind as Kind
from concordat.v1 import Reason
from tests.builders import AT, DAY, PROVIDERS, Federation, Granted, signer
from tests.exchange_builders import ExchangeDesk

HONEST, LIAR, OTHER = PROVIDERS
UNKNOWN_FIELD = b"\xfa\x3f\x04lies"  # field 1023, four bytes

Lie = Callable[[Federation, v1.ScoreRequest], v1.Envelope]


@pytest.fixture
def desk() -> Iterator[ExchangeDesk]:
    desk = ExchangeDesk()
    yield desk
    desk.close()


def _stating(**fields: Any) -> Lie:
    """Return a lie that is a statement with ``fields`` bent."""

    def lie(federation: Federation, request: v1.ScoreRequest) -> v1.Envelope:
        given = dict(fields)
        provider = given.pop("provider", LIAR)
        signed_by = given.pop("signed_by", LIAR)
        return federation.score_statement(
            provider, request.view_request, signed_by=signed_by, **given
        )

    return lie


def _honest(federation: Federation, request: v1.ScoreRequest) -> v1.Envelope:
    return federation.score_statement(LIAR, request.view_request)


def _of_another_request(federation: Federation, request: v1.ScoreRequest) -> v1.Envelope:
    asked = v1.ViewRequest.FromString(request.view_request.payload)
    asked.request_id = new_id()
    return federation.score_statement(LIAR, seal(asked, signer(asked.lender)))


def _unsigned(federation: Federation, request: v1.ScoreRequest) -> v1.Envelope:
    statement = _honest(federation, request)
    statement.signatures[0].sig = bytes(64)
    return statement


def _with_no_signature(federation: Federation, request: v1.ScoreRequest) -> v1.Envelope:
    statement = _honest(federation, request)
    del statement.signatures[:]
    return statement


def _bit_flipped(federation: Federation, request: v1.ScoreRequest) -> v1.Envelope:
    statement = _honest(federation, request)
    payload = bytearray(statement.payload)
    payload[-1] ^= 1
    statement.payload = bytes(payload)
    return statement


def _truncated(federation: Federation, request: v1.ScoreRequest) -> v1.Envelope:
    statement = _honest(federation, request)
    statement.payload = statement.payload[:-3]
    return statement


def _signed_short(federation: Federation, request: v1.ScoreRequest) -> v1.Envelope:
    payload = _honest(federation, request).payload[:-3]
    kind = payload_type_of(v1.ScoreStatement)
    return envelope_of(kind, payload, [sign_statement(kind, payload, signer(LIAR))])


def _of_another_kind(federation: Federation, request: v1.ScoreRequest) -> v1.Envelope:
    payload = _honest(federation, request).payload
    kind = payload_type_of(v1.ConsentStatus)
    return envelope_of(kind, payload, [sign_statement(kind, payload, signer(LIAR))])


def _with_an_unknown_field_in_the_statement(
    federation: Federation, request: v1.ScoreRequest
) -> v1.Envelope:
    payload = _honest(federation, request).payload + UNKNOWN_FIELD
    kind = payload_type_of(v1.ScoreStatement)
    return envelope_of(kind, payload, [sign_statement(kind, payload, signer(LIAR))])


def _with_an_unknown_field_around_it(
    federation: Federation, request: v1.ScoreRequest
) -> v1.Envelope:
    return v1.Envelope.FromString(_honest(federation, request).SerializeToString() + UNKNOWN_FIELD)


def _with_an_unknown_field_in_its_signature(
    federation: Federation, request: v1.ScoreRequest
) -> v1.Envelope:
    statement = _honest(federation, request)
    signature = statement.signatures[0].SerializeToString() + UNKNOWN_FIELD
    statement.signatures[0].CopyFrom(v1.Signature.FromString(signature))
    return statement


LIES: dict[str, Lie] = {
    "in another's name": _stating(provider=OTHER),
    "of another in its place": _stating(provider=OTHER, signed_by=OTHER),
    "signed by another": _stating(signed_by=OTHER),
    "signed by nobody known": _stating(signed_by="stranger"),
    "unsigned": _unsigned,
    "bit flipped": _bit_flipped,
    "truncated": _truncated,
    "truncated before it was signed": _signed_short,
    "of another kind": _of_another_kind,
    "above its scale": _stating(score=851),
    "below its scale": _stating(score=299),
    "far out of its scale": _stating(score=2**31 - 1),
    "for another subject": _stating(subject_ref=b"\x07" * 32),
    "for another request": _of_another_request,
    "from yesterday": _stating(issued_at=to_timestamp(AT - DAY)),
    "from tomorrow": _stating(issued_at=to_timestamp(AT + DAY)),
    "from ten minutes ahead": _stating(issued_at=to_timestamp(AT + timedelta(minutes=10))),
    "for another federation": _stating(federation="other.concordat"),
    "with a reason not licensed": _stating(reasons=["XX99"]),
    "with no model": _stating(model_version=""),
    "an absence with a model": _stating(
        absence=v1.Absence.ABSENCE_NO_RECORD, model_version="model-1"
    ),
    "with an unknown field in the statement": _with_an_unknown_field_in_the_statement,
    "with an unknown field around it": _with_an_unknown_field_around_it,
    "with an unknown field in its signature": _with_an_unknown_field_in_its_signature,
}


def _tell(desk: ExchangeDesk, results: Callable[[v1.RequestScoresRequest], Any]) -> None:
    async def answer(message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        told: Sequence[v1.ScoreResult] = results(message)
        return told

    desk.links.answers[LIAR] = answer


def _lie(desk: ExchangeDesk, lie: Lie) -> None:
    _tell(
        desk,
        lambda message: [
            v1.ScoreResult(statement=lie(desk.federation, one)) for one in message.requests
        ],
    )


def _view(desk: ExchangeDesk, granted: Granted | None = None) -> v1.View:
    """Return the view of a fresh request, verified offline."""
    granted = granted or desk.grant()
    request = desk.federation.view_request(granted)
    return desk.verify(granted, request, desk.ask(granted, request)).view


def _require_missing(
    view: v1.View,
    kind: v1.ProviderOutcomeKind.ValueType = Kind.PROVIDER_OUTCOME_KIND_INVALID,
    reason: Reason.ValueType = Reason.REASON_PROVIDER_ANSWER_INVALID,
) -> None:
    """The liar alone is missing, for ``reason``, and its score counts nowhere."""
    assert view.WhichOneof("outcome") == "partial"
    honest, liar, other = view.providers
    assert (liar.provider, liar.kind, liar.reason) == (LIAR, kind, reason)
    assert liar.statement_digest == b""
    assert {honest.kind, other.kind} == {Kind.PROVIDER_OUTCOME_KIND_SCORED}
    assert [one.provider for one in view.partial.full.contributions] == [HONEST, OTHER]


def test_an_honest_provider_is_counted(desk: ExchangeDesk) -> None:
    _lie(desk, _honest)
    assert _view(desk).WhichOneof("outcome") == "complete"


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_lie_is_not_counted_and_the_view_verifies_without_it(
    desk: ExchangeDesk, lie: Lie
) -> None:
    _lie(desk, lie)
    _require_missing(_view(desk))


@pytest.mark.parametrize("disclosure", [v1.DisclosureKind.DISCLOSURE_KIND_BAND])
def test_a_lie_is_not_counted_where_no_statement_goes_out_either(
    desk: ExchangeDesk, disclosure: v1.DisclosureKind.ValueType
) -> None:
    _lie(desk, LIES["of another in its place"])
    view = _view(desk, desk.grant(disclosure=v1.Disclosure(kind=disclosure)))
    assert view.providers[1].kind == Kind.PROVIDER_OUTCOME_KIND_INVALID
    assert view.no_score.partial


def test_yesterdays_answer_to_the_same_subject_is_not_counted_today(desk: ExchangeDesk) -> None:
    kept: list[v1.Envelope] = []

    def keep(federation: Federation, request: v1.ScoreRequest) -> v1.Envelope:
        kept.append(_honest(federation, request))
        return kept[0]

    _lie(desk, keep)
    person = desk.federation.subject()
    assert _view(desk, desk.grant(person)).WhichOneof("outcome") == "complete"
    _require_missing(_view(desk, desk.grant(person)))


def test_an_answer_signed_again_by_others_counts_by_its_own_signature(desk: ExchangeDesk) -> None:
    def cosigned(federation: Federation, request: v1.ScoreRequest) -> v1.Envelope:
        statement = _honest(federation, request)
        cosign(statement, signer("stranger"))
        cosign(statement, signer(LIAR))
        return statement

    _lie(desk, cosigned)
    assert _view(desk).WhichOneof("outcome") == "complete"


# Messages that break the contract as a whole --------------------------------------------------


@pytest.mark.parametrize("count", [0, 2, 256])
def test_a_wrong_count_of_answers_makes_every_one_of_them_void(
    desk: ExchangeDesk, count: int
) -> None:
    _tell(
        desk,
        lambda message: (
            [v1.ScoreResult(statement=_honest(desk.federation, message.requests[0]))] * count
        ),
    )
    _require_missing(_view(desk))


def test_an_empty_result_makes_the_message_void(desk: ExchangeDesk) -> None:
    _tell(desk, lambda message: [v1.ScoreResult() for _ in message.requests])
    _require_missing(_view(desk))


def test_a_statement_with_no_signature_at_all_makes_the_message_void(desk: ExchangeDesk) -> None:
    _lie(desk, _with_no_signature)
    _require_missing(_view(desk))


def test_a_defect_in_reaching_one_provider_takes_no_other_with_it(desk: ExchangeDesk) -> None:
    async def break_down(_message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        raise RuntimeError("a defect beneath")

    desk.links.answers[LIAR] = break_down
    _require_missing(
        _view(desk),
        Kind.PROVIDER_OUTCOME_KIND_UNREACHABLE,
        Reason.REASON_PROVIDER_UNREACHABLE,
    )


def _refusing(reason: int) -> Callable[[v1.RequestScoresRequest], list[v1.ScoreResult]]:
    refusal = v1.ItemRefusal(message="because")
    refusal.MergeFromString(b"\x08" + _varint(reason))  # as an open enum may carry it
    return lambda message: [v1.ScoreResult(refusal=refusal) for _ in message.requests]


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize("reason", [0, 9_999])
def test_a_refusal_for_no_known_reason_is_an_invalid_answer(
    desk: ExchangeDesk, reason: int
) -> None:
    _tell(desk, _refusing(reason))
    _require_missing(_view(desk))


@pytest.mark.parametrize("reason", [reason for reason in Reason.values() if reason])
def test_a_refusal_is_shown_as_one_whatever_reason_the_provider_gives(
    desk: ExchangeDesk, reason: Reason.ValueType
) -> None:
    _tell(desk, _refusing(reason))
    _require_missing(_view(desk), Kind.PROVIDER_OUTCOME_KIND_REFUSED, reason)
