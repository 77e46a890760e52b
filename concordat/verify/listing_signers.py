"""Who must have signed each step of a listing, and in which part."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.federation.directory import Member, MemberDirectory
from concordat.trust.envelope import Verified
from concordat.trust.keys import KeyRing, TrustedKey
from concordat.v1 import ListingAction, ListingKind, Role, WithdrawalCode
from concordat.verify.former_keys import NO_FORMER_KEYS, FormerKeys
from concordat.verify.listing_course import Statement
from concordat.verify.listing_statements import (
    open_dispute,
    open_filing,
    open_member_event,
    open_ruling,
    open_subject_event,
)
from concordat.verify.mismatch import MismatchError

BY_THE_EXCHANGE = frozenset(
    {
        ListingAction.LISTING_ACTION_NOTICE_SERVED,
        ListingAction.LISTING_ACTION_TAKE_EFFECT,
        ListingAction.LISTING_ACTION_TIME_OUT,
        ListingAction.LISTING_ACTION_REPAIR,
        ListingAction.LISTING_ACTION_EXPIRE,
        ListingAction.LISTING_ACTION_END_REVIEW,
    }
)
BY_THE_SUBJECT = frozenset(
    {ListingAction.LISTING_ACTION_SETTLE, ListingAction.LISTING_ACTION_STATE}
)
_SOURCES = (Role.ROLE_FURNISHER, Role.ROLE_COURT)
_ROLES: dict[int, tuple[Role.ValueType, ...]] = {
    ListingAction.LISTING_ACTION_RECONFIRM: _SOURCES,
    ListingAction.LISTING_ACTION_SETTLE: _SOURCES,
    ListingAction.LISTING_ACTION_WITHDRAW: _SOURCES,
    ListingAction.LISTING_ACTION_CORRECT: _SOURCES,
    ListingAction.LISTING_ACTION_PROLONG: (Role.ROLE_COURT,),
    ListingAction.LISTING_ACTION_OPEN_REVIEW: (Role.ROLE_REVIEWER, Role.ROLE_REGULATOR),
    ListingAction.LISTING_ACTION_EXTEND: (Role.ROLE_REVIEWER,),
}


@dataclass(frozen=True, slots=True)
class Signers:
    """The members as fetched and verified, and the subject's own binding."""

    directory: MemberDirectory
    binding: Verified[v1.SubjectBinding]
    former: FormerKeys = NO_FORMER_KEYS

    def require_signed(
        self, envelope: v1.Envelope, statement: Statement, at: datetime, *, appealed: bool
    ) -> None:
        """Raise unless whoever ``statement`` names signed it by ``at``, and may do such a thing.

        ``appealed`` says whether a ruling is on an appeal. Raises ``Refusal`` or ``MismatchError``.
        """
        anchors = self.directory.anchors
        match statement:
            case v1.ListingFiling():
                judgment = statement.kind == ListingKind.LISTING_KIND_JUDGMENT
                role = Role.ROLE_COURT if judgment else Role.ROLE_FURNISHER
                open_filing(envelope, self._member(statement.source, role), anchors, at)
                if from_timestamp(statement.filed_at) > at + MAX_SKEW:
                    raise MismatchError("it was filed after it is said to be on record")
            case v1.Dispute():
                self._by_the_subject(lambda key: open_dispute(envelope, key, anchors, at), at)
            case v1.Ruling():
                role = Role.ROLE_APPEAL if appealed else Role.ROLE_REVIEWER
                open_ruling(envelope, self._member(statement.reviewer, role), anchors, at)
            case v1.ListingEvent() if not statement.actor:
                if statement.action not in BY_THE_SUBJECT:
                    raise MismatchError("no subject can do that")
                self._by_the_subject(lambda key: open_subject_event(envelope, key, anchors, at), at)
            case v1.ListingEvent():
                open_member_event(envelope, self._actor(statement), anchors, at)

    def _by_the_subject(
        self, open_it: Callable[[Verified[v1.SubjectBinding]], object], at: datetime
    ) -> None:
        """Have it opened with the key that the subject has, or had at ``at``."""
        self.former.open_with(self.binding, open_it, at)

    def _actor(self, event: v1.ListingEvent) -> Member:
        exchange_id = self.directory.anchors.bundle.exchange_id
        if event.action in BY_THE_EXCHANGE:
            if event.actor != exchange_id:
                raise MismatchError(f"{event.actor} did what only the exchange can do")
            return self._member(exchange_id, Role.ROLE_EXCHANGE)
        if event.withdrawal == WithdrawalCode.WITHDRAWAL_CODE_STRUCK_OUT:
            return self._member(event.actor, Role.ROLE_REVIEWER)
        if event.action not in _ROLES:
            raise MismatchError("no member can do that")
        return self._member(event.actor, *_ROLES[event.action])

    def _member(self, member_id: str, *roles: Role.ValueType) -> Member:
        """Return a member with its keys as they count for a history; raise for one that may not act so."""
        member = next((m for m in self.directory.members() if m.member_id == member_id), None)
        if member is None:
            raise MismatchError(
                f"no licence of {member_id} is known: nobody can tell who signed it"
            )
        if not member.roles.intersection(roles):
            raise MismatchError(f"{member_id} is not licensed to do that")
        # A renewed licence dates its keys anew, and what they signed under the old one is theirs all the
        # same: only the end of a key's validity counts.
        keys = KeyRing(
            *(
                TrustedKey(key.public_key, not_after=from_timestamp(key.not_after))
                for key in member.licence.keys
            )
        )
        return replace(member, keys=keys)
