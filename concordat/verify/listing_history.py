"""A subject's own listing, checked step by step against the keys of whoever is said to have taken each.

    checked = check_listing(listing, directory, binding, at=now, known=what_the_wallet_remembers)
    checked.steps[3].fault      # why the fourth step does not hold; empty where it does
    checked.faults              # what is wrong with the account as a whole
    checked.require_sound()     # raises with all of it

Nothing here stops at the first fault: a subject is shown everything, and what does not hold as such.

What it cannot show: that a step was not left off the end before anybody had seen it (what the wallet sent
and saw before is held against it), and that a limit of the profile was kept to the day.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.directory import MemberDirectory
from concordat.refusal import Refusal, refusing_untrusted
from concordat.statements import digest_of
from concordat.trust.envelope import Verified, parse_statement, payload_type_of
from concordat.trust.errors import StatementMalformedError
from concordat.v1 import ListingAction
from concordat.verify.former_keys import NO_FORMER_KEYS, FormerKeys
from concordat.verify.listing_account import (
    InboxRequests,
    KnownOfListing,
    against_memory,
    against_steps,
    require_served,
)
from concordat.verify.listing_course import APPEAL, Course, Statement, taken_as_told
from concordat.verify.listing_moves import moved
from concordat.verify.listing_signers import Signers
from concordat.verify.mismatch import MismatchError

_KINDS: dict[str, type[Statement]] = {
    payload_type_of(kind): kind
    for kind in (v1.ListingFiling, v1.ListingEvent, v1.Dispute, v1.Ruling)
}


@dataclass(frozen=True, slots=True)
class CheckedStep:
    """One step; ``fault`` says why it does not hold, and is empty where it does."""

    step: v1.ListingStep
    digest: bytes
    statement: Statement | None  # None where its bytes are no such statement
    fault: str

    @property
    def who(self) -> str:
        """Who is said to have taken it, by member id; empty for the subject."""
        match self.statement:
            case v1.ListingFiling():
                return self.statement.source
            case v1.ListingEvent():
                return self.statement.actor
            case v1.Ruling():
                return self.statement.reviewer
        return ""


@dataclass(frozen=True, slots=True)
class CheckedListing:
    """A listing with every step checked; ``faults`` are those of the account as a whole."""

    listing: v1.OwnListing
    steps: tuple[CheckedStep, ...]
    faults: tuple[str, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that does not hold."""
        of_steps = (f"step {s.step.sequence}: {s.fault}" for s in self.steps if s.fault)
        return (*of_steps, *self.faults)

    def require_sound(self) -> None:
        """Raise ``ListingAccountBroken`` where anything does not hold."""
        if self.problems:
            raise ListingAccountBroken(self)


class ListingAccountBroken(Exception):  # noqa: N818 - read as a finding
    """The exchange's account of a listing does not hold; ``checked`` is all of it, signatures and all."""

    def __init__(self, checked: CheckedListing) -> None:
        """Find the account of ``checked`` broken."""
        super().__init__("; ".join(checked.problems))
        self.checked = checked


def check_listing(
    listing: v1.OwnListing,
    directory: MemberDirectory,
    binding: Verified[v1.SubjectBinding],
    *,
    at: datetime,
    known: KnownOfListing | None = None,
    inbox: InboxRequests | None = None,
    former: FormerKeys = NO_FORMER_KEYS,
) -> CheckedListing:
    """Check a listing that the exchange showed to its subject at ``at``; raises nothing for what it finds.

    ``directory`` has the members' licences, as fetched and verified; ``known`` and ``inbox`` are what the
    wallet remembers (None: nothing); ``former`` the keys that the subject had before.
    """
    known = known or KnownOfListing()
    walk = _Walk(listing.listing_id, Signers(directory, binding, former), known, inbox)
    steps = tuple(walk.take(step, place) for place, step in enumerate(listing.steps, 1))
    faults: list[str] = []
    try:
        with refusing_untrusted():
            faults += against_steps(listing, walk.course, at)
            faults += against_memory(listing, walk.course, [s.digest for s in steps], known)
    except Refusal as refusal:
        faults.append(_text(refusal))
    return CheckedListing(listing, steps, tuple(faults))


class _Walk:
    """The steps of one listing, taken in order; ``course`` is where they have led so far."""

    def __init__(
        self,
        listing_id: bytes,
        signers: Signers,
        known: KnownOfListing,
        inbox: InboxRequests | None,
    ) -> None:
        self.course = Course()
        self._listing_id = listing_id
        self._signers = signers
        self._known = known
        self._inbox = inbox
        self._last = datetime.min.replace(tzinfo=UTC)

    def take(self, step: v1.ListingStep, place: int) -> CheckedStep:
        """Check one step, and go on from it whether it holds or not."""
        digest = digest_of(step.statement)
        try:
            statement = _parsed(step.statement)
        except StatementMalformedError as error:
            self.course = taken_as_told(self.course, None, step.state)
            return CheckedStep(step, digest, None, str(error))
        faults = [self._fault_of(step, statement, place), self._fault_of_move(statement, step)]
        return CheckedStep(step, digest, statement, "; ".join(filter(None, faults)))

    def _fault_of(self, step: v1.ListingStep, statement: Statement, place: int) -> str:
        """Return why a step can't be believed, as it stands; empty where it can."""
        try:
            with refusing_untrusted():
                at = from_timestamp(step.at)
                self._require_in_order(step.sequence, place, at)
                appealed = self.course.state == APPEAL
                self._signers.require_signed(step.statement, statement, at, appealed=appealed)
                self._require_about(statement)
                if (
                    isinstance(statement, v1.ListingEvent)
                    and statement.action == ListingAction.LISTING_ACTION_NOTICE_SERVED
                ):
                    require_served(statement.notice, at, self._known, self._inbox)
        except (Refusal, MismatchError) as error:
            return _text(error)
        return ""

    def _fault_of_move(self, statement: Statement, step: v1.ListingStep) -> str:
        """Go on to where a step leads; return why it can't lead there, empty where it can."""
        try:
            with refusing_untrusted():
                self.course = moved(self.course, statement, step.state)
        except (Refusal, MismatchError) as error:
            self.course = taken_as_told(self.course, statement, step.state)
            return _text(error)
        return ""

    def _require_in_order(self, sequence: int, place: int, at: datetime) -> None:
        if sequence != place:
            raise MismatchError(f"it stands in place {place}: a step is left out or moved")
        if at < self._last:
            raise MismatchError("it is earlier than the step before it")
        self._last = at

    def _require_about(self, statement: Statement) -> None:
        """Raise unless a statement is about this subject and this listing."""
        if statement.subject_ref != self._signers.binding.message.subject_ref:
            raise MismatchError("it is about somebody else")
        if not isinstance(statement, v1.ListingFiling) and statement.listing_id != self._listing_id:
            raise MismatchError("it is about another listing")


def _parsed(envelope: v1.Envelope) -> Statement:
    """Return a statement of one of the four kinds; raise ``StatementMalformedError``."""
    kind = _KINDS.get(envelope.payload_type)
    if kind is None:
        raise StatementMalformedError("it is no statement about a listing")
    return parse_statement(kind, envelope.payload)


def _text(error: Refusal | MismatchError) -> str:
    return (error.detail or str(error)) if isinstance(error, Refusal) else str(error)
