"""Making the own view from what was gathered: pure, with the time passed in."""

from collections.abc import Mapping
from datetime import datetime

from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.directory import Member
from concordat.ids import new_id
from exchange.subjects.own_looks import Look, OwnAsk
from exchange.views.compose import Pooling, provider_outcome
from exchange.views.dispatch import Answered, Outcome


def compose_own_view(
    ask: OwnAsk,
    look: Look,
    outcomes: Mapping[str, Outcome],
    exchange: Member,
    pooling: Pooling,
    at: datetime,
) -> v1.OwnView:
    """Return the (unsigned) own view: the whole score, outcomes, digests of all that it rests on."""
    request = ask.request.message
    answers = answers_of(request, outcomes)
    partial = len(answers) < len(request.providers)
    calibration = pooling.calibration
    view = v1.OwnView(
        view_id=new_id(),
        federation=request.federation,
        subject_ref=request.subject_ref,
        request_digest=ask.request.digest,
        binding_digest=ask.binding.digest,
        providers=[provider_outcome(p, outcomes[p], pooling, at) for p in request.providers],
        calibration_version=calibration.version,
        calibration_digest=calibration.digest,
        licence_digests=[
            exchange.licence_digest,
            *(answer.provider.licence_digest for answer in answers),
        ],
        receipt=v1.Receipt(access_id=look.look_id, recorded_at=to_timestamp(look.recorded_at)),
        issued_at=to_timestamp(at),
    )
    score = pooling.score(answers)
    if score is None:
        view.no_score.partial = partial
    elif partial:
        view.partial.CopyFrom(score)
    else:
        view.complete.CopyFrom(score)
    return view


def answers_of(request: v1.OwnViewRequest, outcomes: Mapping[str, Outcome]) -> list[Answered]:
    """Return the statements that count, in the request's order."""
    found = (outcomes[provider] for provider in request.providers)
    return [outcome for outcome in found if isinstance(outcome, Answered)]
