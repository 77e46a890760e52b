"""A subject's look at its own score: asked for with its own signature, verified in full."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from google.protobuf.message import DecodeError

from clients.sdk.errors import AnswerNotVerified, ClientError
from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.members import MemberBook
from clients.sdk.wallet import WalletKey
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.directory import MemberDirectory
from concordat.ids import new_id
from concordat.statements import seal
from concordat.v1 import Role, Standing
from concordat.verify.own_view import VerifiedOwnView, verify_own_view
from concordat.verify.view import ViewNotVerified

REQUEST_LIFE = timedelta(seconds=60)
MOST_PROVIDERS = 32


def request_own_view(
    key: WalletKey,
    book: MemberBook,
    providers: Sequence[str],
    now: Callable[[], datetime],
    seconds: float,
) -> Flow[VerifiedOwnView]:
    """Ask for the subject's own score of ``providers``, all that are licensed if none are named; verify it.

    A retry underneath repeats the same bytes. Raises ``RemoteError``, ``AnswerNotVerified`` where the answer
    does not hold, and ``ClientError`` for more providers than one look may ask.
    """
    yield from book.refresh(now)
    at = now()
    named = list(providers) or licensed_providers(book.directory, at)
    request = _ask(key, book, named, at)
    call = Call(
        exchange_peer(book.anchors, Port.PUBLIC),
        "/concordat.v1.SubjectService/RequestOwnView",
        request,
        v1.RequestOwnViewResponse,
        seconds,
    )
    answer = yield from ask(call, v1.RequestOwnViewResponse)
    view = _view_in(answer)
    book.require_newest(view.calibration_version, at)
    if not _known(view, book):
        yield from book.refresh(now)
    bundle = _assemble(request, answer, view, book)
    try:
        return verify_own_view(bundle, book.anchors, at=now())
    except ViewNotVerified as error:
        raise AnswerNotVerified(f"the exchange's own view does not verify: {error}") from error


def licensed_providers(directory: MemberDirectory, at: datetime) -> list[str]:
    """Return the providers that may answer at ``at``, by id; raise ``ClientError`` for none or too many."""
    found = [
        member.member_id
        for member in directory.members()
        if Role.ROLE_PROVIDER in member.roles
        and directory.standing(member.member_id) == Standing.STANDING_ACTIVE
        and member.not_before <= at < member.not_after
    ]
    if not found:
        raise ClientError("no provider of this federation has a licence in force now")
    if len(found) > MOST_PROVIDERS:
        raise ClientError(
            f"there are {len(found)} providers and one look asks at most {MOST_PROVIDERS}: name yours"
        )
    return found


def _ask(
    key: WalletKey, book: MemberBook, providers: Iterable[str], at: datetime
) -> v1.RequestOwnViewRequest:
    request = v1.OwnViewRequest(
        request_id=new_id(),
        federation=book.anchors.federation,
        subject_ref=key.subject_ref,
        providers=list(dict.fromkeys(providers)),
        issued_at=to_timestamp(at),
        expires_at=to_timestamp(at + REQUEST_LIFE),
    )
    return v1.RequestOwnViewRequest(request=seal(request, key.signer), binding=key.binding)


def _view_in(answer: v1.RequestOwnViewResponse) -> v1.OwnView:
    try:
        return v1.OwnView.FromString(answer.view.payload)
    except DecodeError as error:
        raise AnswerNotVerified("the exchange's answer holds no own view") from error


def _known(view: v1.OwnView, book: MemberBook) -> bool:
    licences = all(digest in book.licences for digest in view.licence_digests)
    return licences and view.calibration_digest in book.calibrations


def _assemble(
    request: v1.RequestOwnViewRequest,
    answer: v1.RequestOwnViewResponse,
    view: v1.OwnView,
    book: MemberBook,
) -> v1.OwnViewBundle:
    """Put an ask, its answer, and the licences and calibration that the view names into one bundle."""
    if not _known(view, book):
        raise AnswerNotVerified(
            "the exchange's own view names a licence or a calibration that it does not list"
        )
    return v1.OwnViewBundle(
        view=answer.view,
        request=request.request,
        binding=request.binding,
        statements=answer.statements,
        licences=[book.licences[digest] for digest in view.licence_digests],
        calibration=book.calibrations[view.calibration_digest],
        intent=answer.intent,
        release=answer.release,
    )
