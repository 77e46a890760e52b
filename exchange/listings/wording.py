"""What a subject is told of each change, in its language: the notices' texts, filled from the change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import from_timestamp
from concordat.v1 import ListingActKind, Role
from exchange.listings.notices.facts import OrderFacts, facts_of
from exchange.listings.notices.news import REASONED, News, news_of
from exchange.listings.notices.texts import change_text, notice_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from concordat.federation.directory import MemberDirectory
    from exchange.listings.announcements import Change
    from exchange.listings.machine import Listing
    from exchange.listings.profile import Profiles


class Wording:
    """Words changes of listings."""

    def __init__(self, directory: MemberDirectory, profiles: Profiles) -> None:
        """Name members by their legal names in ``directory``."""
        self._directory = directory
        self._profiles = profiles
        self._members: _Members | None = None

    def __call__(self, change: Change, language: str) -> str:
        """Return the message about a change."""
        cause, exchange = change.cause, self._directory.anchors.bundle.exchange_id
        facts = facts_of(
            change.after,
            self._profiles[change.after.profile],
            self._name_of,
            federation=self._directory.anchors.federation,
            regulator=self._known().regulator,
            actor="" if cause.actor == exchange else cause.actor,
        )
        if cause.kind == ListingActKind.LISTING_ACT_KIND_FILED:
            return notice_text(facts, language)
        outcome = v1.RulingOutcome.RULING_OUTCOME_UNSPECIFIED
        reasons = ""
        match cause.statement:
            case v1.Ruling():
                outcome, reasons = cause.statement.outcome, cause.statement.reasons
            case v1.ListingEvent():
                reasons = cause.statement.extension.reasons
        news = news_of(cause.kind, change.after.state, action=cause.action, outcome=outcome)
        return change_text(news, facts, language, reasons if news in REASONED else "")

    def of_order(
        self, news: News, order: v1.CorrectionOrder, listing: Listing, language: str
    ) -> str:
        """Return the message about a regulator's order, and the listing as it stands."""
        facts = facts_of(
            listing,
            self._profiles[listing.profile],
            self._name_of,
            federation=self._directory.anchors.federation,
            regulator=self._known().regulator,
            actor=order.regulator,
        )
        told = OrderFacts(
            self._name_of(order.furnisher),
            order.action,
            order.legal_article,
            from_timestamp(order.due_at),
        )
        return change_text(news, replace(facts, order=told), language)

    def _name_of(self, member_id: str) -> str:
        """Return a member's legal name; its id where no licence of it is known."""
        return self._known().legal_names.get(member_id, member_id)

    def _known(self) -> _Members:
        """Return who is who, read anew when the directory has changed."""
        revision = self._directory.revision
        if self._members is None or self._members.revision != revision:
            self._members = _Members.of(self._directory, revision)
        return self._members


@dataclass(frozen=True, slots=True)
class _Members:
    """Who is who in the directory at one of its revisions."""

    revision: int
    legal_names: Mapping[str, str]
    regulator: str

    @classmethod
    def of(cls, directory: MemberDirectory, revision: int) -> _Members:
        members = directory.members()
        regulators = (m.member_id for m in members if Role.ROLE_REGULATOR in m.roles)
        return cls(
            revision,
            {member.member_id: member.licence.legal_name for member in members},
            next(regulators, directory.anchors.federation),
        )
