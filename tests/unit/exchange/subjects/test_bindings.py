"""A key that was replaced is dead at the exchange although the new one never showed up there."""

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import select

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.rpc.tls import TlsIdentity
from concordat.statements import seal
from concordat.v1 import FlagKind, Reason
from concordat.verify.consent import open_binding, open_consent_event
from exchange.consents import ledger
from exchange.subjects import bindings_table
from exchange.subjects.binding_watch import BindingWatch
from exchange.tables import binding_cursor
from tests.builders import DAY, Granted, Subject, signer
from tests.exchange_services import reason_of
from tests.listing_desk import ListingDesk
from tests.rights_builders import erase, report_pages

FREEZE = FlagKind.FLAG_KIND_FREEZE


class Town(ListingDesk):
    """A desk that the registrar tells of new keys."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = BindingWatch(
            self.federation.anchors, TlsIdentity(b"", b""), self.desk.store, self.desk.clock
        )

    def told_of(self, *bindings: v1.Envelope, first: int = 1) -> None:
        """Tell the exchange of new bindings, as the registrar does."""
        told = [
            v1.Rebinding(sequence=number, binding=binding)
            for number, binding in enumerate(bindings, first)
        ]
        asyncio.run(self.watch.take(v1.WatchBindingsResponse(bindings=told)))

    def newer(self, version: int = 2, person: str = "ada") -> Subject:
        """Return the subject with a new key."""
        return self.federation.subject(
            person, version=version, public_key=signer(f"new {person}").public_key
        )

    def cursor(self) -> int:
        return self.desk.store.run(bindings_table.cursor)


@pytest.fixture
def town() -> Iterator[Town]:
    town = Town()
    yield town
    town.close()


def bindings_in(town: Town, person: Subject) -> list[int]:
    records = town.history(person)
    return [r.binding.version for r in records if r.WhichOneof("act") == "binding"]


def test_the_old_key_is_dead_for_everything_new_backdated_too(town: Town) -> None:
    town.flag(FREEZE, placed=True, sequence=1)
    listing_id, granted = town.in_force(), town.consent()
    words = v1.SubjectWords(text="Not me.", language="en")
    town.told_of(town.newer().binding)
    for refused in (
        town.history,
        partial(erase, town),
        partial(change_contact, town),
        partial(town.dispute, listing_id, v1.DisputeStage.DISPUTE_STAGE_REVIEW),
        partial(town.subject_says, listing_id, v1.ListingAction.LISTING_ACTION_STATE, words=words),
        partial(revoke, town, granted),
        partial(town.flag, FREEZE, placed=False, sequence=2),
        town.own,
        town.read_inbox,
        partial(report_pages, town),
        partial(town.grant, town.federation.consent(town.subject)),
    ):
        assert reason_of(refused) == "BINDING_INVALID"
    town.federation.at -= DAY  # a statement that says it is from before
    backdated = town.federation.consent(town.subject)
    town.federation.at += DAY
    assert reason_of(partial(town.grant, backdated)) == "BINDING_INVALID"


def change_contact(town: Town) -> None:
    said = v1.ContactChange(
        federation=town.federation.name,
        subject_ref=town.subject.ref,
        email="thief@home.test",
        language="en",
        sequence=1,
        decided_at=to_timestamp(town.federation.at),
    )
    request = v1.ChangeContactRequest(
        change=seal(said, town.subject.signer), binding=town.subject.binding
    )
    town.call(town.subjects.ChangeContact, request)


def revoke(town: Town, granted: Granted) -> None:
    event = town.federation.consent_event(
        granted, v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE, sequence=1
    )
    binding = open_binding(town.subject.binding, town.federation.anchors, town.federation.at)
    opened = open_consent_event(event, binding, town.federation.anchors, town.federation.at)
    given = (opened, event, binding, town.subject.binding, town.federation.at)
    town.desk.store.run(lambda connection: ledger.apply_event(connection, *given))


def test_a_person_that_the_exchange_never_heard_of_is_protected_too(town: Town) -> None:
    bob = town.federation.subject("bob")
    town.told_of(town.newer(person="bob").binding)
    assert reason_of(partial(town.grant, town.federation.consent(bob))) == "BINDING_INVALID"


def test_the_new_key_reads_all_that_the_old_one_did(town: Town) -> None:
    town.in_force()
    town.check()
    before = len(town.history())
    new = town.newer()
    town.told_of(new.binding)
    town.subject = Subject(new.ref, signer("new ada"), new.binding)
    assert len(town.history(town.subject)) == before + 1
    assert bindings_in(town, town.subject) == [2]
    (report,) = report_pages(town)
    assert report.binding_version == 2
    assert len(report.listings) == 1
    assert report.accesses


def test_what_was_told_before_changes_and_logs_nothing(town: Town) -> None:
    second, third = town.newer(2), town.newer(3)
    town.told_of(second.binding, third.binding)
    town.told_of(second.binding, third.binding)
    town.subject = Subject(third.ref, signer("new ada"), third.binding)
    assert bindings_in(town, town.subject) == [2, 3]
    assert town.cursor() == 2
    query = select(binding_cursor)
    assert len(town.desk.store.run(lambda c: c.execute(query).all())) == 1


def test_it_is_logged_although_the_new_key_came_first(town: Town) -> None:
    new = town.newer()
    town.subject = Subject(new.ref, signer("new ada"), new.binding)
    town.own()
    town.told_of(new.binding)
    assert bindings_in(town, town.subject) == [2]


def test_what_the_registrar_did_not_sign_is_refused_and_nothing_moves(town: Town) -> None:
    said = v1.SubjectBinding.FromString(town.newer().binding.payload)
    forged = seal(said, signer("mallory"))
    with pytest.raises(Refusal) as refused:
        town.told_of(forged)
    assert refused.value.reason == Reason.REASON_SIGNATURE_INVALID
    assert town.cursor() == 0
    assert reason_of(town.own) == ""
