"""The notice of a case look-up, checked by its subject: signed, and opening a sealed entry of the log."""

import hashlib

from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import Verified, open_envelope, parse_statement
from concordat.v1 import LogEntryKind, Reason
from concordat.verify.receipt import Logged, open_receipt

_KINDS = (
    LogEntryKind.LOG_ENTRY_KIND_CASE_LOOK_UP,
    LogEntryKind.LOG_ENTRY_KIND_CASE_REFUSAL,
)
_LABEL = b"concordat/case-notice/v1\n"


def notice_record_id(record_id: bytes) -> bytes:
    """Return the record id, 16 bytes, of the entry that opens the sealed entry ``record_id`` to its subject.

    Anybody computes it: so an auditor sees which sealed entry was opened, and which was not in time.
    """
    return hashlib.sha256(_LABEL + record_id).digest()[:16]


def open_case_notice(
    envelope: v1.Envelope, exchange: Member, anchors: Anchors, subject_ref: bytes
) -> tuple[Verified[v1.CaseNotice], Logged]:
    """Verify a notice to ``subject_ref``: the exchange's, with a key valid when it was made, true to its entry.

    Raises ``Refusal``: REASON_ACCESS_NOT_LOGGED where the sealed entry is not in the log, or says otherwise.
    """
    with refusing_untrusted():
        made = parse_statement(v1.CaseNotice, envelope.payload).made_at
        notice = open_envelope(envelope, v1.CaseNotice, exchange.keys, from_timestamp(made))
    said = notice.message
    anchors.require_federation(said.federation)
    if said.subject_ref != subject_ref:
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, "the notice is somebody else's")
    logged = open_receipt(said.receipt, anchors)
    if logged.entry.kind not in _KINDS or not _same(said, logged.record):
        raise Refusal(Reason.REASON_ACCESS_NOT_LOGGED, "the entry says otherwise than its notice")
    return notice, logged


def _same(said: v1.CaseNotice, record: v1.LogRecord) -> bool:
    """Tell whether a notice says what the record says: all but when it was signed."""
    act = record.case_look_up
    return (
        not record.subject_ref
        and said.looked_at == record.recorded_at
        and (
            said.subject_ref,
            said.regulator,
            said.legal_article,
            said.case_reference,
            list(said.scopes),
            said.notice_at,
            said.refusal,
        )
        == (
            act.subject_ref,
            act.regulator,
            act.legal_article,
            act.case_reference,
            list(act.scopes),
            act.notice_at,
            act.refusal,
        )
    )
