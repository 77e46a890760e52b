"""Erasure, reports and new keys, on SQLite and on PostgreSQL alike, over several processes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text

from concordat import v1
from concordat.clock import to_micros
from concordat.refusal import Refusal
from concordat.statements import digest_of, seal
from concordat.store.engine import migrate
from concordat.store.group_commit import GroupCommit
from concordat.v1 import ErasureCategory, FlagKind, LogEntryKind
from concordat.verify.consent import (
    open_binding,
    open_consent,
    open_consent_event,
    open_erasure_request,
)
from concordat.verify.listing_statements import open_flag_change
from exchange.consents import ledger
from exchange.consents import table as consents
from exchange.limits.settings import LimitSettings
from exchange.listings.profile import Profiles
from exchange.migrations import SCRIPTS
from exchange.subjects import flags
from exchange.subjects.bindings import open_rebinding, take_in
from exchange.subjects.rights import Rights, open_rights
from exchange.subjects.settings import SubjectsSettings
from exchange.tables import (
    binding_cursor,
    consent,
    consent_event,
    inbox_message,
    log_queue,
    subject_flag,
)
from exchange.vault.sealing import seal as keep
from tests.builders import AT, EXCHANGE, Subject, signer
from tests.contracts.test_own_looks import Exchange as Opened
from tests.vault_builders import own_postgres, to_newest_schema

REVOKE = v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE
BINDING = LogEntryKind.LOG_ENTRY_KIND_BINDING


class Exchange(Opened):
    """A database, its processes, and a person with a past."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.person = self.federation.subject("ada")
        self.binding = open_binding(self.person.binding, self.federation.anchors, AT)

    def rights(self) -> Rights:
        directory, profiles = self.federation.directory, Profiles.load()
        settings = SubjectsSettings(keep_access_days=0)
        return open_rights(settings, LimitSettings(), directory, profiles, signer(EXCHANGE))

    def live(self) -> None:
        """Grant and revoke a consent, place and lift an alert, be sent a message and read it."""
        fed, person = self.federation, self.person
        granted = fed.consent(person)
        verified = open_consent(granted.envelope, self.binding, fed.anchors, AT)
        event = fed.consent_event(granted, REVOKE)
        revoked = open_consent_event(event, self.binding, fed.anchors, AT)
        self.store.run(
            lambda c: ledger.grant(c, verified, granted.envelope, self.binding, person.binding, AT)
        )
        self.store.run(
            lambda c: ledger.apply_event(c, revoked, event, self.binding, person.binding, AT)
        )
        for sequence, placed in ((1, True), (2, False)):
            self.flag(sequence, placed=placed)
        self.store.run(self._message)

    def flag(self, sequence: int, *, placed: bool) -> None:
        change = v1.FlagChange(
            federation=self.federation.name,
            subject_ref=self.person.ref,
            kind=FlagKind.FLAG_KIND_FRAUD_ALERT,
            placed=placed,
            sequence=sequence,
        )
        change.decided_at.FromDatetime(AT)
        envelope = seal(change, self.person.signer)
        verified = open_flag_change(envelope, self.binding, self.federation.anchors, AT)
        self.store.run(lambda c: flags.change_flag(c, verified, envelope, AT))

    def _message(self, connection: Any) -> None:
        row = {
            "subject_ref": self.person.ref,
            "sequence": 1,
            "kind": 2,
            "listing_id": bytes(16),
            "sent_at": to_micros(AT),
            "text": keep(connection, self.person.ref, b"You were listed."),
            "fetched_at": to_micros(AT),
            "fetched_by": bytes(32),
        }
        connection.execute(insert(inbox_message).values(**row))

    def erase(self, request_id: bytes, **fields: Any) -> v1.ErasureOutcome:
        request = v1.ErasureRequest(
            request_id=request_id,
            federation=self.federation.name,
            subject_ref=self.person.ref,
            **fields,
        )
        request.issued_at.FromDatetime(AT)
        request.expires_at.FromDatetime(AT + timedelta(minutes=1))
        envelope = seal(request, self.person.signer)
        asked = open_erasure_request(envelope, self.binding, self.federation.anchors, AT)
        rights = self.rights()
        outcome = self.store.run(lambda c: rights.erasures.erase(c, asked, AT))
        return v1.ErasureOutcome.FromString(outcome.payload)

    def newer(self, name: str, version: int) -> Subject:
        key = signer(f"new {name} {version}").public_key
        return self.federation.subject(name, version=version, public_key=key)

    def take(self, store: GroupCommit, *told: v1.Rebinding) -> int:
        opened = [open_rebinding(each, self.federation.anchors, AT) for each in told]
        return store.run(lambda c: take_in(c, opened, AT))


class RightsContract:
    """What holds whatever the database."""

    def test_what_is_erased_is_gone_from_every_table_and_the_rest_opens(
        self, exchange: Exchange
    ) -> None:
        exchange.live()
        outcome = exchange.erase(bytes(16))
        gone = {item.category for item in outcome.gone}
        assert gone >= {
            ErasureCategory.ERASURE_CATEGORY_CONSENTS,
            ErasureCategory.ERASURE_CATEGORY_FLAGS,
            ErasureCategory.ERASURE_CATEGORY_MESSAGES,
        }
        for table in (consent_event, subject_flag):
            assert exchange.rows(table) == []
        (stub,) = exchange.rows(
            consent
        )  # so that the lender, who has its bytes, can't hand it in again
        assert (stub.recipient, stub.state) == ("", v1.ConsentState.CONSENT_STATE_REVOKED)
        (left,) = exchange.rows(inbox_message)
        assert left.kind == 0
        known = exchange.store.run(lambda c: consents.binding_of(c, exchange.person.ref))
        assert known is not None
        assert digest_of(known) == digest_of(exchange.person.binding)
        assert exchange.erase(bytes(16)) == outcome
        with pytest.raises(Refusal):
            exchange.erase(bytes(16), preview=True)

    def test_a_preview_changes_nothing(self, exchange: Exchange) -> None:
        exchange.live()
        before = [exchange.rows(t) for t in (consent, consent_event, inbox_message, log_queue)]
        assert exchange.erase(bytes(16), preview=True).preview
        assert before == [
            exchange.rows(t) for t in (consent, consent_event, inbox_message, log_queue)
        ]

    def test_each_new_key_is_taken_in_and_logged_once_by_however_many_processes(
        self, exchange: Exchange
    ) -> None:
        people = [exchange.newer(f"person {n}", 2) for n in range(12)]
        told = [
            v1.Rebinding(sequence=n, binding=person.binding) for n, person in enumerate(people, 1)
        ]
        stores = [exchange.process() for _ in range(3)]
        with ThreadPoolExecutor(len(stores)) as pool:
            list(
                pool.map(
                    lambda store: [exchange.take(store, each) for each in told],  # in turn
                    stores,
                )
            )
        queued = [row for row in exchange.rows(log_queue) if row.kind == BINDING]
        assert sorted(row.subject_ref for row in queued) == sorted(p.ref for p in people)
        (cursor,) = exchange.rows(binding_cursor)
        assert cursor.sequence == len(people)

    def test_an_older_binding_told_late_replaces_none(self, exchange: Exchange) -> None:
        third = exchange.newer("ada", 3)
        exchange.take(exchange.store, v1.Rebinding(sequence=1, binding=third.binding))
        second = exchange.newer("ada", 2)
        exchange.take(exchange.store, v1.Rebinding(sequence=2, binding=second.binding))
        versions = exchange.store.run(lambda c: consents.binding_versions(c, [third.ref]))
        assert versions == {third.ref: 3}


class TestSqlite(RightsContract):
    @pytest.fixture
    def exchange(self, tmp_path: Path) -> Iterator[Exchange]:
        exchange = Exchange(f"sqlite:///{tmp_path / 'exchange.db'}")
        to_newest_schema(exchange._opened[0][1])
        yield exchange
        exchange.close()


@pytest.fixture(scope="module")
def postgres_rights(postgres_url: str) -> str:
    """Return the URL of a database of this module's own."""
    return own_postgres(postgres_url, "rights")


class TestPostgres(RightsContract):
    @pytest.fixture
    def exchange(self, postgres_rights: str) -> Iterator[Exchange]:
        exchange = Exchange(postgres_rights)
        engine = exchange._opened[0][1]
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        migrate(engine, SCRIPTS)
        yield exchange
        exchange.close()
