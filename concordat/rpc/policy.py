"""Who may call what: one row for each RPC. A method with no row is refused."""

from dataclasses import dataclass
from enum import Enum

from concordat.v1 import Role


class Port(Enum):
    """Where a server listens."""

    MEMBER = "member"  # mTLS: the caller is a member
    PUBLIC = "public"  # server TLS: the caller is anyone; requests are signed


@dataclass(frozen=True, slots=True)
class Row:
    """The rule of one method."""

    ports: frozenset[Port]
    roles: frozenset[Role.ValueType] = frozenset()  # of a caller on the member port; empty: any
    licensed: bool = True  # whether a caller on the member port needs a licence in force
    deadline: bool = True  # whether the call must carry a deadline


def _members(*roles: Role.ValueType, deadline: bool = True) -> Row:
    return Row(frozenset({Port.MEMBER}), frozenset(roles), deadline=deadline)


_PUBLIC = Row(frozenset({Port.PUBLIC}))
_ANYONE = Row(frozenset({Port.MEMBER, Port.PUBLIC}), licensed=False)
_PROBE = Row(frozenset({Port.MEMBER, Port.PUBLIC}), licensed=False, deadline=False)
_SOURCES = _members(Role.ROLE_FURNISHER, Role.ROLE_COURT)
_JUDGES = _members(Role.ROLE_REVIEWER, Role.ROLE_APPEAL)

POLICY: dict[str, Row] = {
    "/concordat.v1.ProviderService/RequestScores": _members(Role.ROLE_EXCHANGE),
    "/concordat.v1.ProviderService/RequestOwnScores": _members(Role.ROLE_EXCHANGE),
    "/concordat.v1.ConsentNoticeService/NotifyConsentEvent": _PUBLIC,
    "/concordat.v1.MemberService/ListMembers": _ANYONE,
    "/concordat.v1.MemberService/WatchMembers": _members(deadline=False),
    "/concordat.v1.MemberService/SubmitLicence": _members(Role.ROLE_REGULATOR),
    "/concordat.v1.MemberService/SubmitLicenceStatus": _members(Role.ROLE_REGULATOR),
    "/concordat.v1.MemberService/SubmitCalibration": _members(Role.ROLE_REGULATOR),
    "/concordat.v1.ConsentService/GrantConsent": _PUBLIC,
    "/concordat.v1.ConsentService/SubmitConsentEvent": _PUBLIC,
    "/concordat.v1.ConsentService/ListConsents": _PUBLIC,
    "/concordat.v1.LogService/ListAccesses": _PUBLIC,
    "/concordat.v1.ViewService/RequestView": _members(Role.ROLE_LENDER),
    "/concordat.v1.ViewService/RequestViews": _members(Role.ROLE_LENDER),
    "/concordat.v1.FurnisherService/FileListings": _SOURCES,
    "/concordat.v1.FurnisherService/SubmitListingEvents": _SOURCES,
    "/concordat.v1.FurnisherService/SubmitMirrorSync": _members(Role.ROLE_COURT),
    "/concordat.v1.FurnisherService/ListDuties": _SOURCES,
    "/concordat.v1.ListingService/CheckListings": _members(Role.ROLE_LENDER),
    "/concordat.v1.ListingService/ScreenListings": _members(Role.ROLE_LENDER),
    "/concordat.v1.ListingService/ListRetractions": _members(Role.ROLE_LENDER),
    "/concordat.v1.ListingService/AcknowledgeRetraction": _members(Role.ROLE_LENDER),
    "/concordat.v1.ReviewService/ListReviews": _JUDGES,
    "/concordat.v1.ReviewService/GetReview": _JUDGES,
    "/concordat.v1.ReviewService/SubmitRuling": _JUDGES,
    "/concordat.v1.ReviewService/SubmitReviewEvent": _members(
        Role.ROLE_REVIEWER, Role.ROLE_REGULATOR
    ),
    "/concordat.v1.SubjectService/ListOwnListings": _PUBLIC,
    "/concordat.v1.SubjectService/ReadInbox": _PUBLIC,
    "/concordat.v1.SubjectService/SubmitDispute": _PUBLIC,
    "/concordat.v1.SubjectService/SubmitSubjectEvent": _PUBLIC,
    "/concordat.v1.SubjectService/ChangeFlag": _PUBLIC,
    "/concordat.v1.SubjectService/ChangeContact": _PUBLIC,
    "/concordat.v1.SubjectService/RequestOwnView": _PUBLIC,
    "/concordat.v1.SubjectService/RequestReport": _PUBLIC,
    "/concordat.v1.SubjectService/RequestErasure": _PUBLIC,
    "/concordat.v1.LenderService/ReportOutcomes": _members(Role.ROLE_LENDER),
    "/concordat.v1.LenderService/ListOutcomesDue": _members(Role.ROLE_LENDER),
    "/concordat.v1.LenderService/WatchChanges": _members(Role.ROLE_LENDER, deadline=False),
    "/concordat.v1.SupervisionService/ReportOutcomeCounts": _members(Role.ROLE_LENDER),
    "/concordat.v1.SupervisionService/ReadDrift": _members(Role.ROLE_REGULATOR),
    "/concordat.v1.SupervisionService/ReadStatistics": _members(Role.ROLE_REGULATOR),
    "/concordat.v1.OrderService/SubmitOrder": _members(Role.ROLE_REGULATOR),
    "/concordat.v1.OrderService/ReadOrders": _members(Role.ROLE_REGULATOR),
    "/concordat.v1.OrderService/ReadOversight": _members(Role.ROLE_REGULATOR),
    "/concordat.v1.CaseService/LookUpCase": _members(Role.ROLE_REGULATOR),
    "/concordat.v1.RegistrarService/EvaluateIdentities": _members(
        Role.ROLE_PROVIDER, Role.ROLE_FURNISHER, Role.ROLE_COURT
    ),
    "/concordat.v1.RegistrarService/BindSubject": _PUBLIC,
    "/concordat.v1.RegistrarService/WatchBindings": _members(Role.ROLE_EXCHANGE, deadline=False),
    "/grpc.health.v1.Health/Check": _PROBE,
    "/grpc.health.v1.Health/List": _PROBE,
    "/grpc.health.v1.Health/Watch": _PROBE,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _PROBE,
}
