"""R27, no retaliation: whatever keeps a provider's answer away moves the unified score by nothing."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc
import pytest

from concordat import v1
from concordat.pooling import declare
from concordat.refusal import Refusal
from concordat.rpc.errors import to_item
from concordat.v1 import Absence, Reason
from concordat.v1 import ProviderOutcomeKind as Kind
from tests.builders import PROVIDERS, Federation
from tests.exchange_builders import ExchangeDesk, rpc_error, stall

ALDER, BIRCH, CEDAR = PROVIDERS
SCORES = {ALDER: 520, BIRCH: 790}


def calibrated(*, no_record_counts: bool) -> Federation:
    """Return a federation whose calibration has the switch so."""
    federation = Federation(calibrated=False)
    model = declare(
        {name: federation.member(name).licence.score_scale for name in PROVIDERS},
        base_default_ppm=100_000,
    )
    model.no_record_counts = no_record_counts
    for reading in model.providers:
        reading.record_ppm = 700_000
        reading.record_loading_ppm = -400_000 if no_record_counts else 0
    federation.calibrate(model=model)
    return federation


@pytest.fixture(params=[False, True], ids=["ignored", "counts"])
def desk(request: pytest.FixtureRequest) -> Iterator[ExchangeDesk]:
    desk = ExchangeDesk(calibrated(no_record_counts=request.param), provider_seconds=0.3)
    for provider, score in SCORES.items():
        stating(desk, provider, score=score)
    yield desk
    desk.close()


def stating(desk: ExchangeDesk, provider: str, **fields: Any) -> None:
    async def answer(message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        states = desk.federation.score_statement
        asked = [one.view_request for one in message.requests]
        return [v1.ScoreResult(statement=states(provider, one, **fields)) for one in asked]

    desk.links.answers[provider] = answer


def refuse(desk: ExchangeDesk) -> None:
    async def answer(message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        item = to_item(Refusal(Reason.REASON_CONSENT_REVOKED))
        return [v1.ScoreResult(refusal=item) for _ in message.requests]

    desk.links.answers[CEDAR] = answer


def break_off(desk: ExchangeDesk) -> None:
    async def answer(_message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        raise rpc_error(grpc.StatusCode.UNAVAILABLE)

    desk.links.answers[CEDAR] = answer


def time_out(desk: ExchangeDesk) -> None:
    desk.links.answers[CEDAR] = stall


def freeze(desk: ExchangeDesk) -> None:
    stating(desk, CEDAR, absence=Absence.ABSENCE_FROZEN)


def forge(desk: ExchangeDesk) -> None:
    stating(desk, CEDAR, score=300, signed_by=BIRCH)


def leave_the_scale(desk: ExchangeDesk) -> None:
    stating(desk, CEDAR, score=851)


def suspend(desk: ExchangeDesk) -> None:
    desk.federation.suspend(CEDAR)


def score_of(desk: ExchangeDesk, providers: Sequence[str]) -> tuple[v1.View, bytes]:
    """Return a verified view, and its unified score, serialised."""
    granted = desk.grant(providers=providers)
    request = desk.federation.view_request(granted)
    view = desk.verify(granted, request, desk.ask(granted, request)).view
    answer = view.partial if view.WhichOneof("outcome") == "partial" else view.complete
    return view, answer.full.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    ("silence", "kind"),
    [
        (refuse, Kind.PROVIDER_OUTCOME_KIND_REFUSED),
        (time_out, Kind.PROVIDER_OUTCOME_KIND_TIMED_OUT),
        (freeze, Kind.PROVIDER_OUTCOME_KIND_FROZEN),
        (break_off, Kind.PROVIDER_OUTCOME_KIND_UNREACHABLE),
        (forge, Kind.PROVIDER_OUTCOME_KIND_INVALID),
        (leave_the_scale, Kind.PROVIDER_OUTCOME_KIND_INVALID),
        (suspend, Kind.PROVIDER_OUTCOME_KIND_NOT_LICENSED),
    ],
)
def test_a_provider_that_does_not_answer_moves_the_score_by_nothing(
    desk: ExchangeDesk, silence: Callable[[ExchangeDesk], None], kind: Kind.ValueType
) -> None:
    _, unasked = score_of(desk, (ALDER, BIRCH))
    silence(desk)
    view, score = score_of(desk, (ALDER, BIRCH, CEDAR))
    assert view.providers[2].kind == kind
    assert score == unasked


def test_having_no_record_moves_the_score_only_where_the_calibration_declares_it(
    desk: ExchangeDesk,
) -> None:
    _, unasked = score_of(desk, (ALDER, BIRCH))
    stating(desk, CEDAR, absence=Absence.ABSENCE_NO_RECORD)
    view, score = score_of(desk, (ALDER, BIRCH, CEDAR))
    counts = desk.federation.directory.calibration(desk.federation.at).compiled.no_record_counts
    assert (score != unasked) == counts
    assert [one.no_record for one in view.complete.full.contributions] == (
        [False, False, True] if counts else [False, False]
    )
