"""The members as this client knows them: root-signed, fetched when needed, kept by digest too."""

from collections.abc import Callable
from datetime import datetime

from clients.sdk.errors import AnswerNotVerified
from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer, registrar_peer
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member, MemberDirectory
from concordat.refusal import Refusal
from concordat.statements import digest_of

EVALUATE_AT_ONCE = 1000
_SUBJECT_REF_BYTES = 32


class MemberBook:
    """A verified directory; licences and calibrations ever seen, by digest: views may name older ones."""

    def __init__(self, anchors: Anchors, port: Port) -> None:
        """Know nobody yet; ``port`` is the exchange's that this client calls."""
        self.directory = MemberDirectory(anchors)
        self.licences: dict[bytes, v1.Envelope] = {}
        self.calibrations: dict[bytes, v1.Envelope] = {}
        self.fetched = False
        self._port = port
        self._listed: dict[bytes, datetime] = {}  # when each calibration was first seen, by digest

    @property
    def anchors(self) -> Anchors:
        """The trust bundle that everything is checked against."""
        return self.directory.anchors

    def refresh(self, now: Callable[[], datetime]) -> Flow[None]:
        """Fetch the members anew. Raises ``AnswerNotVerified`` where the list does not hold."""
        peer = exchange_peer(self.anchors, self._port)
        call = Call(
            peer,
            "/concordat.v1.MemberService/ListMembers",
            v1.ListMembersRequest(),
            v1.ListMembersResponse,
        )
        answer = yield from ask(call, v1.ListMembersResponse)
        self.take(answer, now())

    def take(self, answer: v1.ListMembersResponse, at: datetime) -> None:
        """Verify a list of members and keep it; raise ``AnswerNotVerified``."""
        try:
            self.directory.take(answer.licences, answer.statuses, at, answer.calibrations)
        except Refusal as refusal:
            raise AnswerNotVerified(
                f"the exchange's list of members does not verify ({refusal}); check the trust bundle"
            ) from refusal
        self.licences.update({digest_of(envelope): envelope for envelope in answer.licences})
        self.calibrations.update(
            {each.digest: each.envelope for each in self.directory.calibrations()}
        )
        for digest in self.calibrations:
            self._listed.setdefault(digest, at)
        self.fetched = True

    def require_newest(self, version: int, asked_at: datetime) -> None:
        """Raise ``AnswerNotVerified`` for a view by an older calibration than was in use when it was asked for.

        Only what the exchange had listed by then counts: a calibration may be taken in while it answers.
        """
        try:
            known = self.directory.calibration(asked_at)
        except Refusal:
            return
        listed_at = self._listed.get(known.digest)
        if known.version > version and listed_at is not None and listed_at <= asked_at:
            raise AnswerNotVerified(
                f"the exchange's view is made by calibration {version}, and it lists {known.version}, which "
                "was in use; ask again, and tell the regulators if that does not help"
            )

    def members(
        self, now: Callable[[], datetime]
    ) -> Flow[list[tuple[Member, v1.Standing.ValueType]]]:
        """Fetch and return every member with its standing, by id."""
        yield from self.refresh(now)
        directory = self.directory
        return [(member, directory.standing(member.member_id)) for member in directory.members()]

    def find(self, member_id: str) -> Member | None:
        """Return a member by id, suspended or not, or None."""
        found = (m for m in self.directory.members() if m.member_id == member_id)
        return next(found, None)


def submit_licence(anchors: Anchors, licence: v1.Envelope) -> Flow[None]:
    """Hand a root-signed licence to the exchange, as a regulator."""
    call = Call(
        exchange_peer(anchors, Port.MEMBER),
        "/concordat.v1.MemberService/SubmitLicence",
        v1.SubmitLicenceRequest(licence=licence),
        v1.SubmitLicenceResponse,
    )
    yield from ask(call, v1.SubmitLicenceResponse)


def submit_status(anchors: Anchors, status: v1.Envelope) -> Flow[None]:
    """Hand a root-signed licence status to the exchange, as a regulator."""
    call = Call(
        exchange_peer(anchors, Port.MEMBER),
        "/concordat.v1.MemberService/SubmitLicenceStatus",
        v1.SubmitLicenceStatusRequest(status=status),
        v1.SubmitLicenceStatusResponse,
    )
    yield from ask(call, v1.SubmitLicenceStatusResponse)


def submit_calibration(anchors: Anchors, calibration: v1.Envelope) -> Flow[None]:
    """Hand a calibration that exchange and roots signed to the exchange, as a regulator."""
    call = Call(
        exchange_peer(anchors, Port.MEMBER),
        "/concordat.v1.MemberService/SubmitCalibration",
        v1.SubmitCalibrationRequest(calibration=calibration),
        v1.SubmitCalibrationResponse,
    )
    yield from ask(call, v1.SubmitCalibrationResponse)


def evaluate(anchors: Anchors, identities: list[str]) -> Flow[list[bytes | None]]:
    """Turn identity numbers into subject_refs at the registrar; None where one is no number.

    In messages of up to 1,000, one after the other. Raises ``AnswerNotVerified`` where the answer
    does not match the question.
    """
    refs: list[bytes | None] = []
    for start in range(0, len(identities), EVALUATE_AT_ONCE):
        inputs = [identity.encode() for identity in identities[start : start + EVALUATE_AT_ONCE]]
        call = Call(
            registrar_peer(anchors, Port.MEMBER),
            "/concordat.v1.RegistrarService/EvaluateIdentities",
            v1.EvaluateIdentitiesRequest(
                suite=v1.IdentitySuite.IDENTITY_SUITE_KEYED_HASH, inputs=inputs
            ),
            v1.EvaluateIdentitiesResponse,
        )
        answer = yield from ask(call, v1.EvaluateIdentitiesResponse)
        sizes = {len(output) for output in answer.outputs}
        if len(answer.outputs) != len(inputs) or not sizes <= {0, _SUBJECT_REF_BYTES}:
            raise AnswerNotVerified("the registrar's answer does not match what was asked")
        refs += [output or None for output in answer.outputs]
    return refs
