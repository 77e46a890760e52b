"""Binding a subject's key: the code is spent and the binding made in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select

from concordat import v1
from concordat.clock import to_micros
from concordat.refusal import Refusal
from concordat.v1 import Reason
from registrar.codes import EnrolmentCode
from registrar.schema import binding, used_code

MakeBinding = Callable[[int], v1.Envelope]
"""Signs the binding of a version."""

_use_of = (
    select(binding.c.public_key, binding.c.envelope)
    .join(
        used_code,
        (used_code.c.subject_ref == binding.c.subject_ref)
        & (used_code.c.version == binding.c.version),
    )
    .where(
        used_code.c.subject_ref == bindparam("subject"),
        used_code.c.code_digest == bindparam("digest"),
    )
)
_last = select(func.max(binding.c.sequence))
_latest = select(func.max(binding.c.version)).where(binding.c.subject_ref == bindparam("subject"))


MOST_EARLIER = 32
_earlier = (
    select(binding.c.envelope)
    .where(binding.c.subject_ref == bindparam("subject"), binding.c.version < bindparam("version"))
    .order_by(binding.c.version.desc())
    .limit(MOST_EARLIER)
)


def earlier(connection: Connection, made: v1.Envelope) -> list[v1.Envelope]:
    """Return the bindings of the same subject before ``made``, the newest first, at most 32."""
    said = v1.SubjectBinding.FromString(made.payload)
    found = {"subject": said.subject_ref, "version": said.version}
    return [v1.Envelope.FromString(raw) for raw in connection.execute(_earlier, found).scalars()]


@dataclass(frozen=True, slots=True)
class BindingJob:
    """One binding to be made, for ``GroupCommit``."""

    subject_ref: bytes
    public_key: bytes
    code: EnrolmentCode
    at: datetime
    make: MakeBinding

    def __call__(self, connection: Connection) -> v1.Envelope:
        """Return the signed binding; the same one again for the same code and key.

        Raises ``Refusal`` (REASON_ENROLMENT_CODE_INVALID) for a code that has expired, or was used
        for another key.
        """
        found = {"subject": self.subject_ref, "digest": self.code.digest}
        used = connection.execute(_use_of, found).first()
        if used is not None:
            if used.public_key != self.public_key:
                raise Refusal(Reason.REASON_ENROLMENT_CODE_INVALID, "the code was used before")
            return v1.Envelope.FromString(used.envelope)
        if self.at >= self.code.expires_at:
            raise Refusal(Reason.REASON_ENROLMENT_CODE_INVALID, "the code has expired")
        latest = connection.execute(_latest, {"subject": self.subject_ref}).scalar_one()
        return self._write(connection, (latest or 0) + 1)

    def _write(self, connection: Connection, version: int) -> v1.Envelope:
        envelope = self.make(version)
        now = to_micros(self.at)
        sequence = None  # who enrolled is nobody's business; who has another key, every exchange's
        if version > 1:
            sequence = (connection.execute(_last).scalar_one() or 0) + 1
        connection.execute(
            insert(binding).values(
                subject_ref=self.subject_ref,
                version=version,
                public_key=self.public_key,
                bound_at=now,
                envelope=envelope.SerializeToString(),
                sequence=sequence,
            )
        )
        connection.execute(
            insert(used_code).values(
                subject_ref=self.subject_ref,
                code_digest=self.code.digest,
                version=version,
                used_at=now,
            )
        )
        return envelope
