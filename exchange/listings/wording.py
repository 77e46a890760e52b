"""What a subject is told of each change, in its language: the notices' texts, filled from the change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat import v1
from concordat.v1 import ListingActKind, Role
from exchange.listings.notices.facts import facts_of
from exchange.listings.notices.news import REASONED, news_of
from exchange.listings.notices.texts import change_text, notice_text

if TYPE_CHECKING:
    from concordat.federation.directory import MemberDirectory
    from exchange.listings.announcements import Change
    from exchange.listings.profile import Profiles


class Wording:
    """Words changes of listings."""

    def __init__(self, directory: MemberDirectory, profiles: Profiles) -> None:
        """Name members by their legal names in ``directory``."""
        self._directory = directory
        self._profiles = profiles

    def __call__(self, change: Change, language: str) -> str:
        """Return the message about a change."""
        cause, exchange = change.cause, self._directory.anchors.bundle.exchange_id
        facts = facts_of(
            change.after,
            self._profiles[change.after.profile],
            self._name_of,
            federation=self._directory.anchors.federation,
            regulator=self._regulator(),
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

    def _name_of(self, member_id: str) -> str:
        """Return a member's legal name; its id where no licence of it is known."""
        for member in self._directory.members():
            if member.member_id == member_id:
                return member.licence.legal_name
        return member_id

    def _regulator(self) -> str:
        for member in self._directory.members():
            if Role.ROLE_REGULATOR in member.roles:
                return member.member_id
        return self._directory.anchors.federation
