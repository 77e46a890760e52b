"""Giving a subject its report: verified, limited by the day, read, signed and logged in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from concordat.clock import from_micros
from concordat.refusal import Refusal
from concordat.statements import digest_of, seal
from concordat.v1 import Reason
from exchange.log import records
from exchange.log import table as log
from exchange.subjects import report_table
from exchange.subjects.report_pages import Source, report_page

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat import v1
    from concordat.federation.directory import MemberDirectory
    from concordat.trust.envelope import Verified
    from concordat.trust.keys import Signer
    from exchange.listings.profile import Profiles

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reports:
    """Makes reports, at most ``per_day`` of a subject; all pages of one request are one report."""

    directory: MemberDirectory
    profiles: Profiles
    signer: Signer
    per_day: int

    def give(
        self, connection: Connection, asked: Verified[v1.SubjectRequest], after: bytes, at: datetime
    ) -> v1.Envelope:
        """Return the signed page that begins at ``after``. Raises ``Refusal``."""
        ref = asked.message.subject_ref
        self._count(connection, ref, asked.digest, at)
        source = Source(connection, self.directory, self.profiles, ref, at)
        envelope = seal(report_page(source, asked.digest, after), self.signer)
        draft = records.report_act(ref, asked.digest, digest_of(envelope), at)
        log.enqueue(connection, [draft])
        return envelope

    def _count(self, connection: Connection, ref: bytes, digest: bytes, at: datetime) -> None:
        given = report_table.given_since(connection, ref, at - _DAY)
        if digest in given:
            return
        if len(given) >= self.per_day:
            raise Refusal(
                Reason.REASON_QUOTA_EXCEEDED,
                f"{self.per_day} reports a day",
                retry_after=from_micros(min(given.values())) + _DAY - at,
            )
        report_table.give(connection, ref, digest, at)
