"""Erasure: what can go goes at once, what a law keeps is named with its end, and the log stays whole."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update

from concordat import v1
from concordat.clock import from_timestamp
from concordat.ids import new_id
from concordat.statements import digest_of
from concordat.v1 import ConsentState, FlagKind, LogEntryKind
from concordat.v1 import ErasureCategory as Category
from concordat.v1 import ErasureRule as Rule
from exchange.consents.table import lock_with_terms
from exchange.housekeeping import tidy
from exchange.tables import access_entry, consent, inbox_message, listing, listing_step
from exchange.vault.sealing import unseal
from tests.builders import DAY, LENDER
from tests.exchange_builders import put_on_record
from tests.exchange_services import reason_of
from tests.listing_builders import FURNISHER
from tests.listing_desk import ListingDesk
from tests.rights_builders import erase, erasure_request, report_pages

ALERT = FlagKind.FLAG_KIND_FRAUD_ALERT


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


def rows(desk: ListingDesk, table: Any) -> list[Any]:
    query = select(table).where(table.c.subject_ref == desk.subject.ref)
    return desk.desk.store.run(lambda connection: list(connection.execute(query)))


def count(items: Any, category: Category.ValueType, rule: Rule.ValueType = 0) -> int:  # type: ignore[assignment]
    return sum(i.count for i in items if i.category == category and i.rule == rule)


def ended_listing(desk: ListingDesk) -> bytes:
    listing_id = desk.in_force()
    desk.check()
    desk.withdraw(listing_id)
    return listing_id


def test_everything_that_no_rule_keeps_goes(desk: ListingDesk) -> None:
    ended_listing(desk)
    desk.read_inbox()
    desk.flag(ALERT, placed=True, sequence=1)
    desk.flag(ALERT, placed=False, sequence=2)
    desk.pass_time(400 * DAY)
    outcome = erase(desk)
    assert {item.category for item in outcome.kept} == {Category.ERASURE_CATEGORY_BINDING}
    for table in (access_entry, consent, listing, listing_step):
        assert rows(desk, table) == []
    (opened,) = desk.history(erased=True)
    assert opened.WhichOneof("act") == "erasure_request"
    (left,) = rows(desk, inbox_message)  # its number alone, which must not be given again
    assert left.kind == 0
    assert set(outcome.ask_too) >= {LENDER, FURNISHER}


def test_the_log_stays_whole_and_its_owner_can_still_prove_the_chain(desk: ListingDesk) -> None:
    ended_listing(desk)
    before = len(desk.history())
    desk.pass_time(400 * DAY)
    outcome = erase(desk)
    # The chain verifies, and that each entry that does not open is named by an erasure in the log.
    records = desk.history(erased=True)
    (record,) = [each for each in records if each.WhichOneof("act") == "erasure_request"]
    assert record.erasure_request.erased == sum(item.count for item in outcome.gone)
    assert record.erasure_request.kept == sum(item.count for item in outcome.kept)
    kinds = [entry.kind for entry in desk.entries()]
    assert LogEntryKind.LOG_ENTRY_KIND_ERASURE in kinds
    assert len(kinds) > before


def test_a_consent_in_force_stays_with_its_end_and_goes_once_revoked(desk: ListingDesk) -> None:
    granted = desk.consent()
    kept = erase(desk).kept
    (item,) = [i for i in kept if i.category == Category.ERASURE_CATEGORY_CONSENTS]
    assert item.rule == Rule.ERASURE_RULE_CONSENT_IN_FORCE
    assert item.until == granted.consent.valid_until
    desk.pass_time(40 * DAY)
    assert count(erase(desk).gone, Category.ERASURE_CATEGORY_CONSENTS) == 1


def test_a_lender_that_kept_a_revoked_consent_cannot_put_it_in_force_again(
    desk: ListingDesk,
) -> None:
    granted, at = desk.consent(), desk.federation.at
    digest = digest_of(granted.envelope)
    desk.desk.store.run(
        lambda c: c.execute(
            update(consent).values(state=ConsentState.CONSENT_STATE_REVOKED, event_sequence=1)
        )
    )
    assert count(erase(desk).gone, Category.ERASURE_CATEGORY_CONSENTS) == 1
    assert count(erase(desk).gone, Category.ERASURE_CATEGORY_CONSENTS) == 0
    again = put_on_record(desk.federation, desk.desk.store, granted)
    assert (again.state, again.event_sequence) == (ConsentState.CONSENT_STATE_REVOKED, 1)
    (left,) = rows(desk, consent)
    assert (left.recipient, left.digest, left.granted_at) == ("", digest, 0)
    ref, terms = desk.subject.ref, granted.consent
    key = (ref, terms.consent_id)
    store = desk.desk.store
    assert store.run(lambda c: unseal(c, ref, left.envelope)) == b""
    assert store.run(lambda c: lock_with_terms(c, [key])) == {}
    assert report_pages(desk)[0].consents == []
    store.run(lambda c: tidy(c, at + 29 * DAY))
    assert rows(desk, consent) == [left]
    store.run(lambda c: tidy(c, at + 31 * DAY))
    assert rows(desk, consent) == []


def test_an_access_and_its_consent_are_proof_for_six_months(desk: ListingDesk) -> None:
    desk.check()
    desk.pass_time(100 * DAY)
    outcome = erase(desk)
    proof = Rule.ERASURE_RULE_PROOF_OF_ACCESS
    assert count(outcome.kept, Category.ERASURE_CATEGORY_CONSENTS, proof) == 1
    assert count(outcome.kept, Category.ERASURE_CATEGORY_ACCESSES, proof) >= 2
    until = {from_timestamp(i.until) for i in outcome.kept if i.rule == proof}
    assert max(until) == desk.federation.at - 100 * DAY + 183 * DAY
    desk.pass_time(84 * DAY)
    outcome = erase(desk)
    assert count(outcome.gone, Category.ERASURE_CATEGORY_CONSENTS) == 1
    assert rows(desk, access_entry) == []


def test_a_live_listing_stays_and_who_was_told_of_it_too(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    desk.check()
    outcome = erase(desk)
    listings = Category.ERASURE_CATEGORY_LISTINGS
    assert count(outcome.kept, listings, Rule.ERASURE_RULE_LISTING_LIVE) == 1
    recalls = Category.ERASURE_CATEGORY_RECALLS
    assert count(outcome.kept, recalls, Rule.ERASURE_RULE_RECALL_WINDOW) == 1
    (own,) = desk.own().listings
    assert own.listing_id == listing_id
    desk.withdraw(listing_id)
    assert desk.retractions()  # whoever was told still hears of it


def test_a_listing_that_could_be_filed_again_with_the_same_bytes_stays(desk: ListingDesk) -> None:
    listing_id = desk.file().listing_id
    desk.withdraw(listing_id)
    again = Rule.ERASURE_RULE_COULD_BE_FILED_AGAIN
    assert count(erase(desk).kept, Category.ERASURE_CATEGORY_LISTINGS, again) == 1


def test_a_preview_erases_and_logs_nothing_and_says_the_same(desk: ListingDesk) -> None:
    ended_listing(desk)
    desk.pass_time(400 * DAY)
    before = desk.history()
    shown = erase(desk, preview=True)
    assert shown.preview
    assert desk.history() == before  # all of it still opens
    done = erase(desk)
    assert (list(shown.gone), list(shown.kept)) == (list(done.gone), list(done.kept))


def test_the_same_request_again_is_answered_as_it_was(desk: ListingDesk) -> None:
    desk.file()
    desk.read_inbox()
    request_id = new_id()
    request = erasure_request(desk, request_id=request_id)
    assert erase(desk, request) == erase(desk, request)
    other = erasure_request(desk, request_id=request_id, preview=True)
    assert reason_of(partial(erase, desk, other)) == "REPLAYED_WITH_OTHER_BYTES"


def test_nobody_else_erases_anything(desk: ListingDesk) -> None:
    bob = desk.federation.subject("bob")
    forged = erasure_request(desk, bob, subject_ref=desk.subject.ref)
    assert reason_of(partial(erase, desk, forged)) == "SIGNATURE_INVALID"
    stale = v1.ErasureRequest.FromString(erasure_request(desk).payload)
    desk.pass_time(DAY)
    late = erasure_request(desk, issued_at=stale.issued_at, expires_at=stale.expires_at)
    assert reason_of(partial(erase, desk, late)) == "STATEMENT_NOT_FRESH"


def test_a_number_of_the_inbox_is_never_given_twice(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    desk.withdraw(listing_id)
    ids = {message.message_id for message in desk.read_inbox()}
    erase(desk)
    desk.file()
    fresh = [message for message in desk.read_inbox() if message.kind]
    assert fresh
    assert not ids & {message.message_id for message in fresh}


def test_an_erasure_is_in_the_next_report(desk: ListingDesk) -> None:
    desk.file()
    erase(desk)
    (report,) = report_pages(desk)
    assert len(report.erasures) == 1
