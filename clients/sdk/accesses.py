"""A subject's own entries in the log: fetched page by page, and every one of them proved."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from clients.sdk.errors import ClientError
from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.members import MemberBook
from clients.sdk.wallet import WalletKey, own_request
from concordat import v1
from concordat.trust.checkpoint import SignedCheckpoint
from concordat.verify.consent import open_binding, open_subject_request
from concordat.verify.history import Chain, HistoryEntry, Kept
from concordat.verify.receipt import open_receipt


@dataclass(frozen=True, slots=True)
class AccessList:
    """Every entry about a subject, in order, and the checkpoint that they were proved against."""

    entries: tuple[HistoryEntry, ...]
    checkpoint: SignedCheckpoint
    history: v1.Envelope  # the exchange's signed AccessHistory
    kept: Kept  # what to hand in the next time
    receipts_found: int
    receipts: tuple[v1.LogReceipt, ...] = ()  # of each entry, in order, as its holder would show it


def list_accesses(
    key: WalletKey,
    book: MemberBook,
    kept: Kept,
    receipts: Iterable[v1.LogReceipt],
    now: Callable[[], datetime],
) -> Flow[AccessList]:
    """Return every entry about this subject, and show that none is missing.

    ``kept`` is what the list before left; ``receipts`` are held by others who took part, and must be among
    the entries. Raises ``HistoryBrokenError`` with the evidence, ``Refusal`` for a receipt that proves
    nothing, and ``ClientError`` for one that is about somebody else.
    """
    receipts = list(receipts)
    for receipt in receipts:
        if open_receipt(receipt, book.anchors).record.subject_ref != key.subject_ref:
            raise ClientError("a receipt is about somebody else; hand in those about you")
    yield from book.refresh(now)  # nobody is accused by a key that has been replaced since
    anchors = book.anchors
    chain = Chain(kept)
    query = v1.SubjectQuery.SUBJECT_QUERY_ACCESSES
    while True:
        at = now()
        request = own_request(key, anchors, at, query)
        call = Call(
            exchange_peer(anchors, Port.PUBLIC),
            "/concordat.v1.LogService/ListAccesses",
            v1.ListAccessesRequest(request=request, binding=key.binding, after=len(chain.entries)),
            v1.ListAccessesResponse,
        )
        answer = yield from ask(call, v1.ListAccessesResponse)
        binding = open_binding(key.binding, anchors, at)
        chain.take(
            answer,
            exchange=book.directory.require(anchors.bundle.exchange_id, at, v1.Role.ROLE_EXCHANGE),
            anchors=anchors,
            asked=open_subject_request(request, query, binding, anchors, at),
            at=now(),
        )
        if not answer.more or not answer.entries:
            break
    page = chain.require_complete()
    found = chain.require_includes(receipts)
    return AccessList(
        tuple(chain.entries),
        page.checkpoint,
        page.response.history,
        page.kept,
        found,
        tuple(receipt for each in chain.pages for receipt in receipts_of(each.response)),
    )


def receipts_of(page: v1.ListAccessesResponse) -> Iterator[v1.LogReceipt]:
    """Yield the receipt of each entry of a page: the same proof, to be shown to others."""
    for told in page.entries:
        receipt = v1.LogReceipt(
            entry=told.entry, index=told.index, proof=told.proof, checkpoint=page.checkpoint
        )
        if told.HasField("opening"):
            receipt.opening.CopyFrom(told.opening)
        yield receipt
