"""Receipts of the log, checked offline: the entry is in the log, and is of the act that it is shown for."""

from dataclasses import dataclass
from functools import lru_cache

from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.refusal import Refusal
from concordat.trust import merkle
from concordat.trust.checkpoint import SignedCheckpoint, open_checkpoint
from concordat.trust.commitment import commitment_of, record_commitment
from concordat.trust.envelope import Verified, parse_statement
from concordat.trust.errors import TrustError
from concordat.trust.note import VerifierKey
from concordat.v1 import LogEntryKind, Reason

_ACTS = {
    LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT: "intent",
    LogEntryKind.LOG_ENTRY_KIND_ACCESS_RELEASE: "release",
    LogEntryKind.LOG_ENTRY_KIND_ACCESS_REFUSAL: "refusal",
    LogEntryKind.LOG_ENTRY_KIND_CONSENT: "consent",
    LogEntryKind.LOG_ENTRY_KIND_CONSENT_EVENT: "consent",
    LogEntryKind.LOG_ENTRY_KIND_LICENCE: "member",
    LogEntryKind.LOG_ENTRY_KIND_LICENCE_STATUS: "member",
    LogEntryKind.LOG_ENTRY_KIND_ERASURE: "erasure",
    LogEntryKind.LOG_ENTRY_KIND_LISTING: "listing",
    LogEntryKind.LOG_ENTRY_KIND_SUBJECT: "subject",
    LogEntryKind.LOG_ENTRY_KIND_SCREENING: "screening",
    LogEntryKind.LOG_ENTRY_KIND_MIRROR_SYNC: "mirror",
    LogEntryKind.LOG_ENTRY_KIND_OUTCOME_COUNTS: "outcome_counts",
    LogEntryKind.LOG_ENTRY_KIND_SUPERVISION: "supervision",
    LogEntryKind.LOG_ENTRY_KIND_CALIBRATION: "calibration",
    LogEntryKind.LOG_ENTRY_KIND_OWN_LOOK: "own_look",
    LogEntryKind.LOG_ENTRY_KIND_OWN_VIEW: "own_view",
    LogEntryKind.LOG_ENTRY_KIND_CASE_LOOK_UP: "case_look_up",
    LogEntryKind.LOG_ENTRY_KIND_CASE_REFUSAL: "case_look_up",
    LogEntryKind.LOG_ENTRY_KIND_CASE_NOTICE: "case_notice",
    LogEntryKind.LOG_ENTRY_KIND_ORDER: "order",
    LogEntryKind.LOG_ENTRY_KIND_OUTCOME: "outcome",
    LogEntryKind.LOG_ENTRY_KIND_REPORT: "report",
    LogEntryKind.LOG_ENTRY_KIND_ERASURE_REQUEST: "erasure_request",
    LogEntryKind.LOG_ENTRY_KIND_BINDING: "binding",
    LogEntryKind.LOG_ENTRY_KIND_MONITORING: "monitoring",
}


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry that is in the log, and what it commits to. Made by ``open_receipt``."""

    entry: v1.LogEntry
    record: v1.LogRecord
    index: int
    checkpoint: SignedCheckpoint


def open_receipt(receipt: v1.LogReceipt, anchors: Anchors) -> Logged:
    """Verify that the entry is in the federation's log and that the opening is what it commits to.

    The log's signature is required, and witnesses' cosignatures are listed; how many are enough is the
    caller's to say. Raises ``Refusal`` (REASON_ACCESS_NOT_LOGGED).
    """
    try:
        checkpoint = opened_checkpoint(receipt.checkpoint, anchors.log, anchors.witnesses)
        return _open(receipt, checkpoint)
    except TrustError as error:
        raise _not_logged(str(error)) from error


@lru_cache(maxsize=256)
def opened_checkpoint(
    note: bytes, log: VerifierKey, witnesses: tuple[VerifierKey, ...]
) -> SignedCheckpoint:
    """Open a checkpoint, remembering it: many receipts lead to the same. Raises ``TrustError``."""
    return open_checkpoint(note, log, witnesses)


def _open(receipt: v1.LogReceipt, checkpoint: SignedCheckpoint) -> Logged:
    merkle.verify_inclusion(
        merkle.leaf_hash(receipt.entry),
        receipt.index,
        checkpoint.size,
        receipt.proof,
        checkpoint.root,
    )
    entry = parse_statement(v1.LogEntry, receipt.entry)
    if not receipt.HasField("opening"):
        raise _not_logged("the receipt does not open its entry")
    opening = receipt.opening
    commitment = commitment_of(
        record_commitment(opening.record, opening.salt), opening.link_commitment
    )
    if commitment != entry.commitment:
        raise _not_logged("the opening is not what the entry commits to")
    return Logged(entry, open_record(entry, opening.record), receipt.index, checkpoint)


def open_record(entry: v1.LogEntry, serialised: bytes) -> v1.LogRecord:
    """Return the record of an entry that commits to it; raise ``Refusal`` where it is another's.

    Raises ``StatementMalformedError`` where the bytes are no record.
    """
    record = parse_statement(v1.LogRecord, serialised)
    if record.record_id != entry.record_id or record.WhichOneof("act") != _ACTS[entry.kind]:
        raise _not_logged("the record is not of its entry")
    return record


def require_intent_of(logged: Logged, request: Verified[v1.ViewRequest]) -> v1.AccessIntent:
    """Return the intent; raise ``Refusal`` unless the entry is that of letting this very request in."""
    if logged.entry.kind != LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT:
        raise _not_logged("the entry is of another kind of act")
    intent = logged.record.intent
    if (
        intent.request_digest != request.digest
        or logged.record.subject_ref != request.message.subject_ref
        or intent.lender != request.message.lender
    ):
        raise _not_logged("the entry is of another access")
    return intent


def require_release_of(logged: Logged, view: Verified[v1.View]) -> v1.AccessRelease:
    """Return the release; raise ``Refusal`` unless the entry is that of letting this very view out."""
    if logged.entry.kind != LogEntryKind.LOG_ENTRY_KIND_ACCESS_RELEASE:
        raise _not_logged("the entry is of another kind of act")
    release = logged.record.release
    if (
        release.view_digest != view.digest
        or release.access_id != view.message.receipt.access_id
        or release.lender != view.message.lender
        or release.calibration_version != view.message.calibration_version
        or logged.record.subject_ref != view.message.subject_ref
    ):
        raise _not_logged("the entry is of another release")
    return release


def require_own_look_of(logged: Logged, request: Verified[v1.OwnViewRequest]) -> v1.OwnLook:
    """Return the look; raise ``Refusal`` unless the entry is that of this very own request."""
    if logged.entry.kind != LogEntryKind.LOG_ENTRY_KIND_OWN_LOOK:
        raise _not_logged("the entry is of another kind of act")
    look = logged.record.own_look
    if (
        look.request_digest != request.digest
        or logged.record.subject_ref != request.message.subject_ref
    ):
        raise _not_logged("the entry is of another look")
    return look


def require_own_view_of(logged: Logged, view: Verified[v1.OwnView]) -> v1.OwnViewRelease:
    """Return the release; raise ``Refusal`` unless the entry is that of letting this very own view out."""
    if logged.entry.kind != LogEntryKind.LOG_ENTRY_KIND_OWN_VIEW:
        raise _not_logged("the entry is of another kind of act")
    release = logged.record.own_view
    if (
        release.view_digest != view.digest
        or release.look_id != view.message.receipt.access_id
        or logged.record.subject_ref != view.message.subject_ref
    ):
        raise _not_logged("the entry is of another release")
    return release


def _not_logged(detail: str) -> Refusal:
    return Refusal(Reason.REASON_ACCESS_NOT_LOGGED, detail)
