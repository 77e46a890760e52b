"""Lists of accesses, honest and not, for tests of whoever reads them.

    house = HistoryHouse()                  # a real exchange, log and servicer, without ports
    house.act()                             # a consent, a view, refused attempts
    house.read(house.ask())                 # verified as a wallet does

    log = SmallLog(federation)              # a log in memory that a test signs, forks and cuts as it likes
    log.add(draft)
    log.answer(request)                     # what an honest exchange answers from it

``retell`` makes an exchange lie: it signs anew what it says of a list.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clients.sdk.wallet import REQUEST_LIFE
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.rpc.admission import CURRENT_CALL, Call
from concordat.statements import digest_of, seal
from concordat.trust import merkle
from concordat.trust.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from concordat.trust.commitment import (
    NO_ENTRY,
    commitment_of,
    link_commitment,
    new_salt,
    record_commitment,
)
from concordat.trust.envelope import open_envelope
from concordat.verify.consent import open_binding, open_subject_request
from concordat.verify.history import Chain, Kept
from concordat.verify.receipt import open_receipt
from exchange.log import records, table
from exchange.log.records import Draft
from exchange.log.servicer import LogServicer
from tests.builders import AT, EXCHANGE, Federation, Granted, Subject, signer
from tests.exchange_builders import ExchangeDesk

ACCESSES = v1.SubjectQuery.SUBJECT_QUERY_ACCESSES


# A subject's side -------------------------------------------------------------------------------


def own_request(federation: Federation, person: Subject, /, **fields: Any) -> v1.Envelope:
    """Return a subject's request for its accesses; ``fields`` bend it."""
    given: dict[str, Any] = {
        "request_id": new_id(),
        "federation": federation.name,
        "subject_ref": person.ref,
        "query": ACCESSES,
        "issued_at": to_timestamp(federation.at),
        "expires_at": to_timestamp(federation.at + REQUEST_LIFE),
    }
    return seal(v1.SubjectRequest(**(given | fields)), person.signer)


@dataclass
class Told:
    """What the exchange answered to which request."""

    request: v1.Envelope
    answer: v1.ListAccessesResponse

    @property
    def history(self) -> v1.AccessHistory:
        return v1.AccessHistory.FromString(self.answer.history.payload)


def follow(
    federation: Federation, person: Subject, pages: Iterable[Told], kept: Kept | None = None
) -> Chain:
    """Take pages as a wallet does; raise ``HistoryBrokenError``."""
    at, anchors = federation.at, federation.anchors
    binding = open_binding(person.binding, anchors, at)
    chain = Chain(kept or Kept())
    for told in pages:
        chain.take(
            told.answer,
            exchange=federation.member(EXCHANGE),
            anchors=anchors,
            asked=open_subject_request(told.request, ACCESSES, binding, anchors, at),
            at=at,
        )
    return chain


def retell(told: Told, *, signed_by: str = EXCHANGE, **fields: Any) -> Told:
    """Have the exchange sign another history of the same list; ``fields`` are what it changes."""
    history = told.history
    for name, value in fields.items():
        if isinstance(value, (int, bytes, str)):
            setattr(history, name, value)
        else:
            getattr(history, name).CopyFrom(value)
    answer = v1.ListAccessesResponse()
    answer.CopyFrom(told.answer)
    answer.history.CopyFrom(seal(history, signer(signed_by)))
    return Told(told.request, answer)


def fit(told: Told) -> Told:
    """Have the exchange sign that the entries shown are all there are."""
    shown = told.answer.entries
    head = v1.LogEntry.FromString(shown[-1].entry).commitment if shown else NO_ENTRY
    return retell(told, length=len(shown), head=head)


def with_entries(told: Told, entries: Sequence[v1.SubjectLogEntry]) -> Told:
    """Return the same answer with other entries."""
    answer = v1.ListAccessesResponse()
    answer.CopyFrom(told.answer)
    del answer.entries[:]
    answer.entries.extend(entries)
    return Told(told.request, answer)


# A regulator's side -----------------------------------------------------------------------------


def proves_omission(
    anchors: Anchors,
    exchange: Member,
    pages: Sequence[v1.ListAccessesResponse],
    receipt: v1.LogReceipt,
    at: datetime,
) -> bool:
    """Tell, with no word of the wallet's, whether the exchange left out what the receipt shows.

    The exchange signed the last of a chain that nobody can make another way; the receipt's entry is in
    the same log, about the same subject, and not in the chain.
    """
    last = pages[-1]
    history = open_envelope(last.history, v1.AccessHistory, exchange.keys, at).message
    checkpoint = open_checkpoint(last.checkpoint, anchors.log)
    assert (history.log_size, history.log_root) == (checkpoint.size, checkpoint.root)
    head, chain = NO_ENTRY, []
    for shown in (entry for page in pages for entry in page.entries):
        opening, link = shown.opening, shown.link
        of_record = shown.record_commitment or record_commitment(opening.record, opening.salt)
        assert link.previous == head
        head = commitment_of(of_record, link_commitment(link.sequence, head, link.salt))
        assert v1.LogEntry.FromString(shown.entry).commitment == head
        chain.append((shown.index, shown.entry))
    assert (len(chain), head) == (history.length, history.head)
    logged = open_receipt(receipt, anchors)
    assert logged.record.subject_ref == history.subject_ref
    return receipt.index < history.log_size and (receipt.index, receipt.entry) not in chain


# A real exchange --------------------------------------------------------------------------------


class HistoryHouse:
    """An exchange in one process and its ``LogServicer``, with two people in it."""

    def __init__(self, federation: Federation | None = None) -> None:
        self.desk = ExchangeDesk(federation or Federation())
        self.federation = self.desk.federation
        self.ada, self.bob = self.federation.subject("ada"), self.federation.subject("bob")
        self.servicer = LogServicer(
            self.federation.anchors, self.desk.store, self.desk.tiles, signer(EXCHANGE)
        )

    def act(self, person: Subject | None = None) -> tuple[Granted, v1.RequestViewResponse]:
        """Grant, have a view released, and then be refused twice: five entries."""
        granted = self.desk.grant(person or self.ada)
        answer = self.desk.ask(granted)
        assert isinstance(answer, v1.RequestViewResponse)
        for purpose in (granted.consent.purpose, v1.Purpose.PURPOSE_GUARANTOR_CHECK):
            request = self.federation.view_request(granted, purpose=purpose)
            assert isinstance(self.desk.ask(granted, request), Refusal)
        self.settle()
        return granted, answer

    def enter(self, drafts: Sequence[Draft]) -> None:
        """Put drafts into the log."""
        self.desk.store.run(lambda connection: table.enqueue(connection, drafts))
        self.settle()

    def settle(self) -> None:
        """Wait until all that was entered is in a checkpoint."""

        async def wait() -> None:
            while self.desk.store.run(table.anything_waits):  # noqa: ASYNC110 - another thread's
                await asyncio.sleep(0.002)

        asyncio.run(asyncio.wait_for(wait(), 10))

    def ask(self, person: Subject | None = None, after: int = 0, **fields: Any) -> Told:
        """Ask as a person does; ``fields`` bend the request."""
        person = person or self.ada
        request = own_request(self.federation, person, **fields)
        return Told(request, self.call(request, person.binding, after))

    def call(
        self, request: v1.Envelope, binding: v1.Envelope, after: int = 0
    ) -> v1.ListAccessesResponse:
        """Call the servicer as the server does."""
        message = v1.ListAccessesRequest(request=request, binding=binding, after=after)

        unused: Any = None

        async def answer() -> v1.ListAccessesResponse:
            CURRENT_CALL.set(Call("ListAccesses", "request-id", self.federation.at, None, 5.0))
            return await self.servicer.ListAccesses(message, unused)

        return v1.ListAccessesResponse.FromString(asyncio.run(answer()).SerializeToString())

    def read(self, *pages: Told, person: Subject | None = None, kept: Kept | None = None) -> Chain:
        """Follow pages to the end, and require that nothing is missing."""
        chain = follow(self.federation, person or self.ada, pages, kept)
        chain.require_complete()
        return chain

    def close(self) -> None:
        self.desk.close()


# A log in memory --------------------------------------------------------------------------------


@dataclass
class SmallLog:
    """A log with real commitments and proofs, which any number of people's entries are in."""

    federation: Federation
    leaves: list[bytes] = field(default_factory=list)
    shown: dict[bytes, list[v1.SubjectLogEntry]] = field(default_factory=dict)  # without proofs
    erasures: dict[bytes, v1.SubjectLogEntry] = field(default_factory=dict)  # by record id

    def fork(self) -> "SmallLog":
        """Return another log that began as this one."""
        return SmallLog(
            self.federation,
            [*self.leaves],
            {ref: [*chain] for ref, chain in self.shown.items()},
            dict(self.erasures),
        )

    def add(self, *drafts: Draft, at: datetime | None = None, follows: bytes | None = None) -> None:
        """Enter drafts, each in the chain of the person it is about, or after what ``follows`` says."""
        for draft in drafts:
            chain = self.shown.setdefault(draft.subject_ref, [])
            previous = NO_ENTRY
            if chain:
                previous = v1.LogEntry.FromString(chain[-1].entry).commitment
            link = v1.LogLink(
                salt=new_salt(), sequence=len(chain) + 1, previous=follows or previous
            )
            of_link = link_commitment(link.sequence, link.previous, link.salt)
            opening = v1.LogOpening(record=draft.record, salt=new_salt(), link_commitment=of_link)
            entry = v1.LogEntry(
                kind=draft.kind,
                logged_at=to_timestamp(at or self.federation.at),
                record_id=draft.record_id,
                commitment=commitment_of(record_commitment(draft.record, opening.salt), of_link),
            ).SerializeToString(deterministic=True)
            chain.append(
                v1.SubjectLogEntry(entry=entry, opening=opening, link=link, index=len(self.leaves))
            )
            self.leaves.append(entry)

    def fill(self, count: int = 1) -> None:
        """Enter what is about nobody here."""
        self.leaves += [hashlib.sha256(new_salt()).digest() for _ in range(count)]

    def erase(self, person: Subject, sequence: int) -> None:
        """Erase what opens an entry, and log that it was done."""
        old = self.shown[person.ref][sequence - 1]
        record_id = v1.LogEntry.FromString(old.entry).record_id
        basis = v1.ErasureBasis.ERASURE_BASIS_RETENTION_OVER
        draft = records.erasure([record_id], basis, self.federation.at)
        self.add(draft)
        self.erasures[draft.record_id] = self.shown[b""][-1]
        entry = v1.SubjectLogEntry()
        entry.CopyFrom(old)
        entry.record_commitment = record_commitment(old.opening.record, old.opening.salt)
        entry.ClearField("opening")
        entry.erased_under = draft.record_id
        self.shown[person.ref][sequence - 1] = entry

    @property
    def checkpoint(self) -> bytes:
        """The signed note of all that is in it."""
        root, _ = self._tree()
        return sign_checkpoint(
            Checkpoint(self.federation.anchors.log.name, len(self.leaves), root), signer("log")
        )

    def answer(self, request: v1.ListAccessesRequest, page: int = 200) -> v1.ListAccessesResponse:
        """Answer as an honest exchange does, but without asking who asks."""
        asked = v1.SubjectRequest.FromString(request.request.payload)
        chain = self.shown.get(asked.subject_ref, [])
        root, paths = self._tree()
        entries = []
        for entry in chain[request.after : request.after + page]:
            proved = v1.SubjectLogEntry()
            proved.CopyFrom(entry)
            proved.proof.extend(paths[entry.index])
            entries.append(proved)
        history = v1.AccessHistory(
            federation=self.federation.name,
            subject_ref=asked.subject_ref,
            length=len(chain),
            head=v1.LogEntry.FromString(chain[-1].entry).commitment if chain else NO_ENTRY,
            log_size=len(self.leaves),
            log_root=root,
            request_digest=digest_of(request.request),
            issued_at=asked.issued_at,
        )
        return v1.ListAccessesResponse(
            history=seal(history, signer(EXCHANGE)),
            checkpoint=self.checkpoint,
            entries=entries,
            more=request.after + page < len(chain),
            erasures=[
                self._receipt(self.erasures[ref])
                for ref in {entry.erased_under for entry in entries if entry.erased_under}
            ],
        )

    def tell(self, person: Subject, after: int = 0, page: int = 200) -> Told:
        """Answer a person."""
        request = own_request(self.federation, person)
        message = v1.ListAccessesRequest(request=request, binding=person.binding, after=after)
        return Told(request, self.answer(message, page))

    def receipt(self, person: Subject, sequence: int) -> v1.LogReceipt:
        """Return what whoever took part keeps of an entry."""
        return self._receipt(self.shown[person.ref][sequence - 1])

    def _receipt(self, entry: v1.SubjectLogEntry) -> v1.LogReceipt:
        _, paths = self._tree()
        return v1.LogReceipt(
            entry=entry.entry,
            opening=entry.opening,
            index=entry.index,
            proof=paths[entry.index],
            checkpoint=self.checkpoint,
        )

    def _tree(self) -> tuple[bytes, list[list[bytes]]]:
        if not self.leaves:
            return merkle.EMPTY_ROOT, []
        return merkle.tree([merkle.leaf_hash(leaf) for leaf in self.leaves])


def drafts(federation: Federation, person: Subject, count: int) -> list[Draft]:
    """Return a consent of the person, and then refused attempts under it."""
    granted = federation.consent(person)
    digest = digest_of(granted.envelope)
    made = [records.consent_act(granted.consent, digest, AT)]
    made += [refusal(federation, granted) for _ in range(count - 1)]
    return made[:count]


def intent(federation: Federation, granted: Granted) -> Draft:
    """Return the draft of letting a request in."""
    request = federation.view_request(granted)
    message = v1.ViewRequest.FromString(request.payload)
    return records.intent(message, digest_of(request), granted.consent, new_id(), federation.at)


def refusal(
    federation: Federation,
    granted: Granted,
    reason: v1.Reason.ValueType = v1.Reason.REASON_CONSENT_REVOKED,
) -> Draft:
    """Return the draft of an attempt that was refused."""
    request = federation.view_request(granted)
    message = v1.ViewRequest.FromString(request.payload)
    return records.refused_attempt(
        message,
        digest_of(request),
        granted.consent.consent_id,
        new_id(),
        reason,
        federation.at,
    )
