"""Statements about listings: whoever signed one must be whom it names."""

from datetime import datetime
from typing import TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.federation.words import require_plain
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import Verified, open_envelope
from concordat.trust.keys import KeyRing
from concordat.v1 import Reason

S = TypeVar("S", bound=Message)


def open_member_statement(
    envelope: v1.Envelope, kind: type[S], member: Member, anchors: Anchors, at: datetime
) -> Verified[S]:
    """Verify a statement by a member's licensed key, of this federation. Raises ``Refusal``.

    Whether the statement names that member is for the functions below.
    """
    with refusing_untrusted():
        verified = open_envelope(envelope, kind, member.keys, at)
    anchors.require_federation(verified.message.federation)  # type: ignore[attr-defined]
    return verified


def open_filing(
    envelope: v1.Envelope, source: Member, anchors: Anchors, at: datetime
) -> Verified[v1.ListingFiling]:
    """Verify a source's own filing. Raises ``Refusal``."""
    verified = open_member_statement(envelope, v1.ListingFiling, source, anchors, at)
    require_signer(verified.message.source, source)
    return verified


def open_member_event(
    envelope: v1.Envelope, member: Member, anchors: Anchors, at: datetime
) -> Verified[v1.ListingEvent]:
    """Verify an event that a member caused. Raises ``Refusal``."""
    verified = open_member_statement(envelope, v1.ListingEvent, member, anchors, at)
    require_signer(verified.message.actor, member)
    require_not_from_after(verified.message.decided_at, at)
    require_plain(verified.message.extension.reasons)
    return verified


def open_ruling(
    envelope: v1.Envelope, reviewer: Member, anchors: Anchors, at: datetime
) -> Verified[v1.Ruling]:
    """Verify a reviewer's or appeal body's ruling. Raises ``Refusal``."""
    verified = open_member_statement(envelope, v1.Ruling, reviewer, anchors, at)
    require_signer(verified.message.reviewer, reviewer)
    require_not_from_after(verified.message.decided_at, at)
    require_plain(verified.message.reasons)
    return verified


def open_mirror_sync(
    envelope: v1.Envelope, court: Member, anchors: Anchors, at: datetime
) -> Verified[v1.MirrorSync]:
    """Verify a court's word on its register. Raises ``Refusal``."""
    verified = open_member_statement(envelope, v1.MirrorSync, court, anchors, at)
    require_signer(verified.message.court, court)
    require_not_from_after(verified.message.read_at, at)
    return verified


def open_acknowledgement(
    envelope: v1.Envelope, lender: Member, anchors: Anchors, at: datetime
) -> Verified[v1.RetractionAcknowledgement]:
    """Verify a lender's acknowledgement of a retraction. Raises ``Refusal``."""
    verified = open_member_statement(envelope, v1.RetractionAcknowledgement, lender, anchors, at)
    require_signer(verified.message.lender, lender)
    return verified


def open_screen_request(
    envelope: v1.Envelope, lender: Member, anchors: Anchors, at: datetime
) -> Verified[v1.ScreenRequest]:
    """Verify a lender's own screen request, fresh at ``at``. Raises ``Refusal``."""
    verified = open_member_statement(envelope, v1.ScreenRequest, lender, anchors, at)
    request = verified.message
    require_signer(request.lender, lender)
    with refusing_untrusted():
        issued, expires = from_timestamp(request.issued_at), from_timestamp(request.expires_at)
    if not issued - MAX_SKEW <= at <= expires + MAX_SKEW:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, f"made {issued}, expires {expires}")
    return verified


def open_subject_statement(
    envelope: v1.Envelope,
    kind: type[S],
    binding: Verified[v1.SubjectBinding],
    anchors: Anchors,
    at: datetime,
) -> Verified[S]:
    """Verify a statement by the bound key of the subject it is about, of this federation. Raises ``Refusal``."""
    with refusing_untrusted():
        verified = open_envelope(envelope, kind, KeyRing(binding.message.public_key), at)
    statement = verified.message
    anchors.require_federation(statement.federation)  # type: ignore[attr-defined]
    if statement.subject_ref != binding.message.subject_ref:  # type: ignore[attr-defined]
        raise Refusal(Reason.REASON_BINDING_INVALID, "the key is bound to another subject")
    return verified


def open_dispute(
    envelope: v1.Envelope, binding: Verified[v1.SubjectBinding], anchors: Anchors, at: datetime
) -> Verified[v1.Dispute]:
    """Verify a subject's dispute. Raises ``Refusal``."""
    verified = open_subject_statement(envelope, v1.Dispute, binding, anchors, at)
    require_not_from_after(verified.message.raised_at, at)
    return verified


def open_subject_event(
    envelope: v1.Envelope, binding: Verified[v1.SubjectBinding], anchors: Anchors, at: datetime
) -> Verified[v1.ListingEvent]:
    """Verify an event that a subject caused: it names no member. Raises ``Refusal``."""
    verified = open_subject_statement(envelope, v1.ListingEvent, binding, anchors, at)
    if verified.message.actor:
        raise Refusal(Reason.REASON_CALLER_NOT_SIGNER, "a member's event, signed by a subject")
    require_not_from_after(verified.message.decided_at, at)
    require_plain(verified.message.words.text)
    return verified


def open_flag_change(
    envelope: v1.Envelope, binding: Verified[v1.SubjectBinding], anchors: Anchors, at: datetime
) -> Verified[v1.FlagChange]:
    """Verify a subject's change of a flag. Raises ``Refusal``."""
    verified = open_subject_statement(envelope, v1.FlagChange, binding, anchors, at)
    require_not_from_after(verified.message.decided_at, at)
    return verified


def open_contact_change(
    envelope: v1.Envelope, binding: Verified[v1.SubjectBinding], anchors: Anchors, at: datetime
) -> Verified[v1.ContactChange]:
    """Verify a subject's change of where its notices go. Raises ``Refusal``."""
    verified = open_subject_statement(envelope, v1.ContactChange, binding, anchors, at)
    require_not_from_after(verified.message.decided_at, at)
    require_plain(verified.message.email)
    return verified


def require_signer(named: str, member: Member) -> None:
    """Raise ``Refusal`` (REASON_CALLER_NOT_SIGNER) where a statement names another member than signed it."""
    if named != member.member_id:
        raise Refusal(
            Reason.REASON_CALLER_NOT_SIGNER, f"names {named}, signed by {member.member_id}"
        )


def require_not_from_after(timestamp: Timestamp, at: datetime) -> None:
    """Raise ``Refusal`` (REASON_STATEMENT_NOT_FRESH) for a statement from the future, beyond clock skew."""
    with refusing_untrusted():
        made = from_timestamp(timestamp)
    if made > at + MAX_SKEW:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, f"made at {made}")
