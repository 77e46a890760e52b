"""A subject's own listings, as an honest exchange shows them: the real machine, and real signatures.

    story = Story(federation)                  # a debt of ada's, filed by a furnisher
    story.noticed(); story.reconfirmed(); story.effective()
    story.disputed(evidence=("receipt",)); story.ruled(REJECTED)
    story.own()                                # the v1.OwnListing that the exchange would show now
    story.check()                              # checked as a wallet does

Every step is signed by whoever takes it, at the story's time ``at``, which a test moves with ``later``.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from google.protobuf.message import Message

from concordat import v1
from concordat.clock import to_timestamp
from concordat.statements import seal
from concordat.trust.keys import Signer
from concordat.trust.sealed import SealingKey
from concordat.v1 import ListingAction, Role
from concordat.verify.consent import open_binding
from concordat.verify.listing_account import InboxRequests, KnownOfListing
from concordat.verify.listing_history import CheckedListing, check_listing
from exchange.listings.machine import (
    Actor,
    Listing,
    Party,
    apply_event,
    join,
    open_listing,
    raise_dispute,
    rule,
)
from exchange.listings.showing import in_view, shown_entry
from tests.builders import AT, EXCHANGE, REGULATOR, Federation, Subject, signer
from tests.listing_builders import (
    APPEAL_BODY,
    COURT,
    EXPIRE,
    FURNISHER,
    LISTING_ID,
    NOTICE_SERVED,
    RECONFIRM,
    REVIEWER,
    SECOND_APPEAL_BODY,
    SECOND_COURT,
    SECOND_REVIEWER,
    TAKE_EFFECT,
    TIME_OUT,
    appeal_of,
    dispute_of,
    judge_of,
    judgment_filing,
    listing_event,
    listing_filing,
    party_of,
    profile,
    ruling_of,
)

SEALING_KEYS = {
    name: SealingKey.generate()
    for name in (REVIEWER, SECOND_REVIEWER, APPEAL_BODY, SECOND_APPEAL_BODY)
}


YEARS = timedelta(days=365 * 30)


def enrol_judges(federation: Federation) -> None:
    """License reviewers, appeal bodies and courts for as long as a listing may take; let providers file."""
    for name, role in (
        (REVIEWER, Role.ROLE_REVIEWER),
        (SECOND_REVIEWER, Role.ROLE_REVIEWER),
        (APPEAL_BODY, Role.ROLE_APPEAL),
        (SECOND_APPEAL_BODY, Role.ROLE_APPEAL),
    ):
        _enrol(federation, name, role, sealing_key=SEALING_KEYS[name].public_key)
    for name in (COURT, SECOND_COURT):
        _enrol(federation, name, Role.ROLE_COURT)
    for member in federation.directory.members():
        if member.member_id in {*federation.providers, EXCHANGE, REGULATOR}:
            roles = set(member.roles)
            if Role.ROLE_PROVIDER in roles:
                roles.add(Role.ROLE_FURNISHER)
            licence = member.licence
            _enrol(
                federation,
                member.member_id,
                *roles,
                version=licence.version + 1,
                endpoint=licence.endpoint,
                public_endpoint=licence.public_endpoint,
            )


def _enrol(federation: Federation, name: str, *roles: Any, **fields: Any) -> None:
    start = to_timestamp(federation.at - timedelta(days=30))
    end = to_timestamp(federation.at + YEARS)
    key = v1.SigningKey(public_key=signer(name).public_key, not_before=start, not_after=end)
    federation.enrol(name, *roles, keys=[key], not_after=end, **fields)


@dataclass
class Story:
    """One listing of one person, and everything that has happened to it."""

    federation: Federation
    person: Subject
    name: str = "eu"
    court: bool = False
    at: datetime = AT
    listing_id: bytes = LISTING_ID
    steps: list[v1.ListingStep] = field(default_factory=list)
    listing: Listing | None = None

    @property
    def now(self) -> Listing:
        """The listing as it stands."""
        assert self.listing is not None
        return self.listing

    def later(self, **length: float) -> "Story":
        """Let time pass."""
        self.at += timedelta(**length)
        return self

    # Steps --------------------------------------------------------------------------------------

    def filed(self, by: str | None = None, *, court: bool | None = None, **fields: Any) -> "Story":
        """File the debt, or have one more source file it."""
        court = self.court if court is None else court
        source = by or (COURT if court else FURNISHER)
        make = judgment_filing if court else listing_filing
        filing = make(self.name, at=self.at, source=source, subject_ref=self.person.ref, **fields)
        limits = profile(self.name)
        if self.listing is None:
            made = open_listing(filing, self.listing_id, (self.name, limits), self.at)
        else:
            made = join(self.listing, filing, limits, self.at)
        return self._step(filing, signer(source), made)

    def event(
        self, action: ListingAction.ValueType, by: Party | None = None, **fields: Any
    ) -> "Story":
        """Have whoever may do it cause an event."""
        who = by or party_of(self.now, action)
        event = listing_event(self.now, action, at=self.at, by=who, **fields)
        after = apply_event(self.now, event, who, profile(self.name), self.at)
        by_subject = not who.member_id
        return self._step(event, self.person.signer if by_subject else signer(who.member_id), after)

    def noticed(self, **fields: Any) -> "Story":
        """Serve the notice."""
        return self.event(NOTICE_SERVED, **fields)

    def effective(self) -> "Story":
        """Let the notice period pass, have the source reconfirm, and let it take effect."""
        assert self.now.effective_from is not None
        self.at = max(self.at, self.now.effective_from)
        return self.event(RECONFIRM).event(TAKE_EFFECT)

    def disputed(self, **fields: Any) -> "Story":
        """Contest or dispute."""
        return self._raise(dispute_of(self.now, at=self.at, **fields))

    def appealed(self, **fields: Any) -> "Story":
        """Appeal the last ruling."""
        return self._raise(appeal_of(self.now, at=self.at, **fields))

    def _raise(self, dispute: v1.Dispute) -> "Story":
        after = raise_dispute(self.now, dispute, profile(self.name), self.at)
        return self._step(dispute, self.person.signer, after)

    def ruled(self, *outcome: Any, by: Party | None = None, **fields: Any) -> "Story":
        """Decide."""
        who = by or judge_of(self.now)
        given = {"reviewer": who.member_id} | fields
        ruling = ruling_of(self.now, *outcome, at=self.at, **given)
        after = rule(self.now, ruling, who, profile(self.name), self.at)
        return self._step(ruling, signer(who.member_id), after)

    def timed_out(self) -> "Story":
        """Let the open dispute's limit pass."""
        assert self.now.dispute is not None
        self.at = self.now.dispute.due_at
        return self.event(TIME_OUT)

    def expired(self) -> "Story":
        """Let it end."""
        self.at = max(self.at, self.now.expires_at)
        return self.event(EXPIRE)

    def take(self, envelope: v1.Envelope) -> "Story":
        """Take in what the subject or a reviewer signed elsewhere, as the exchange would. Raises ``Refusal``."""
        limits = profile(self.name)
        kind = envelope.payload_type.removeprefix("application/vnd.concordat.")
        match kind.removesuffix(".v1+protobuf"):
            case "dispute":
                dispute = v1.Dispute.FromString(envelope.payload)
                after = raise_dispute(self.now, dispute, limits, self.at)
            case "ruling":
                ruling = v1.Ruling.FromString(envelope.payload)
                after = rule(self.now, ruling, judge_of(self.now), limits, self.at)
            case _:
                event = v1.ListingEvent.FromString(envelope.payload)
                part = Actor.REVIEWER if event.actor else Actor.SUBJECT
                after = apply_event(self.now, event, Party(part, event.actor), limits, self.at)
        return self._add(envelope, after)

    def _step(self, statement: Message, by: Signer, after: Listing) -> "Story":
        return self._add(seal(statement, by), after)

    def _add(self, envelope: v1.Envelope, after: Listing) -> "Story":
        self.listing = after
        step = v1.ListingStep(
            sequence=len(self.steps) + 1,
            statement=envelope,
            at=to_timestamp(self.at),
            state=after.state,
        )
        self.steps.append(step)
        return self

    # What the subject is shown ------------------------------------------------------------------

    def own(self) -> v1.OwnListing:
        """Return the listing as an honest exchange shows it to its subject now."""
        listing, limits = self.now, profile(self.name)
        own = v1.OwnListing(
            listing_id=listing.listing_id,
            state=listing.state,
            profile=v1.Profile.PROFILE_EU,
            kind=listing.kind,
            basis=listing.basis,
            facts=v1.Correction(
                amount=v1.Money(currency=listing.currency, minor=listing.amount),
                delinquent_since=to_timestamp(listing.delinquent_since),
                evidence_hash=listing.evidence_hash,
            ),
            sources=[source.member_id for source in listing.live_sources],
            expires_at=to_timestamp(listing.expires_at),
            words=listing.words,
            steps=self.steps,
            version=listing.version,
        )
        for name, moment in (
            ("noticed_at", listing.delivered_at),
            ("effective_at", listing.effective_at),
            ("settled_at", listing.settled_at),
            ("effective_from", None if listing.effective_at else listing.effective_from),
        ):
            if moment is not None:
                getattr(own, name).CopyFrom(to_timestamp(moment))
        if listing.dispute is not None:
            own.dispute_id = listing.dispute.dispute_id
            own.decide_by.CopyFrom(to_timestamp(listing.dispute.due_at))
        if listing.ruling is not None:
            own.ruling_id = listing.ruling.ruling_id
            until = limits.appeal_within.after(listing.ruling.decided_at)
            if not listing.ruling.appealed and listing.dispute is None and self.at < until:
                own.appeal_until.CopyFrom(to_timestamp(until))
        entry = shown_entry(listing, limits, {COURT: self.at, SECOND_COURT: self.at}, self.at)
        if entry is not None:
            own.shown.CopyFrom(in_view(entry, listing.words))
        return own

    def check(
        self,
        own: v1.OwnListing | None = None,
        known: KnownOfListing | None = None,
        inbox: InboxRequests | None = None,
    ) -> CheckedListing:
        """Check what the exchange shows, as the subject's wallet does now."""
        return check_listing(
            own or self.own(),
            self.federation.directory,
            open_binding(self.person.binding, self.federation.anchors, self.federation.at),
            at=self.at,
            known=known,
            inbox=inbox,
        )


def a_story(federation: Federation | None = None, **fields: Any) -> Story:
    """Return a fresh story about ada in a federation that has judges and courts."""
    if federation is None:
        federation = Federation(providers=("alder-bank", "birch-payments", "cedar-guarantee"))
        enrol_judges(federation)
    return Story(federation, federation.subject("ada"), **fields)


__all__ = ["EXCHANGE", "SEALING_KEYS", "Story", "a_story", "enrol_judges"]
