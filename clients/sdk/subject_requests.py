"""What a subject signs about its listings, its flags and its contact: the requests that carry it.

Each is signed once. It is written to the wallet's outbox before it is sent, and sent again with the same
bytes until it is answered: see ``subject_outbox``.
"""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from clients.sdk.errors import ClientError, WalletError
from clients.sdk.listing_memory import LAST_SEQUENCE
from clients.sdk.wallet import WalletKey
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.directory import Member
from concordat.federation.evidence import Evidence
from concordat.federation.words import require_few_words
from concordat.ids import new_id
from concordat.statements import seal
from concordat.v1 import DisputeGround, DisputeStage, FlagKind, ListingAction, Role

SubjectRequest: TypeAlias = (
    v1.SubmitDisputeRequest
    | v1.SubmitSubjectEventRequest
    | v1.ChangeFlagRequest
    | v1.ChangeContactRequest
)

MOST_FILES = 4


class NoReviewer(ClientError):  # noqa: N818 - read as a finding
    """Nobody can decide the dispute, or not the one that was named; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grievance:
    """What a subject disputes, and why."""

    listing_id: bytes
    stage: DisputeStage.ValueType
    ground: DisputeGround.ValueType
    evidence: Sequence[Evidence] = ()
    ruling_id: bytes = b""  # of an appeal: the ruling appealed


def make_dispute(
    key: WalletKey, federation: str, grievance: Grievance, reviewer: Member, at: datetime
) -> v1.SubmitDisputeRequest:
    """Return a signed dispute, its evidence sealed to ``reviewer`` alone.

    The evidence's hashes go to the listing's sources; what it says goes to nobody else. Raises
    ``ClientError`` for more than four pieces or none that can be sealed, and ``SealInvalidError``.
    """
    if len(grievance.evidence) > MOST_FILES:
        raise ClientError(f"at most {MOST_FILES} pieces of evidence go with a dispute")
    if grievance.evidence and not reviewer.licence.sealing_key:
        raise NoReviewer(f"{reviewer.member_id} has no key to seal evidence to; choose another")
    dispute_id = new_id()
    dispute = v1.Dispute(
        dispute_id=dispute_id,
        federation=federation,
        subject_ref=key.subject_ref,
        listing_id=grievance.listing_id,
        stage=grievance.stage,
        ground=grievance.ground,
        evidence_hashes=list(dict.fromkeys(piece.digest for piece in grievance.evidence)),
        reviewer=reviewer.member_id,
        ruling_id=grievance.ruling_id,
        raised_at=to_timestamp(at),
    )
    return v1.SubmitDisputeRequest(
        dispute=seal(dispute, key.signer),
        binding=key.binding,
        attachments=[
            v1.SealedAttachment(sealed=piece.seal_to(reviewer.licence.sealing_key, dispute_id))
            for piece in grievance.evidence
        ],
    )


def choose_reviewer(
    members: Iterable[tuple[Member, v1.Standing.ValueType]],
    *,
    appeal: bool,
    at: datetime,
    not_by: Iterable[str] = (),
    named: str = "",
) -> Member:
    """Return who shall decide: the one named, or any of those that may, with no one preferred.

    ``not_by`` are those that may not: the listing's sources, and in an appeal who ruled first. Raises
    ``NoReviewer``.
    """
    role = Role.ROLE_APPEAL if appeal else Role.ROLE_REVIEWER
    what = "appeal body" if appeal else "reviewer"
    barred = set(not_by)
    eligible = {
        member.member_id: member
        for member, standing in members
        if role in member.roles
        and standing == v1.Standing.STANDING_ACTIVE
        and member.not_before <= at < member.not_after
        and member.member_id not in barred
    }
    if named:
        if named not in eligible:
            why = "is a party to it" if named in barred else f"is no {what} of this federation now"
            raise NoReviewer(f"{named} {why}; it can be: {', '.join(eligible) or 'nobody'}")
        return eligible[named]
    sealing = [member for member in eligible.values() if member.licence.sealing_key]
    if not sealing:
        raise NoReviewer(f"no {what} of this federation can take the dispute; ask the regulator")
    return secrets.choice(sealing)


def make_words(
    key: WalletKey, federation: str, listing_id: bytes, words: v1.SubjectWords, at: datetime
) -> v1.SubmitSubjectEventRequest:
    """Return the subject's own words about a listing, signed; empty ones take them away.

    Raises ``Refusal`` (REASON_WORDS_TOO_MANY) for more than 200.
    """
    require_few_words(words.text)
    event = _event(key, federation, listing_id, ListingAction.LISTING_ACTION_STATE, at)
    event.words.CopyFrom(words)
    event.words.SetInParent()
    return v1.SubmitSubjectEventRequest(event=seal(event, key.signer), binding=key.binding)


def make_settlement(
    key: WalletKey,
    federation: str,
    listing_id: bytes,
    receipt: bytes,
    paid_at: datetime,
    at: datetime,
) -> v1.SubmitSubjectEventRequest:
    """Return the subject's word that it has paid, signed, with the hash of ``receipt``'s bytes."""
    event = _event(key, federation, listing_id, ListingAction.LISTING_ACTION_SETTLE, at)
    event.settlement.receipt_hash = hashlib.sha256(receipt).digest()
    event.settlement.paid_at.CopyFrom(to_timestamp(paid_at))
    return v1.SubmitSubjectEventRequest(event=seal(event, key.signer), binding=key.binding)


def _event(
    key: WalletKey,
    federation: str,
    listing_id: bytes,
    action: ListingAction.ValueType,
    at: datetime,
) -> v1.ListingEvent:
    return v1.ListingEvent(
        event_id=new_id(),
        federation=federation,
        subject_ref=key.subject_ref,
        listing_id=listing_id,
        action=action,
        decided_at=to_timestamp(at),
    )


def make_flag_change(
    key: WalletKey,
    federation: str,
    kind: FlagKind.ValueType,
    sequence: int,
    at: datetime,
    *,
    placed: bool,
) -> v1.ChangeFlagRequest:
    """Return a flag placed or lifted, signed; ``sequence`` is one above that of the last change."""
    change = v1.FlagChange(
        federation=federation,
        subject_ref=key.subject_ref,
        kind=kind,
        placed=placed,
        sequence=_usable(sequence),
        decided_at=to_timestamp(at),
    )
    return v1.ChangeFlagRequest(change=seal(change, key.signer), binding=key.binding)


def make_contact_change(
    key: WalletKey, federation: str, email: str, language: str, sequence: int, at: datetime
) -> v1.ChangeContactRequest:
    """Return where notices shall go, signed; an empty ``email`` is the inbox alone."""
    change = v1.ContactChange(
        federation=federation,
        subject_ref=key.subject_ref,
        email=email,
        language=language,
        sequence=_usable(sequence),
        decided_at=to_timestamp(at),
    )
    return v1.ChangeContactRequest(change=seal(change, key.signer), binding=key.binding)


def _usable(sequence: int) -> int:
    if sequence > LAST_SEQUENCE:
        raise WalletError(
            "the exchange says that every number of such changes is used up; show that to the regulator"
        )
    return sequence
