"""Receipts of a log that holds one entry that counts, for tests that need no exchange."""

from collections.abc import Sequence
from datetime import datetime

from concordat import v1
from concordat.clock import to_timestamp
from concordat.statements import digest_of
from concordat.trust import merkle
from concordat.trust.checkpoint import Checkpoint, sign_checkpoint
from concordat.trust.commitment import (
    NO_ENTRY,
    commitment_of,
    link_commitment,
    new_salt,
    record_commitment,
)
from concordat.trust.keys import Signer
from concordat.v1 import LogEntryKind, ReleaseResult

FILLERS = [b"an entry before", b"another", b"an entry after"]


def receipt_of(
    record: v1.LogRecord,
    kind: LogEntryKind.ValueType,
    *,
    origin: str,
    log: Signer,
    at: datetime,
) -> v1.LogReceipt:
    """Return the receipt of ``record`` as the third of four entries."""
    (receipt,) = receipts_of([(record, kind)], origin=origin, log=log, at=at)
    return receipt


def receipts_of(
    entries: Sequence[tuple[v1.LogRecord, LogEntryKind.ValueType]],
    *,
    origin: str,
    log: Signer,
    at: datetime,
) -> list[v1.LogReceipt]:
    """Return the receipts of records that stand one after the other in one log, with others around them."""
    made = [_entry(record, kind, at) for record, kind in entries]
    leaves = [*FILLERS[:2], *(entry for entry, _ in made), *FILLERS[2:]]
    root, paths = merkle.tree([merkle.leaf_hash(leaf) for leaf in leaves])
    checkpoint = sign_checkpoint(Checkpoint(origin, len(leaves), root), log)
    return [
        v1.LogReceipt(
            entry=entry, opening=opening, index=index, proof=paths[index], checkpoint=checkpoint
        )
        for index, (entry, opening) in enumerate(made, 2)
    ]


def _entry(
    record: v1.LogRecord, kind: LogEntryKind.ValueType, at: datetime
) -> tuple[bytes, v1.LogOpening]:
    serialised, salt = record.SerializeToString(deterministic=True), new_salt()
    link = link_commitment(1, NO_ENTRY, new_salt())
    entry = v1.LogEntry(
        kind=kind,
        logged_at=to_timestamp(at),
        record_id=record.record_id,
        commitment=commitment_of(record_commitment(serialised, salt), link),
    )
    opening = v1.LogOpening(record=serialised, salt=salt, link_commitment=link)
    return entry.SerializeToString(deterministic=True), opening


def intent_record(
    request: v1.Envelope, consent: v1.Consent, access_id: bytes, at: datetime
) -> v1.LogRecord:
    """Return what an exchange logs when it lets a request in."""
    asked = v1.ViewRequest.FromString(request.payload)
    return v1.LogRecord(
        record_id=access_id,
        recorded_at=to_timestamp(at),
        subject_ref=asked.subject_ref,
        intent=v1.AccessIntent(
            lender=asked.lender,
            purpose=asked.purpose,
            disclosure=asked.disclosure,
            consent_id=consent.consent_id,
            request_digest=digest_of(request),
            providers=consent.providers,
        ),
    )


def release_record(view: v1.View, digest: bytes, record_id: bytes) -> v1.LogRecord:
    """Return what an exchange logs when it lets a view out."""
    return v1.LogRecord(
        record_id=record_id,
        recorded_at=view.issued_at,
        subject_ref=view.subject_ref,
        release=v1.AccessRelease(
            access_id=view.receipt.access_id,
            lender=view.lender,
            view_digest=digest,
            result=ReleaseResult.RELEASE_RESULT_COMPLETE,
            categories=[v1.DataCategory.DATA_CATEGORY_SCORE],
            listings=len(view.listings.listings),
            calibration_version=view.calibration_version,
        ),
    )
