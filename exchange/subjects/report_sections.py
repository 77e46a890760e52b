"""What a report says beside its pages: limits, and where to complain. Pure."""

from collections.abc import Iterable
from datetime import datetime

from concordat import v1
from concordat.federation.directory import MemberDirectory
from concordat.v1 import Role, Standing
from exchange.listings.profile import Profile, Profiles, Span

_BODIES = (Role.ROLE_REVIEWER, Role.ROLE_APPEAL, Role.ROLE_REGULATOR)


def complaint_bodies(directory: MemberDirectory, at: datetime) -> list[v1.ComplaintBody]:
    """Return who decides disputes and appeals and who supervises, with a licence in force at ``at``."""
    return [
        v1.ComplaintBody(
            member_id=member.member_id, legal_name=member.licence.legal_name, role=role
        )
        for role in _BODIES
        for member in directory.members()
        if role in member.roles
        and directory.standing(member.member_id) == Standing.STANDING_ACTIVE
        and member.not_before <= at < member.not_after
    ]


def limits_of(profiles: Profiles, names: Iterable[str]) -> list[v1.ReportedLimits]:
    """Return the time limits of these profiles, by name."""
    return [_limits(name, profiles[name]) for name in sorted(set(names))]


def _limits(name: str, profile: Profile) -> v1.ReportedLimits:
    return v1.ReportedLimits(
        profile=name,
        notice=_length(profile.notice),
        dispute=_length(profile.dispute),
        extension=_length(profile.extension) if profile.extension else None,
        appeal_within=_length(profile.appeal_within),
        appeal=_length(profile.appeal),
        debt_life=_length(profile.debt.life),
        judgment_life=_length(profile.judgment.life),
    )


def _length(span: Span) -> v1.TermLength:
    return v1.TermLength(months=span.months, days=span.days, seconds=span.seconds)
