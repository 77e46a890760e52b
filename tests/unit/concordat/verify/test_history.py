"""Whatever an exchange leaves out, moves or changes of what it shows a person is found out, and provable."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from concordat import v1
from concordat.clock import MAX_SKEW, to_timestamp
from concordat.statements import seal
from concordat.trust.checkpoint import Checkpoint, sign_checkpoint
from concordat.trust.commitment import NO_ENTRY, record_commitment
from concordat.trust.envelope import open_envelope
from concordat.v1 import LogEntryKind, Reason
from concordat.verify.history import Chain, HistoryBrokenError, Kept
from exchange.log import erasure
from tests.builders import AT, DAY, EXCHANGE, LENDER, Federation, signer
from tests.history_builders import (
    HistoryHouse,
    SmallLog,
    Told,
    drafts,
    fit,
    follow,
    intent,
    proves_omission,
    refusal,
    retell,
    with_entries,
)

Entries = list[v1.SubjectLogEntry]
ACTED = 5  # entries of one ``act``


@pytest.fixture(scope="module")
def house() -> Iterator[HistoryHouse]:
    """Ada and Bob each gave a consent, were looked at, and were asked for in vain."""
    house = HistoryHouse()
    for person in (house.ada, house.bob, house.ada):
        house.act(person)
    yield house
    house.close()


@pytest.fixture
def fed() -> Federation:
    return Federation()


@pytest.fixture
def log(fed: Federation) -> SmallLog:
    """Six entries about Ada among others."""
    log = SmallLog(fed)
    for draft in drafts(fed, fed.subject("ada"), 6):
        log.fill()
        log.add(draft)
    log.fill()
    return log


def broken(read: Callable[[], object], match: str | None = None) -> HistoryBrokenError:
    with pytest.raises(HistoryBrokenError, match=match) as failure:
        read()
    return failure.value


def read(fed: Federation, *pages: Told, kept: Kept | None = None) -> Chain:
    chain = follow(fed, fed.subject("ada"), pages, kept)
    chain.require_complete()
    return chain


def kept_of(fed: Federation, log: SmallLog) -> Kept:
    return read(fed, log.tell(fed.subject("ada"))).pages[-1].kept


def reasons(chain: Chain) -> list[Reason.ValueType]:
    return [
        entry.record.refusal.reason
        for entry in chain.entries
        if entry.record is not None and entry.record.WhichOneof("act") == "refusal"
    ]


# What an honest exchange shows ------------------------------------------------------------------


def test_a_person_sees_every_access_by_whom_for_what_and_the_refused_attempts(
    house: HistoryHouse,
) -> None:
    chain = house.read(house.ask())
    kinds = [LogEntryKind.Name(entry.entry.kind)[15:] for entry in chain.entries]
    acted = ["CONSENT", "ACCESS_INTENT", "ACCESS_RELEASE", "ACCESS_REFUSAL", "ACCESS_REFUSAL"]
    assert kinds == [*acted, *acted]
    assert [entry.sequence for entry in chain.entries] == list(range(1, 2 * ACTED + 1))
    assert reasons(chain)[:2] == [
        Reason.REASON_CONSENT_EXHAUSTED,
        Reason.REASON_CONSENT_MISMATCH,
    ]
    asked, released = chain.entries[1].record, chain.entries[2].record
    assert asked is not None
    assert released is not None
    assert (asked.intent.lender, asked.intent.purpose) == (
        LENDER,
        v1.Purpose.PURPOSE_CREDIT_APPLICATION,
    )
    assert list(released.release.categories) == [v1.DataCategory.DATA_CATEGORY_SCORE]
    assert released.release.access_id == asked.record_id


def test_a_person_of_whom_nothing_is_logged_sees_that_there_is_nothing(
    house: HistoryHouse,
) -> None:
    stranger = house.federation.subject("carol")
    chain = house.read(house.ask(stranger), person=stranger)
    assert chain.entries == []
    assert chain.pages[-1].history.head == NO_ENTRY
    lie = retell(house.ask(stranger), head=b"\x01" * 32)
    broken(lambda: house.read(lie, person=stranger), "signs that there are 0 entries")


def test_the_lenders_receipts_are_among_the_entries() -> None:
    house = HistoryHouse()
    try:
        _, view = house.act()
        assert house.read(house.ask()).require_includes([view.intent, view.release]) == 2
    finally:
        house.close()


def test_erased_entries_stay_in_the_chain_and_say_nothing() -> None:
    house = HistoryHouse()
    try:
        house.act()
        kept = house.read(house.ask()).pages[-1].kept
        later = house.federation.at + 10 * DAY
        erased = house.desk.store.run(lambda c: erasure.erase_expired(c, later, 5))
        assert erased == ACTED
        house.settle()
        told = house.ask()
        assert not any(entry.HasField("opening") for entry in told.answer.entries)
        chain = house.read(told, kept=kept)
        assert [entry.record for entry in chain.entries] == [None] * ACTED
    finally:
        house.close()


def test_an_entry_that_was_erased_may_stand_between_others(fed: Federation, log: SmallLog) -> None:
    ada = fed.subject("ada")
    log.erase(ada, 3)
    chain = read(fed, log.tell(ada), kept=kept_of(fed, log))
    assert [entry.record is None for entry in chain.entries] == [False, False, True] + 3 * [False]


def test_an_entry_is_not_erased_under_the_erasure_of_another(
    fed: Federation, log: SmallLog
) -> None:
    ada = fed.subject("ada")
    log.erase(ada, 3)
    told = log.tell(ada)
    third, fourth = told.answer.entries[2:4]
    fourth.record_commitment = record_commitment(fourth.opening.record, fourth.opening.salt)
    fourth.ClearField("opening")
    for claimed in (third.erased_under, b"", bytes(16)):
        fourth.erased_under = claimed
        with pytest.raises(HistoryBrokenError, match="no erasure of it"):
            read(fed, told)


def test_an_erasure_that_is_not_in_the_log_erases_nothing(fed: Federation, log: SmallLog) -> None:
    ada = fed.subject("ada")
    log.erase(ada, 3)
    told = log.tell(ada)
    told.answer.erasures[0].proof[0] = bytes(32)
    with pytest.raises(HistoryBrokenError):
        read(fed, told)
    told = log.tell(ada)
    told.answer.ClearField("erasures")
    with pytest.raises(HistoryBrokenError, match="no erasure of it"):
        read(fed, told)


# One entry left out, moved or changed ---------------------------------------------------------------


def _swap(entries: Entries, _bob: Entries) -> None:
    entries[1], entries[2] = entries[2], entries[1]


def _move(entries: Entries, _bob: Entries) -> None:
    entries.append(entries.pop(1))


def _replace(entries: Entries, bob: Entries) -> None:
    entries[2] = bob[2]


def _graft(entries: Entries, bob: Entries) -> None:
    """Show Bob's entry under the link of the one it stands for."""
    grafted = v1.SubjectLogEntry()
    grafted.CopyFrom(bob[2])
    grafted.link.CopyFrom(entries[2].link)
    entries[2] = grafted


def _change_record(entries: Entries, _bob: Entries) -> None:
    record = v1.LogRecord.FromString(entries[1].opening.record)
    record.intent.lender = "somebody-else"
    entries[1].opening.record = record.SerializeToString(deterministic=True)


def _another_record(entries: Entries, _bob: Entries) -> None:
    entries[1].opening.CopyFrom(entries[2].opening)


def _move_salt(entries: Entries, _bob: Entries) -> None:
    """Cut salt and record in another place: the same bytes are hashed."""
    opening = entries[1].opening
    opening.salt, opening.record = (
        opening.salt + opening.record[:1],
        opening.record[1:],
    )


def _pretend_erased(entries: Entries, _bob: Entries) -> None:
    entries[3].record_commitment = record_commitment(entries[3].opening.record, bytes(32))
    entries[3].ClearField("opening")


def _withhold_truly(entries: Entries, _bob: Entries) -> None:
    opening = entries[3].opening
    entries[3].record_commitment = record_commitment(opening.record, opening.salt)
    entries[3].ClearField("opening")


def _withhold(entries: Entries, _bob: Entries) -> None:
    entries[3].ClearField("opening")


def _other_entry(entries: Entries, _bob: Entries) -> None:
    entry = v1.LogEntry.FromString(entries[2].entry)
    entry.kind = LogEntryKind.LOG_ENTRY_KIND_ACCESS_REFUSAL
    entries[2].entry = entry.SerializeToString(deterministic=True)


def _other_field(path: str, value: Any) -> Callable[[Entries, Entries], None]:
    def bend(entries: Entries, _bob: Entries) -> None:
        *parents, name = path.split(".")
        target: Any = entries[2]
        for parent in parents:
            target = getattr(target, parent)
        setattr(target, name, value)

    return bend


def _proof(change: Callable[[list[bytes], Entries], Sequence[bytes]]) -> Any:
    def bend(entries: Entries, _bob: Entries) -> None:
        entries[2].proof[:] = change(list(entries[2].proof), entries)

    return bend


BENDS: dict[str, Callable[[Entries, Entries], object]] = {
    "left out in the middle": lambda entries, _: entries.pop(4),
    "left out at the start": lambda entries, _: entries.pop(0),
    "two left out": lambda entries, _: (entries.pop(1), entries.pop(1)),
    "two swapped": _swap,
    "one repeated": lambda entries, _: entries.insert(3, entries[2]),
    "the last repeated": lambda entries, _: entries.append(entries[-1]),
    "one moved": _move,
    "in another order": lambda entries, _: entries.reverse(),
    "replaced by somebody else's": _replace,
    "somebody else's under this link": _graft,
    "somebody else's list": lambda entries, bob: entries.__setitem__(slice(None), bob),
    "record changed": _change_record,
    "record of another entry": _another_record,
    "salt changed": _other_field("opening.salt", bytes(32)),
    "salt cut short": _other_field("opening.salt", bytes(31)),
    "salt and record cut in another place": _move_salt,
    "no salt": _other_field("opening.salt", b""),
    "link's salt changed": _other_field("link.salt", bytes(32)),
    "link's salt too long": _other_field("link.salt", bytes(40)),
    "sequence changed": _other_field("link.sequence", 4),
    "sequence out of all bounds": _other_field("link.sequence", 2**64 - 1),
    "predecessor changed": _other_field("link.previous", bytes(32)),
    "erasure pretended": _pretend_erased,
    "record withheld, its commitment true": _withhold_truly,
    "record withheld": _withhold,
    "entry changed": _other_entry,
    "entry is no entry": _other_field("entry", b"\xff\xff"),
    "entry empty": _other_field("entry", b""),
    "index changed": _other_field("index", 0),
    "index outside the log": _other_field("index", 2**64 - 1),
    "proof of another index": _proof(lambda _, entries: entries[3].proof),
    "proof cut short": _proof(lambda proof, _: proof[:-1]),
    "proof too long": _proof(lambda proof, _: [*proof, bytes(32)]),
    "proof of hashes cut in another place": _proof(
        lambda proof, _: [proof[0] + proof[1][:1], proof[1][1:], *proof[2:]]
    ),
    "no proof": _proof(lambda _, __: []),
}


@pytest.mark.parametrize("signed_anew", [False, True], ids=["signed as it was", "signed anew"])
@pytest.mark.parametrize("bend", BENDS.values(), ids=BENDS)
def test_a_list_that_is_not_the_chain_does_not_hold(
    house: HistoryHouse, bend: Callable[[Entries, Entries], object], signed_anew: bool
) -> None:
    told = house.ask()
    entries, bob = list(told.answer.entries), list(house.ask(house.bob).answer.entries)
    bend(entries, bob)
    bent = with_entries(told, entries)
    if signed_anew:
        ends = v1.LogEntry()
        if entries[-1].entry not in (b"", b"\xff\xff"):
            ends = v1.LogEntry.FromString(entries[-1].entry)
        bent = retell(bent, length=len(entries), head=ends.commitment)
    error = broken(lambda: house.read(bent))
    assert error.history == bent.answer.history
    assert error.checkpoint == bent.answer.checkpoint
    assert error.pages == (bent.answer,)


def test_one_left_off_the_end_contradicts_what_the_exchange_signs(house: HistoryHouse) -> None:
    told = house.ask()
    bent = with_entries(told, list(told.answer.entries)[:-1])
    error = broken(lambda: house.read(bent), "signs that there are 10 entries about you, and shows")
    keys = house.federation.member(EXCHANGE).keys
    signed = open_envelope(error.history, v1.AccessHistory, keys, house.federation.at)
    assert signed.message.length == 2 * ACTED


@pytest.mark.parametrize("field", ["length", "head"])
def test_an_end_that_is_signed_wrong_does_not_hold(house: HistoryHouse, field: str) -> None:
    told = house.ask()
    values: dict[str, tuple[Any, ...]] = {
        "length": (0, 9, 11, 2**64 - 1),
        "head": (NO_ENTRY, b"\x01" * 32),
    }
    for value in values[field]:
        bent = retell(told, **{field: value})
        broken(lambda bent=bent: house.read(bent))  # type: ignore[misc]  # bound now


def test_entries_of_another_person_do_not_hold_even_where_the_exchange_says_that_they_are_mine(
    fed: Federation,
) -> None:
    # The whole chain and its history are well made; the records name Bob.
    log, ada, bob = SmallLog(fed), fed.subject("ada"), fed.subject("bob")
    log.add(*drafts(fed, bob, 3))
    log.shown[ada.ref] = log.shown[bob.ref]
    broken(lambda: read(fed, log.tell(ada)), "about somebody else")


def test_an_entry_whose_record_is_of_another_kind_does_not_hold(fed: Federation) -> None:
    log, ada = SmallLog(fed), fed.subject("ada")
    (consent, attempt) = drafts(fed, ada, 2)
    kind = LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT
    log.add(consent, type(attempt)(attempt.record_id, kind, ada.ref, attempt.record))
    broken(lambda: read(fed, log.tell(ada)), "not of its entry")


def test_an_entry_of_a_time_that_nobody_can_read_does_not_hold(fed: Federation) -> None:
    log, ada = SmallLog(fed), fed.subject("ada")
    log.add(*drafts(fed, ada, 1))
    entry = v1.LogEntry.FromString(log.leaves[0])
    entry.logged_at.seconds = 2**60
    log.leaves[0] = log.shown[ada.ref][0].entry = entry.SerializeToString(deterministic=True)
    broken(lambda: read(fed, log.tell(ada)), "outside the years")


def test_entries_that_stand_in_the_log_in_another_order_do_not_hold(fed: Federation) -> None:
    log, ada = SmallLog(fed), fed.subject("ada")
    log.add(*drafts(fed, ada, 3))
    log.leaves.reverse()
    for entry in log.shown[ada.ref]:
        entry.index = 2 - entry.index
    broken(lambda: read(fed, log.tell(ada)), "out of order")


def test_an_entry_that_was_made_to_follow_one_that_is_not_shown_does_not_hold(
    fed: Federation,
) -> None:
    log, ada = SmallLog(fed), fed.subject("ada")
    first, hidden, second = drafts(fed, ada, 3)
    log.add(first)
    fork = log.fork()
    fork.add(hidden)
    commitment = v1.LogEntry.FromString(fork.leaves[-1]).commitment
    log.leaves.append(fork.leaves[-1])
    log.add(second, follows=commitment)  # numbered as if there were none between
    broken(lambda: read(fed, log.tell(ada)), "entry 2 about you is missing")


def test_a_record_that_could_be_read_from_a_later_byte_on_is_read_as_it_was_made(
    fed: Federation,
) -> None:
    # Both are lawful records, and with the first bytes in the salt both would give one commitment.
    log, ada = SmallLog(fed), fed.subject("ada")
    draft = intent(fed, fed.consent(ada))
    ahead = v1.LogRecord(intent=v1.AccessIntent(providers=["left-out"])).SerializeToString()
    log.add(type(draft)(draft.record_id, draft.kind, ada.ref, ahead + draft.record))
    (whole,) = read(fed, log.tell(ada)).entries
    assert whole.record is not None
    assert whole.record.intent.providers[0] == "left-out"
    opening = log.shown[ada.ref][0].opening
    opening.salt, opening.record = opening.salt + ahead, draft.record
    broken(lambda: read(fed, log.tell(ada)), "not 32 bytes long")


# What the list rests on -----------------------------------------------------------------------------


def test_a_checkpoint_that_the_log_did_not_sign_does_not_hold(house: HistoryHouse) -> None:
    told = house.ask()
    history = told.history
    checkpoint = Checkpoint(house.federation.anchors.log.name, history.log_size, history.log_root)
    for note in (b"", b"no note", sign_checkpoint(checkpoint, signer(EXCHANGE))):
        answer = v1.ListAccessesResponse()
        answer.CopyFrom(told.answer)
        answer.checkpoint = note
        error = broken(lambda: house.read(Told(told.request, answer)))  # noqa: B023 - called here
        assert error.checkpoint == note


def test_a_history_that_speaks_of_another_log_than_its_checkpoint_does_not_hold(
    house: HistoryHouse,
) -> None:
    told = house.ask()
    bent: tuple[dict[str, Any], ...] = ({"log_size": 3}, {"log_root": bytes(32)})
    for fields in bent:
        lie = retell(told, **fields)
        broken(lambda lie=lie: house.read(lie), "another log")  # type: ignore[misc]  # bound now


def test_a_history_that_somebody_else_signed_does_not_hold(house: HistoryHouse) -> None:
    broken(lambda: house.read(retell(house.ask(), signed_by=LENDER)), "SIGNATURE_INVALID")


def test_a_history_of_another_kind_federation_or_person_does_not_hold(house: HistoryHouse) -> None:
    told = house.ask()
    broken(lambda: house.read(retell(told, federation="other.concordat")), "WRONG_FEDERATION")
    broken(lambda: house.read(retell(told, subject_ref=house.bob.ref)), "another request")
    unsigned = v1.ListAccessesResponse(checkpoint=told.answer.checkpoint)
    broken(lambda: house.read(Told(told.request, unsigned)), "type")
    unsigned.history.CopyFrom(house.ada.binding)
    broken(lambda: house.read(Told(told.request, unsigned)), "type")


def test_the_answer_to_an_earlier_request_does_not_hold(house: HistoryHouse) -> None:
    old = house.ask()
    broken(lambda: house.read(Told(house.ask().request, old.answer)), "another request")


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_history_that_says_to_be_of_another_time_does_not_hold(
    house: HistoryHouse, minutes: int
) -> None:
    issued_at = to_timestamp(house.federation.at + timedelta(minutes=minutes))
    broken(lambda: house.read(retell(house.ask(), issued_at=issued_at)), "NOT_FRESH")


# Held against what was signed before ---------------------------------------------------------------


def contradiction(fed: Federation, error: HistoryBrokenError) -> tuple[v1.AccessHistory, ...]:
    """Return the older and the newer history, each signed by the exchange."""
    keys = fed.member(EXCHANGE).keys
    return tuple(
        open_envelope(envelope, v1.AccessHistory, keys, fed.at).message
        for envelope in (error.kept.history, error.history)
    )


def test_an_end_that_is_cut_off_contradicts_what_the_exchange_signed_before(
    fed: Federation, log: SmallLog
) -> None:
    ada, kept = fed.subject("ada"), kept_of(fed, log)
    told = log.tell(ada)
    shorter = fit(with_entries(told, list(told.answer.entries)[:4]))
    assert len(read(fed, shorter).entries) == 4  # who kept nothing does not see it
    error = broken(lambda: read(fed, shorter, kept=kept), "6 entries about you were there before")
    before, now = contradiction(fed, error)
    assert (before.length, now.length) == (6, 4)
    assert before.log_size <= now.log_size


def test_a_rewritten_entry_contradicts_what_the_exchange_signed_before(
    fed: Federation, log: SmallLog
) -> None:
    ada, kept = fed.subject("ada"), kept_of(fed, log)
    rewritten = SmallLog(fed)
    rewritten.fill(len(log.leaves))
    rewritten.add(*drafts(fed, ada, 6))
    error = broken(
        lambda: read(fed, rewritten.tell(ada), kept=kept), "another than the exchange signed"
    )
    before, now = contradiction(fed, error)
    assert before.length == now.length
    assert before.head != now.head


def test_a_rewritten_entry_is_found_though_others_follow(fed: Federation, log: SmallLog) -> None:
    ada, kept = fed.subject("ada"), kept_of(fed, log)
    rewritten = SmallLog(fed)
    rewritten.add(*drafts(fed, ada, 9))
    rewritten.fill(len(log.leaves))
    broken(lambda: read(fed, rewritten.tell(ada), kept=kept), "entry 6 about you is another")


def test_a_log_that_has_shrunk_is_found_and_both_notes_are_kept(
    fed: Federation, log: SmallLog
) -> None:
    ada, kept = fed.subject("ada"), kept_of(fed, log)
    smaller = log.fork()
    del smaller.leaves[-1]
    error = broken(lambda: read(fed, smaller.tell(ada), kept=kept), "shrunk")
    assert error.kept.checkpoint == log.checkpoint
    assert error.checkpoint == smaller.checkpoint


def test_a_fork_of_the_same_size_is_found_and_both_notes_are_kept(
    fed: Federation, log: SmallLog
) -> None:
    ada, kept = fed.subject("ada"), kept_of(fed, log)
    fork = log.fork()
    del fork.leaves[-1]
    fork.fill()  # what is about Ada is the same in both
    error = broken(lambda: read(fed, fork.tell(ada), kept=kept), "forked")
    assert error.kept.checkpoint == log.checkpoint
    assert error.checkpoint == fork.checkpoint


def test_an_entry_that_was_left_off_the_end_before_is_found_when_it_is_shown_again(
    fed: Federation, log: SmallLog
) -> None:
    ada = fed.subject("ada")
    told = log.tell(ada)
    kept = read(fed, fit(with_entries(told, list(told.answer.entries)[:5]))).pages[-1].kept
    log.fill(3)
    error = broken(lambda: read(fed, log.tell(ada), kept=kept), "is about you too")
    before, _ = contradiction(fed, error)
    assert before.length == 5
    assert error.pages[0].entries[5].index < before.log_size


def test_what_comes_later_fits_what_was_kept(fed: Federation, log: SmallLog) -> None:
    ada, kept = fed.subject("ada"), kept_of(fed, log)
    assert read(fed, log.tell(ada), kept=kept).pages[-1].kept.length == 6
    log.add(refusal(fed, fed.consent(ada)))
    log.fill(300)
    assert len(read(fed, log.tell(ada), kept=kept).entries) == 7


# Held against the receipts of others ----------------------------------------------------------------


def test_an_access_left_off_the_end_is_proved_by_the_lenders_receipt() -> None:
    house = HistoryHouse()
    try:
        _, view = house.act()
        anchors, exchange = house.federation.anchors, house.federation.member(EXCHANGE)
        told, at = house.ask(), house.federation.at
        lie = fit(
            with_entries(told, list(told.answer.entries)[:2])
        )  # the release, and all after it
        assert house.read(lie).require_includes([view.intent]) == 1
        receipts = [view.intent, view.release]
        error = broken(lambda: house.read(lie).require_includes(receipts), "is left out")
        assert error.receipt == view.release
        assert proves_omission(anchors, exchange, error.pages, error.receipt, at)
        # Nobody is shown guilty who left out nothing.
        assert not proves_omission(anchors, exchange, error.pages, view.intent, at)
        assert not proves_omission(anchors, exchange, [told.answer], view.release, at)
    finally:
        house.close()


def test_an_access_that_was_never_in_the_chain_is_proved_by_a_receipt(
    fed: Federation, log: SmallLog
) -> None:
    # The log holds the entry, for the lender's sake; the chain that Ada is shown was made without it.
    ada, other = fed.subject("ada"), log.fork()
    other.add(intent(fed, fed.consent(ada)))
    receipt = other.receipt(ada, 7)
    log.leaves.append(other.leaves[-1])
    log.fill()
    chain = read(fed, log.tell(ada))
    error = broken(lambda: chain.require_includes([receipt]), "entry 13 of the log is about you")
    exchange = fed.member(EXCHANGE)
    assert proves_omission(fed.anchors, exchange, error.pages, receipt, AT)


def test_an_entry_that_another_took_the_place_of_in_a_fork_is_found(
    fed: Federation, log: SmallLog
) -> None:
    # The same index and record id, and another act: what the lender has a receipt of is not shown.
    ada = fed.subject("ada")
    granted = fed.consent(ada)
    fork, made, denied = log.fork(), intent(fed, granted), refusal(fed, granted)
    log.add(made)
    record = v1.LogRecord.FromString(denied.record)
    record.record_id = made.record_id
    fork.add(type(denied)(made.record_id, denied.kind, ada.ref, record.SerializeToString()))
    receipt = log.receipt(ada, 7)
    assert read(fed, log.tell(ada)).require_includes([receipt]) == 1
    broken(lambda: read(fed, fork.tell(ada)).require_includes([receipt]), "is left out")


def test_a_receipt_that_is_younger_than_the_log_shown_is_not_counted(
    fed: Federation, log: SmallLog
) -> None:
    ada = fed.subject("ada")
    told, old = log.tell(ada), log.receipt(ada, 2)
    log.add(refusal(fed, fed.consent(ada)))
    assert read(fed, told).require_includes([old, log.receipt(ada, 7)]) == 1


def test_an_old_log_that_is_shown_to_hide_what_came_since_is_found(
    fed: Federation, log: SmallLog
) -> None:
    ada, frozen = fed.subject("ada"), log.fork()
    log.add(refusal(fed, fed.consent(ada)))
    receipt = log.receipt(ada, 7)
    fed.at += MAX_SKEW
    assert read(fed, frozen.tell(ada)).require_includes([receipt]) == 0
    fed.at += timedelta(seconds=1)
    error = broken(lambda: read(fed, frozen.tell(ada)).require_includes([receipt]), "an old log")
    assert error.receipt == receipt
    before = v1.LogEntry.FromString(receipt.entry).logged_at.ToDatetime()
    (_, now) = contradiction_times(fed, error)
    assert now.issued_at.ToDatetime() - before > MAX_SKEW
    assert receipt.index >= now.log_size


def contradiction_times(
    fed: Federation, error: HistoryBrokenError
) -> tuple[v1.LogReceipt | None, v1.AccessHistory]:
    keys = fed.member(EXCHANGE).keys
    return error.receipt, open_envelope(error.history, v1.AccessHistory, keys, fed.at).message


# Pages --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_house() -> Iterator[HistoryHouse]:
    """More about Ada than two pages hold, and something about Bob in between."""
    house = HistoryHouse()
    ada = drafts(house.federation, house.ada, 450)
    house.enter(ada[:300])
    house.enter(drafts(house.federation, house.bob, 3))
    house.enter(ada[300:])
    yield house
    house.close()


@pytest.fixture(scope="module")
def pages(long_house: HistoryHouse) -> list[Told]:
    return [long_house.ask(after=after) for after in (0, 200, 400)]


def test_a_long_list_comes_in_pages_of_two_hundred(
    long_house: HistoryHouse, pages: list[Told]
) -> None:
    assert [len(told.answer.entries) for told in pages] == [200, 200, 50]
    assert [told.answer.more for told in pages] == [True, True, False]
    assert len(long_house.read(*pages).entries) == 450


def test_the_end_of_a_page_that_ends_the_list_says_that_there_is_no_more(
    long_house: HistoryHouse,
) -> None:
    told = long_house.ask(after=250)
    assert (len(told.answer.entries), told.answer.more) == (200, False)
    assert len(long_house.ask(after=249).answer.entries) == 200
    assert long_house.ask(after=249).answer.more
    for after in (450, 451, 2**63 - 1):
        told = long_house.ask(after=after)
        assert (len(told.answer.entries), told.answer.more) == (0, False)


@pytest.mark.parametrize(
    ("order", "match"),
    [
        ((0, 2), "entry 201 about you is missing"),
        ((1, 2), "entry 1 about you is missing"),
        ((0, 1, 1, 2), "entry 401 about you is missing"),
        ((0, 2, 1), "entry 201 about you is missing"),
        ((0, 0), "entry 201 about you is missing"),
        ((0, 1), "there are 450 entries about you, and shows 400"),
        ((0,), "there are 450 entries about you, and shows 200"),
    ],
)
def test_pages_with_a_gap_between_or_out_of_order_do_not_hold(
    long_house: HistoryHouse, pages: list[Told], order: tuple[int, ...], match: str
) -> None:
    error = broken(lambda: long_house.read(*(pages[place] for place in order)), match)
    taken = [pages[place].answer for place in order]
    assert list(error.pages) == taken[: len(error.pages)]


def test_the_entry_at_the_edge_of_a_page_is_not_lost(
    long_house: HistoryHouse, pages: list[Told]
) -> None:
    first, second, third = pages
    shorter = with_entries(first, list(first.answer.entries)[:-1])
    broken(lambda: long_house.read(shorter, second, third), "entry 200 about you is missing")
    later = long_house.ask(after=201)
    broken(lambda: long_house.read(first, later), "entry 201 about you is missing")


def test_each_page_is_held_against_what_the_others_say(
    long_house: HistoryHouse, pages: list[Told]
) -> None:
    first, second, third = pages
    shown = [*second.answer.entries, *third.answer.entries]
    wrong = retell(first, length=300, head=b"\x01" * 32)
    broken(lambda: long_house.read(wrong, second, third), "300 about you is another")
    short = retell(first, length=299, head=shown[99].link.previous)
    broken(lambda: long_house.read(short, second, third), "is about you too")


def test_a_page_of_a_smaller_log_or_of_a_fork_does_not_hold(fed: Federation, log: SmallLog) -> None:
    ada = fed.subject("ada")
    smaller, fork = log.fork(), log.fork()
    del smaller.leaves[-1]
    del fork.leaves[-1]
    fork.fill()
    for other, match in ((smaller, "shrunk"), (fork, "forked")):
        pages = [log.tell(ada, page=4), other.tell(ada, after=4)]
        error = broken(lambda pages=pages: read(fed, *pages), match)  # type: ignore[misc]
        assert len(error.pages) == 2


def test_pages_fit_though_the_log_grows_between_them(fed: Federation, log: SmallLog) -> None:
    ada = fed.subject("ada")
    first = log.tell(ada, page=4)
    log.fill(5)
    log.add(refusal(fed, fed.consent(ada)))
    chain = read(fed, first, log.tell(ada, after=4))
    assert [page.history.length for page in chain.pages] == [6, 7]
    assert len(chain.entries) == 7


def test_a_list_that_never_ends_stops_at_the_length_that_is_signed(
    fed: Federation, log: SmallLog
) -> None:
    # One entry a page and always more: an entry past the end that was signed is one too many.
    ada = fed.subject("ada")
    chain = Chain()
    pages = [retell(log.tell(ada, after=after, page=1), length=3) for after in range(6)]
    for told in pages:
        told.answer.more = True
    error = broken(lambda: follow(fed, ada, pages), "another than the exchange signed")
    assert len(error.pages) == 3
    assert chain.entries == []


def test_the_evidence_is_signed_and_whole(fed: Federation, log: SmallLog) -> None:
    ada = fed.subject("ada")
    pages = [log.tell(ada, page=4), log.tell(ada, after=5)]
    error = broken(lambda: read(fed, *pages))
    assert error.history == seal(pages[1].history, signer(EXCHANGE))
    assert [len(page.entries) for page in error.pages] == [4, 1]
    assert error.receipt is None
    assert error.kept == Kept()
