"""No entry, no answer: a provider asks the exchange's log for proof of each access, and keeps it."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from concordat import v1
from concordat.ids import new_id
from concordat.statements import digest_of
from concordat.trust.checkpoint import Checkpoint, sign_checkpoint
from concordat.trust.note import SignedNote
from concordat.v1 import LogEntryKind
from concordat.verify.receipt import open_receipt
from provider.tables import ACCESS
from tests.builders import AT, Federation, Granted, signer
from tests.receipt_builders import intent_record, receipt_of
from tests.unit.provider.conftest import Bench, reasons

Bend = Callable[[Federation, Granted, v1.ScoreRequest], None]


def kept(bench: Bench) -> list[bytes | None]:
    """Return the receipts in the journal."""
    return bench.store.run(lambda c: list(c.execute(select(ACCESS.c.receipt)).scalars()))


def missing(_fed: Federation, _granted: Granted, ask: v1.ScoreRequest) -> None:
    ask.ClearField("intent")


def empty(_fed: Federation, _granted: Granted, ask: v1.ScoreRequest) -> None:
    ask.intent.CopyFrom(v1.LogReceipt())


def unopened(_fed: Federation, _granted: Granted, ask: v1.ScoreRequest) -> None:
    ask.intent.ClearField("opening")


def of_another_request(fed: Federation, granted: Granted, ask: v1.ScoreRequest) -> None:
    ask.intent.CopyFrom(fed.intent(granted, fed.view_request(granted)))


def of_another_person(fed: Federation, _granted: Granted, ask: v1.ScoreRequest) -> None:
    other = fed.consent(fed.subject("bob"))
    ask.intent.CopyFrom(fed.intent(other, fed.view_request(other)))


def of_another_key(fed: Federation, granted: Granted, ask: v1.ScoreRequest) -> None:
    ask.intent.CopyFrom(fed.intent(granted, ask.view_request, log=signer("mallory")))


def of_another_log(_fed: Federation, granted: Granted, ask: v1.ScoreRequest) -> None:
    record = intent_record(ask.view_request, granted.consent, new_id(), AT)
    kind = LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT
    ask.intent.CopyFrom(
        receipt_of(record, kind, origin="other.concordat/log", log=signer("log"), at=AT)
    )


def of_a_fork(fed: Federation, granted: Granted, ask: v1.ScoreRequest) -> None:
    """The log's own signature, on a tree that does not hold the entry."""
    other = fed.intent(granted, fed.view_request(granted))
    ask.intent.checkpoint = other.checkpoint


def of_a_smaller_tree(_fed: Federation, _granted: Granted, ask: v1.ScoreRequest) -> None:
    checkpoint = Checkpoint.parse(SignedNote.parse(ask.intent.checkpoint).text)
    smaller = Checkpoint(checkpoint.origin, 2, checkpoint.root)
    ask.intent.checkpoint = sign_checkpoint(smaller, signer("log"))


def of_a_refusal(fed: Federation, granted: Granted, ask: v1.ScoreRequest) -> None:
    record = intent_record(ask.view_request, granted.consent, new_id(), AT)
    digest = record.intent.request_digest
    record.refusal.CopyFrom(
        v1.AccessRefusal(
            lender=granted.consent.recipient,
            request_digest=digest,
            reason=v1.Reason.REASON_CONSENT_REVOKED,
        )
    )
    kind = LogEntryKind.LOG_ENTRY_KIND_ACCESS_REFUSAL
    ask.intent.CopyFrom(fed.receipt(record, kind))


BENDS: list[Bend] = [
    missing,
    empty,
    unopened,
    of_another_request,
    of_another_person,
    of_another_key,
    of_another_log,
    of_a_fork,
    of_a_smaller_tree,
    of_a_refusal,
]


@pytest.mark.parametrize("bend", BENDS)
def test_an_access_that_is_not_proved_to_be_logged_is_refused(bench: Bench, bend: Bend) -> None:
    fed = bench.federation
    person = fed.subject()
    bench.put(person)
    granted = fed.consent(person)
    ask = fed.score_request(granted)
    bend(fed, granted, ask)
    assert reasons(bench.answer(ask)) == ["ACCESS_NOT_LOGGED"]
    assert kept(bench) == [None], "what proves nothing is not kept as proof"


def test_the_receipt_of_an_answered_access_is_kept_and_still_proves_it(bench: Bench) -> None:
    fed = bench.federation
    person = fed.subject()
    bench.put(person)
    ask = fed.score_request(fed.consent(person))
    assert reasons(bench.answer(ask)) == [""]
    (receipt,) = kept(bench)
    assert receipt is not None
    found = v1.LogReceipt.FromString(receipt)
    assert found == ask.intent
    logged = open_receipt(found, fed.anchors)
    assert logged.record.intent.request_digest == digest_of(ask.view_request)


def test_what_is_refused_for_a_reason_of_the_providers_own_keeps_its_receipt_too(
    bench: Bench,
) -> None:
    """The subject revoked here; the exchange let the request in all the same, and that is provable."""
    fed = bench.federation
    granted = fed.consent(fed.subject())
    bench.notify(granted, v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE)
    ask = fed.score_request(granted)
    assert reasons(bench.answer(ask)) == ["CONSENT_REVOKED"]
    (receipt,) = kept(bench)
    assert receipt == ask.intent.SerializeToString(deterministic=True)


def test_one_unproved_access_of_a_batch_is_refused_alone(bench: Bench) -> None:
    fed = bench.federation
    people = [fed.subject(f"p{n}") for n in range(3)]
    for person in people:
        bench.put(person)
    asks = [fed.score_request(fed.consent(person)) for person in people]
    asks[1].intent.CopyFrom(asks[0].intent)
    assert reasons(bench.answer(*asks)) == ["", "ACCESS_NOT_LOGGED", ""]
