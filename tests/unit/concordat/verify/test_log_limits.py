"""The contract's bounds have room for the largest that it allows, and every kind of entry has its record."""

from datetime import UTC, datetime

import pytest

from concordat import v1
from concordat.buf.validate import validate_pb2
from concordat.clock import to_timestamp
from concordat.rpc.channels import MAX_MESSAGE_BYTES
from concordat.trust.checkpoint import Checkpoint, cosign_checkpoint, sign_checkpoint
from concordat.trust.envelope import validate
from concordat.trust.errors import StatementMalformedError
from concordat.trust.note import COSIGNATURE_V1, SignedNote, VerifierKey
from concordat.v1 import LogEntryKind
from concordat.verify import receipt, receipt_file
from concordat.verify.receipt_file import dump_receipt, parse_receipt
from exchange.log.erasure import AT_ONCE
from exchange.log.servicer import PAGE
from tests.builders import Federation, signer

EARLIEST = to_timestamp(datetime(1, 1, 1, 0, 0, 0, 999999, tzinfo=UTC))  # the longest as a varint
NAME = "a" * 63
ID, DIGEST = b"\xff" * 16, b"\xff" * 32
SUBJECTS = (
    "intent",
    "release",
    "refusal",
    "consent",
    "listing",
    "subject",
    "screening",
    "own_look",
    "own_view",
    "case_notice",
    "order",
    "outcome",
    "report",
    "erasure_request",
    "binding",
    "monitoring",
)  # acts about a person


def largest(act: str) -> v1.LogRecord:
    """Return a record of an act with every field at its bound."""
    names = [f"{'a' * 60}{number:03}" for number in range(32)]
    disclosure = v1.Disclosure(kind=v1.DisclosureKind.DISCLOSURE_KIND_THRESHOLD, threshold=900)
    outcome = max(v1.ProviderOutcomeKind.values())
    acts = {
        "intent": v1.LogRecord(
            intent=v1.AccessIntent(
                lender=NAME,
                purpose=max(v1.Purpose.values()),
                disclosure=disclosure,
                consent_id=ID,
                request_digest=DIGEST,
                providers=names,
            )
        ),
        "release": v1.LogRecord(
            release=v1.AccessRelease(
                access_id=ID,
                lender=NAME,
                view_digest=DIGEST,
                result=max(v1.ReleaseResult.values()),
                categories=[max(v1.DataCategory.values())] * 8,
                calibration_version=2**32 - 1,
                parts=[v1.ReleasedPart(provider=name, kind=outcome) for name in names],
                listings=64,
            )
        ),
        "refusal": v1.LogRecord(
            refusal=v1.AccessRefusal(
                lender=NAME,
                purpose=max(v1.Purpose.values()),
                consent_id=ID,
                request_digest=DIGEST,
                reason=max(v1.Reason.values()),
            )
        ),
        "consent": v1.LogRecord(consent=v1.ConsentAct(consent_id=ID, digest=DIGEST)),
        "member": v1.LogRecord(member=v1.MemberAct(member_id=NAME, digest=DIGEST)),
        "erasure": v1.LogRecord(
            erasure=v1.Erasure(
                basis=max(v1.ErasureBasis.values()),
                record_ids=[number.to_bytes(16, "big") for number in range(1024)],
            )
        ),
        "listing": v1.LogRecord(
            listing=v1.ListingAct(
                listing_id=ID,
                kind=max(v1.ListingActKind.values()),
                action=max(v1.ListingAction.values()),
                actor=NAME,
                digest=DIGEST,
                state=max(v1.ListingState.values()),
            )
        ),
        "subject": v1.LogRecord(
            subject=v1.SubjectAct(digest=DIGEST, flag=max(v1.FlagKind.values()), placed=True)
        ),
        "screening": v1.LogRecord(
            screening=v1.Screening(
                lender=NAME,
                purpose=max(v1.Purpose.values()),
                consent_id=ID,
                request_digest=DIGEST,
                refusal=max(v1.Reason.values()),
                listings=64,
            )
        ),
        "mirror": v1.LogRecord(mirror=v1.MirrorAct(court=NAME, digest=DIGEST)),
        "calibration": v1.LogRecord(
            calibration=v1.CalibrationAct(version=2**32 - 1, digest=DIGEST)
        ),
        "outcome_counts": v1.LogRecord(outcome_counts=v1.OutcomeAct(lender=NAME, digest=DIGEST)),
        "supervision": v1.LogRecord(
            supervision=v1.SupervisionAct(
                regulator=NAME, kind=max(v1.SupervisionKind.values()), provider=NAME
            )
        ),
        "own_look": v1.LogRecord(own_look=v1.OwnLook(request_digest=DIGEST, providers=names)),
        "own_view": v1.LogRecord(
            own_view=v1.OwnViewRelease(
                look_id=ID,
                view_digest=DIGEST,
                result=max(v1.ReleaseResult.values()),
                calibration_version=2**32 - 1,
                parts=[v1.ReleasedPart(provider=name, kind=outcome) for name in names],
            )
        ),
        **_supervised(),
        **_of_rights(),
    }
    record = acts[act]
    record.record_id, record.subject_ref = ID, DIGEST
    record.recorded_at.CopyFrom(EARLIEST)
    validate(record)
    return record


def _supervised() -> dict[str, v1.LogRecord]:
    """Return what regulators and lenders do on record, with every field at its bound."""
    return {
        "case_look_up": v1.LogRecord(
            case_look_up=v1.CaseLookUp(
                regulator=NAME,
                subject_ref=DIGEST,
                case_digest=DIGEST,
                legal_article="a" * 80,
                case_reference="A" * 40,
                scopes=[max(v1.CaseScope.values())] * 8,
                notice_at=EARLIEST,
                refusal=max(v1.Reason.values()),
                answer_digest=DIGEST,
            )
        ),
        "case_notice": v1.LogRecord(
            case_notice=v1.CaseNoticeAct(record_id=ID, index=2**64 - 1, message_id=ID)
        ),
        "order": v1.LogRecord(
            order=v1.OrderAct(
                order_id=ID,
                listing_id=ID,
                regulator=NAME,
                furnisher=NAME,
                stage=max(v1.OrderStage.values()),
                digest=DIGEST,
            )
        ),
        "outcome": v1.LogRecord(
            outcome=v1.OutcomeReported(lender=NAME, access_id=ID, digest=DIGEST, reviewed=True)
        ),
        "monitoring": v1.LogRecord(monitoring=v1.MonitoringAct(lender=NAME, consent_id=ID)),
    }


def _of_rights() -> dict[str, v1.LogRecord]:
    """Return what subjects do on record, with every field at its bound."""
    return {
        "report": v1.LogRecord(report=v1.ReportAct(request_digest=DIGEST, report_digest=DIGEST)),
        "erasure_request": v1.LogRecord(
            erasure_request=v1.ErasureRequestAct(
                request_digest=DIGEST, erased=2**32 - 1, kept=2**32 - 1
            )
        ),
        "binding": v1.LogRecord(binding=v1.BindingAct(version=2**64 - 1, digest=DIGEST)),
    }


def entry() -> bytes:
    made = v1.LogEntry(
        kind=max(LogEntryKind.values()), logged_at=EARLIEST, record_id=ID, commitment=DIGEST
    )
    validate(made)
    return made.SerializeToString()


def note() -> bytes:
    """Return a checkpoint with the longest names and as many witnesses as a trust bundle may name."""
    bundle = v1.TrustBundle()
    bundle.CopyFrom(Federation().bundle)
    bundle.log_origin = "l" * 200
    text = sign_checkpoint(Checkpoint(bundle.log_origin, 2**63 - 1, DIGEST), signer("log"))
    for number in range(32):
        key = signer(f"witness {number}")
        long = f"{'w' * 244}{number:02}"
        bundle.witnesses.append(str(VerifierKey(long, COSIGNATURE_V1, key.public_key)))
        text += cosign_checkpoint(SignedNote.parse(text).text, long, key, 2**63 - 1).line()
    assert {len(witness) for witness in bundle.witnesses} == {300}
    validate(bundle)
    return text


def opening(act: str) -> v1.LogOpening:
    record = largest(act).SerializeToString(deterministic=True)
    return v1.LogOpening(record=record, salt=DIGEST, link_commitment=DIGEST)


def room(message: type[v1.LogOpening | v1.SubjectLogEntry], field: str) -> int:
    """Return the bound of a field of bytes."""
    options = message.DESCRIPTOR.fields_by_name[field].GetOptions()
    return int(options.Extensions[validate_pb2.field].bytes.max_len)


def acts() -> list[str]:
    return [field.name for field in v1.LogRecord.DESCRIPTOR.oneofs_by_name["act"].fields]


def test_the_largest_entry_has_room() -> None:
    assert len(entry()) <= room(v1.SubjectLogEntry, "entry") == 256


@pytest.mark.parametrize("act", acts())
def test_the_largest_record_of_each_act_has_room(act: str) -> None:
    made = opening(act)
    assert len(made.record) <= room(v1.LogOpening, "record")
    validate(made)


def test_the_exchange_erases_no_more_at_once_than_a_record_may_name() -> None:
    field = v1.Erasure.DESCRIPTOR.fields_by_name["record_ids"].GetOptions()
    assert field.Extensions[validate_pb2.field].repeated.max_items >= AT_ONCE


@pytest.mark.parametrize("act", acts())
def test_the_largest_receipt_is_lawful_and_fits_its_file(act: str) -> None:
    made = v1.LogReceipt(
        entry=entry(),
        opening=opening(act),
        index=2**63 - 2,
        proof=[DIGEST] * 63,
        checkpoint=note(),
    )
    validate(made)
    raw = dump_receipt(made)
    assert len(raw) <= receipt_file.MAX_BYTES
    assert parse_receipt(raw) == made


def test_a_page_of_the_largest_entries_is_lawful_and_fits_a_message() -> None:
    link = v1.LogLink(salt=DIGEST, sequence=2**64 - 1, previous=DIGEST)
    sizes = []
    for act in SUBJECTS:
        shown = v1.SubjectLogEntry(
            entry=entry(), opening=opening(act), link=link, index=2**63 - 2, proof=[DIGEST] * 63
        )
        page = v1.ListAccessesResponse(
            history=Federation().subject().binding,
            checkpoint=note(),
            entries=[shown] * PAGE,
            more=True,
        )
        validate(page)
        sizes.append(page.ByteSize())
    assert max(sizes) < MAX_MESSAGE_BYTES  # a client takes four times that


def test_every_kind_of_entry_has_its_act_and_every_act_a_kind() -> None:
    kinds = set(LogEntryKind.values()) - {LogEntryKind.LOG_ENTRY_KIND_UNSPECIFIED}
    assert set(receipt._ACTS) == kinds
    assert set(receipt._ACTS.values()) == set(acts())


def test_what_is_beyond_a_bound_is_refused() -> None:
    for act, bend in (
        ("intent", lambda record: record.intent.providers.append(NAME)),
        ("release", lambda record: record.release.categories.__setitem__(0, 99)),
        ("erasure", lambda record: record.erasure.record_ids.append(ID)),
        ("refusal", lambda record: setattr(record.refusal, "reason", 9999)),
    ):
        record = largest(act)
        bend(record)
        with pytest.raises(StatementMalformedError):
            validate(record)
