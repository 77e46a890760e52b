"""What a provider states, and as whom: its licence's terms, the statement, the signature."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from concordat import v1
from concordat.clock import to_micros
from concordat.federation.directory import MemberDirectory
from concordat.refusal import Refusal
from concordat.rpc.errors import to_item
from concordat.statements import seal_batch
from concordat.trust.errors import SignatureInvalidError
from concordat.trust.keys import Signer, key_id
from concordat.v1 import Reason
from provider.scores import Found, ScoreSource, Terms

SALT_BYTES = 16

Answer = v1.ScoreStatement | Refusal

_log = structlog.get_logger("concordat.provider")


@dataclass(frozen=True, slots=True)
class Stating:
    """States scores for one provider; they are the node's own unless there is a ``source``."""

    member_id: str
    signer: Signer
    directory: MemberDirectory
    source: ScoreSource | None = None

    def own_terms(self, at: datetime) -> Terms:
        """Return what this provider may state; raise ``Refusal`` if it or its key is unlicensed."""
        own = self.directory.require(self.member_id, at, v1.Role.ROLE_PROVIDER)
        try:
            own.keys.find(key_id(self.signer.public_key), at)
        except SignatureInvalidError as error:
            raise Refusal(
                Reason.REASON_LICENCE_NOT_IN_FORCE, "the signing key is not in the own licence"
            ) from error
        return Terms.of(own.licence.score_scale)

    def read_outside(self, subject_refs: Sequence[bytes], at: datetime) -> Found | None:
        """Read all scores at once where they are not the node's own; None where they are."""
        if self.source is None:
            return None
        return self.source.read(subject_refs, at) if subject_refs else {}

    def state(
        self, request_digest: bytes, subject_ref: bytes, found: Found, terms: Terms, at: datetime
    ) -> v1.ScoreStatement:
        """Make the statement, unsigned; raise ``Refusal`` where the score may not be stated."""
        score = found.get(subject_ref)
        if isinstance(score, Refusal):
            raise score
        answer: dict[str, Any] = {"absence": v1.Absence.ABSENCE_NO_RECORD}
        if score is not None:
            terms.require(score)
            answer = {
                "score": score.score,
                "reasons": score.reasons,
                "model_version": score.model_version,
                "as_of": _timestamp(score.as_of),
            }
        return v1.ScoreStatement(
            federation=self.directory.anchors.federation,
            provider=self.member_id,
            request_digest=request_digest,
            subject_ref=subject_ref,
            issued_at=_timestamp(to_micros(at)),
            salt=os.urandom(SALT_BYTES),
            **answer,
        )

    def seal(self, answers: Sequence[Answer]) -> list[v1.ScoreResult]:
        """Sign all statements together."""
        statements = [answer for answer in answers if isinstance(answer, v1.ScoreStatement)]
        sealed = iter(seal_batch(statements, self.signer) if statements else ())
        results = []
        for answer in answers:
            if isinstance(answer, Refusal):
                _log.info(
                    "request_refused", reason=Reason.Name(answer.reason), detail=answer.detail
                )
                results.append(v1.ScoreResult(refusal=to_item(answer)))
            else:
                results.append(v1.ScoreResult(statement=next(sealed)))
        return results


def _timestamp(micros: int) -> Timestamp:
    """Return the proto form of microseconds since the Unix epoch."""
    seconds, rest = divmod(micros, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)
