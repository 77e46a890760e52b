"""A receipt proves one act and no other: whatever is swapped, bent or left out, it is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.statements import digest_of
from concordat.trust import merkle
from concordat.trust.checkpoint import Checkpoint, sign_checkpoint
from concordat.trust.commitment import commitment_of, record_commitment
from concordat.trust.envelope import Verified
from concordat.v1 import LogEntryKind, Reason
from concordat.verify.receipt import open_receipt, require_intent_of, require_release_of
from concordat.verify.request import open_view_request
from tests.builders import AT, DAY, LENDER, Federation, Granted, signer
from tests.receipt_builders import intent_record, receipt_of

INTENT = LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT
RELEASE = LogEntryKind.LOG_ENTRY_KIND_ACCESS_RELEASE
REFUSAL = LogEntryKind.LOG_ENTRY_KIND_ACCESS_REFUSAL


@pytest.fixture(scope="module")
def fed() -> Federation:
    fed = Federation()
    fed.enrol("rivals", v1.Role.ROLE_LENDER)
    return fed


@pytest.fixture(scope="module")
def granted(fed: Federation) -> Granted:
    return fed.consent(fed.subject())


@pytest.fixture(scope="module")
def request_(fed: Federation, granted: Granted) -> v1.Envelope:
    return fed.view_request(granted)


@pytest.fixture
def receipt(fed: Federation, granted: Granted, request_: v1.Envelope) -> v1.LogReceipt:
    return fed.intent(granted, request_)


def opened(fed: Federation, request: v1.Envelope, lender: str = LENDER) -> Verified[v1.ViewRequest]:
    return open_view_request(request, fed.member(lender), fed.anchors, AT)


def require_refused(fed: Federation, receipt: v1.LogReceipt) -> str:
    with pytest.raises(Refusal) as failure:
        open_receipt(receipt, fed.anchors)
    assert failure.value.reason == Reason.REASON_ACCESS_NOT_LOGGED
    return str(failure.value)


def test_a_lawful_receipt_opens_and_is_of_its_request(
    fed: Federation, receipt: v1.LogReceipt, request_: v1.Envelope
) -> None:
    logged = open_receipt(receipt, fed.anchors)
    assert (logged.index, logged.checkpoint.size) == (2, 4)
    intent = require_intent_of(logged, opened(fed, request_))
    assert intent.request_digest == digest_of(request_)


# Another log ------------------------------------------------------------------------------------


def test_another_logs_key_or_name_is_refused(
    fed: Federation, granted: Granted, request_: v1.Envelope
) -> None:
    require_refused(fed, fed.intent(granted, request_, log=signer("mallory")))
    record = intent_record(request_, granted.consent, new_id(), AT)
    other = receipt_of(record, INTENT, origin="other.concordat/log", log=signer("log"), at=AT)
    require_refused(fed, other)


def test_a_checkpoint_that_the_log_did_not_sign_is_refused(
    fed: Federation, receipt: v1.LogReceipt
) -> None:
    text, _, signature = receipt.checkpoint.partition(b"\n\n")
    for bent in (b"", text + b"\n", text + b"\n\n", signature, receipt.checkpoint[:-1]):
        receipt.checkpoint = bent
        require_refused(fed, receipt)


def test_every_flipped_bit_is_refused(fed: Federation, receipt: v1.LogReceipt) -> None:
    """Of the entry, the opening, the proof, the place and the checkpoint."""

    def bent(value: bytes) -> list[bytes]:
        return [
            value[: bit // 8] + bytes([value[bit // 8] ^ 1 << bit % 8]) + value[bit // 8 + 1 :]
            for bit in range(len(value) * 8)
        ]

    def each(path: str, value: bytes) -> None:
        copy = v1.LogReceipt.FromString(receipt.SerializeToString())
        target: Any = copy.opening if path.startswith("opening.") else copy
        setattr(target, path.removeprefix("opening."), value)
        require_refused(fed, copy)

    for value in bent(receipt.entry):
        each("entry", value)
    for name in ("record", "salt", "link_commitment"):
        for value in bent(getattr(receipt.opening, name))[::3]:
            each(f"opening.{name}", value)
    for value in bent(receipt.checkpoint):
        each("checkpoint", value)
    for place, node in enumerate(receipt.proof):
        for value in bent(node)[::5]:
            copy = v1.LogReceipt.FromString(receipt.SerializeToString())
            copy.proof[place] = value
            require_refused(fed, copy)
    for index in (0, 1, 3, 4, 1 << 40):
        copy = v1.LogReceipt.FromString(receipt.SerializeToString())
        copy.index = index
        require_refused(fed, copy)


# Another entry ----------------------------------------------------------------------------------


def swap_proof(mine: v1.LogReceipt, other: v1.LogReceipt) -> None:
    del mine.proof[:]
    mine.proof.extend(other.proof)


def swap_entry(mine: v1.LogReceipt, other: v1.LogReceipt) -> None:
    mine.entry = other.entry


def swap_tree(mine: v1.LogReceipt, other: v1.LogReceipt) -> None:
    swap_proof(mine, other)
    mine.checkpoint, mine.index = other.checkpoint, other.index


def swap_opening(mine: v1.LogReceipt, other: v1.LogReceipt) -> None:
    mine.opening.CopyFrom(other.opening)


def swap_record(mine: v1.LogReceipt, other: v1.LogReceipt) -> None:
    mine.opening.record = other.opening.record


def swap_record_and_salt(mine: v1.LogReceipt, other: v1.LogReceipt) -> None:
    mine.opening.record, mine.opening.salt = other.opening.record, other.opening.salt


@pytest.mark.parametrize(
    "swap",
    [swap_entry, swap_tree, swap_opening, swap_record, swap_record_and_salt],
)
def test_parts_of_another_receipt_of_the_same_log_do_not_fit(
    fed: Federation,
    granted: Granted,
    receipt: v1.LogReceipt,
    swap: Callable[[v1.LogReceipt, v1.LogReceipt], None],
) -> None:
    other = fed.intent(granted, fed.view_request(granted))
    open_receipt(other, fed.anchors)
    swap(receipt, other)
    require_refused(fed, receipt)


def test_a_proof_of_another_place_of_the_same_tree_does_not_fit(
    fed: Federation, receipt: v1.LogReceipt
) -> None:
    proof = list(receipt.proof)
    for bent in ([], proof[:1], proof[::-1], [*proof, proof[0]], [proof[0], proof[0]]):
        del receipt.proof[:]
        receipt.proof.extend(bent)
        require_refused(fed, receipt)


def test_an_inner_node_is_no_entry(fed: Federation, receipt: v1.LogReceipt) -> None:
    """The last two leaves' hashes, shown as the bytes of an entry of a smaller tree."""
    receipt.entry = merkle.leaf_hash(receipt.entry) + receipt.proof[0]
    del receipt.proof[:1]
    receipt.index = 1
    require_refused(fed, receipt)


def test_without_an_opening_nobody_knows_of_what_act_it_is(
    fed: Federation, receipt: v1.LogReceipt
) -> None:
    receipt.ClearField("opening")
    assert "does not open" in require_refused(fed, receipt)
    receipt.opening.SetInParent()
    require_refused(fed, receipt)


def test_one_entry_does_not_open_in_two_ways(fed: Federation) -> None:
    """Bytes moved between salt and record leave what is hashed as it is: both have their lengths."""
    hidden = intent_of("hidden")
    shown = b"\n\x10" + hidden.record_id  # the record's own beginning, or a salt's end
    serialised = hidden.SerializeToString(deterministic=True)
    assert serialised.startswith(shown)
    salt = bytes(32)
    receipt = sealed(salt, serialised, hidden.record_id)
    open_receipt(receipt, fed.anchors)
    for cut in (-16, -1, 1, 18):
        joined = salt + serialised
        at = len(salt) + cut
        receipt.opening.salt, receipt.opening.record = joined[:at], joined[at:]
        require_refused(fed, receipt)
    # What is left after the cut is a lawful record of its own: only the length of the salt tells.
    receipt = sealed(salt, b"\0" * 9 + serialised, hidden.record_id)
    receipt.opening.salt, receipt.opening.record = salt + b"\0" * 9, serialised
    assert "salt" in require_refused(fed, receipt)


def intent_of(name: str) -> v1.LogRecord:
    fed = Federation()
    granted = fed.consent(fed.subject(name))
    return intent_record(fed.view_request(granted), granted.consent, new_id(), AT)


def sealed(salt: bytes, record: bytes, record_id: bytes) -> v1.LogReceipt:
    """Return the receipt of a log that holds nothing but this."""
    link = bytes(32)
    entry = v1.LogEntry(
        kind=INTENT,
        logged_at=to_timestamp(AT),
        record_id=record_id,
        commitment=commitment_of(record_commitment(record, salt), link),
    ).SerializeToString(deterministic=True)
    root = merkle.leaf_hash(entry)
    note = sign_checkpoint(Checkpoint(Federation().anchors.log.name, 1, root), signer("log"))
    opening = v1.LogOpening(record=record, salt=salt, link_commitment=link)
    return v1.LogReceipt(entry=entry, opening=opening, checkpoint=note)


@pytest.mark.parametrize("record", [b"", b"\xff\xff", b"\x0a\x01x", b"\xa2\x06\x00"])
def test_an_opening_that_is_no_record_is_refused(fed: Federation, record: bytes) -> None:
    require_refused(fed, sealed(bytes(32), record, bytes(16)))


def test_a_record_under_another_entrys_id_is_refused(fed: Federation) -> None:
    record = intent_of("ada").SerializeToString(deterministic=True)
    assert "not of its entry" in require_refused(fed, sealed(bytes(32), record, new_id()))


# Another act ------------------------------------------------------------------------------------


def other_request(fed: Federation, granted: Granted) -> tuple[v1.Envelope, str]:
    return fed.view_request(granted), LENDER


def other_lender(fed: Federation, granted: Granted) -> tuple[v1.Envelope, str]:
    return fed.view_request(granted, lender="rivals"), "rivals"


def other_subject(fed: Federation, _granted: Granted) -> tuple[v1.Envelope, str]:
    return fed.view_request(fed.consent(fed.subject("bob"))), LENDER


@pytest.mark.parametrize("other", [other_request, other_lender, other_subject])
def test_an_intent_for_one_access_is_none_for_another(
    fed: Federation,
    granted: Granted,
    receipt: v1.LogReceipt,
    other: Callable[[Federation, Granted], tuple[v1.Envelope, str]],
) -> None:
    logged = open_receipt(receipt, fed.anchors)
    request, lender = other(fed, granted)
    with pytest.raises(Refusal) as failure:
        require_intent_of(logged, opened(fed, request, lender))
    assert failure.value.reason == Reason.REASON_ACCESS_NOT_LOGGED


@pytest.mark.parametrize("field", ["lender", "subject_ref"])
def test_an_intent_with_the_right_digest_and_another_party_is_refused(
    fed: Federation, granted: Granted, request_: v1.Envelope, field: str
) -> None:
    record = intent_record(request_, granted.consent, new_id(), AT)
    if field == "lender":
        record.intent.lender = "rivals"
    else:
        record.subject_ref = fed.subject("bob").ref
    logged = open_receipt(fed.receipt(record, INTENT), fed.anchors)
    with pytest.raises(Refusal):
        require_intent_of(logged, opened(fed, request_))


def release_of(request: v1.Envelope, granted: Granted, access_id: bytes) -> v1.LogRecord:
    return v1.LogRecord(
        record_id=new_id(),
        recorded_at=to_timestamp(AT),
        subject_ref=granted.person.ref,
        release=v1.AccessRelease(
            access_id=access_id,
            lender=LENDER,
            view_digest=digest_of(request),
            result=v1.ReleaseResult.RELEASE_RESULT_COMPLETE,
        ),
    )


def refusal_of(request: v1.Envelope, granted: Granted) -> v1.LogRecord:
    return v1.LogRecord(
        record_id=new_id(),
        recorded_at=to_timestamp(AT),
        subject_ref=granted.person.ref,
        refusal=v1.AccessRefusal(
            lender=LENDER,
            request_digest=digest_of(request),
            reason=Reason.REASON_CONSENT_REVOKED,
        ),
    )


def test_a_release_or_a_refusal_is_no_intent(
    fed: Federation, granted: Granted, request_: v1.Envelope
) -> None:
    for record, kind in (
        (release_of(request_, granted, new_id()), RELEASE),
        (refusal_of(request_, granted), REFUSAL),
    ):
        logged = open_receipt(fed.receipt(record, kind), fed.anchors)
        with pytest.raises(Refusal, match="another kind"):
            require_intent_of(logged, opened(fed, request_))
        require_refused(fed, fed.receipt(record, INTENT))  # nor under the kind of one


def test_an_intent_is_no_release(fed: Federation, receipt: v1.LogReceipt) -> None:
    logged = open_receipt(receipt, fed.anchors)
    view: Any = None
    with pytest.raises(Refusal, match="another kind"):
        require_release_of(logged, view)


def test_a_kind_that_there_is_not_is_refused(
    fed: Federation, granted: Granted, request_: v1.Envelope
) -> None:
    record = intent_record(request_, granted.consent, new_id(), AT - DAY)
    for kind in (LogEntryKind.LOG_ENTRY_KIND_UNSPECIFIED, 99):
        require_refused(fed, fed.receipt(record, kind))  # type: ignore[arg-type] # an int is what it is
