"""What a subject may ask of the exchange about itself as a whole: its report, and erasure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from concordat.v1 import SubjectQuery
from concordat.verify.consent import open_erasure_request, open_subject_request
from exchange.subjects.erasure_rules import Periods
from exchange.subjects.erasures import Erasures
from exchange.subjects.reports import Reports

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat import v1
    from concordat.federation.anchors import Anchors
    from concordat.federation.directory import MemberDirectory
    from concordat.trust.envelope import Verified
    from concordat.trust.keys import Signer
    from exchange.limits.settings import LimitSettings
    from exchange.listings.profile import Profiles
    from exchange.subjects.settings import SubjectsSettings


@dataclass(frozen=True, slots=True)
class Rights:
    """Verifies what subjects ask for, and returns what is to be done in a transaction."""

    anchors: Anchors
    reports: Reports
    erasures: Erasures

    def report(
        self,
        request: v1.RequestReportRequest,
        binding: Verified[v1.SubjectBinding],
        at: datetime,
    ) -> Callable[[Connection], v1.Envelope]:
        """Return what gives a page of a report. Raises ``Refusal``."""
        query = SubjectQuery.SUBJECT_QUERY_REPORT
        asked = open_subject_request(request.request, query, binding, self.anchors, at)
        return lambda connection: self.reports.give(connection, asked, request.after, at)

    def erasure(
        self,
        request: v1.RequestErasureRequest,
        binding: Verified[v1.SubjectBinding],
        at: datetime,
    ) -> Callable[[Connection], v1.Envelope]:
        """Return what erases. Raises ``Refusal``."""
        asked = open_erasure_request(request.request, binding, self.anchors, at)
        return lambda connection: self.erasures.erase(connection, asked, at)


def open_rights(
    settings: SubjectsSettings,
    limits: LimitSettings,
    directory: MemberDirectory,
    profiles: Profiles,
    signer: Signer,
) -> Rights:
    """Put together what answers subjects."""
    anchors = directory.anchors
    periods = Periods(
        timedelta(days=settings.keep_access_days), timedelta(days=limits.threshold_days)
    )
    exchange_id = anchors.bundle.exchange_id
    return Rights(
        anchors,
        Reports(directory, profiles, signer, settings.reports_per_day),
        Erasures(anchors.federation, exchange_id, profiles, signer, periods),
    )
