"""What the registrar does, from plain values: evaluate identities, bind keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.statements import seal
from concordat.store.group_commit import GroupCommit
from concordat.telemetry.metrics import EVALUATIONS
from concordat.trust.keys import Signer
from concordat.v1 import IdentitySuite, Reason
from registrar.bindings import BindingJob, earlier
from registrar.codes import EnrolmentCodes
from registrar.derivation import SubjectRefDerivation
from registrar.possession import require_possession
from registrar.quota import charge

_KEYED_HASH = IdentitySuite.IDENTITY_SUITE_KEYED_HASH


@dataclass(frozen=True, slots=True)
class RegistrarDesk:
    """Everything that answering takes; time is passed in."""

    federation: str
    derivation: SubjectRefDerivation
    codes: EnrolmentCodes
    signer: Signer
    store: GroupCommit
    daily_quota: int
    binding_days: int

    def evaluate(
        self,
        member_id: str,
        suite: IdentitySuite.ValueType,
        inputs: Sequence[bytes],
        at: datetime,
    ) -> list[bytes]:
        """Return a subject_ref for each input, none where it is no identity number.

        Every input counts against the member's quota, durably, before anything is released. Raises
        ``Refusal``: REASON_IDENTITY_MALFORMED for a suite not served, REASON_QUOTA_EXCEEDED.
        """
        evaluated = [self.derivation.evaluate(suite, presented) for presented in inputs]
        self.store.run(
            lambda connection: charge(connection, member_id, len(inputs), self.daily_quota, at)
        )
        EVALUATIONS.add(by=len(inputs))
        return evaluated

    def bind(self, request: v1.BindSubjectRequest, at: datetime) -> v1.Envelope:
        """Return the signed binding of the request's key to the subject of its code.

        Raises ``Refusal``: REASON_IDENTITY_MALFORMED, _ENROLMENT_CODE_INVALID, _SIGNATURE_INVALID.
        """
        subject_ref = self.derivation.evaluate(_KEYED_HASH, request.identity_number.encode())
        if not subject_ref:
            raise Refusal(Reason.REASON_IDENTITY_MALFORMED, "no identity number")
        code = self.codes.recognise(subject_ref, request.enrolment_code)
        require_possession(request, self.federation)

        def make(version: int) -> v1.Envelope:
            return self._binding(subject_ref, request.public_key, version, at)

        return self.store.run(BindingJob(subject_ref, request.public_key, code, at, make))

    def earlier(self, binding: v1.Envelope) -> list[v1.Envelope]:
        """Return the earlier bindings of the subject of ``binding``, which was just made."""
        return self.store.run(lambda connection: earlier(connection, binding))

    def _binding(
        self, subject_ref: bytes, public_key: bytes, version: int, at: datetime
    ) -> v1.Envelope:
        return seal(
            v1.SubjectBinding(
                federation=self.federation,
                subject_ref=subject_ref,
                public_key=public_key,
                version=version,
                not_before=to_timestamp(at),
                not_after=to_timestamp(at + timedelta(days=self.binding_days)),
            ),
            self.signer,
        )
