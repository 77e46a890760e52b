"""Writers that enter in the log as the exchange's services do, and wait for their receipts."""

import hashlib
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from benchmarks.load import Run, closed_loop
from concordat import v1
from concordat.clock import Clock, to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.store.engine import migrate
from concordat.store.group_commit import GroupCommit
from concordat.trust.checkpoint import Checkpoint, open_checkpoint
from concordat.trust.keys import Ed25519Signer
from concordat.trust.merkle import leaf_hash, verify_inclusion
from concordat.trust.note import ED25519, SignedNote, VerifierKey
from exchange.database import open_database
from exchange.log import table
from exchange.log.book import LogBook, WitnessPolicy
from exchange.log.records import Draft
from exchange.log.sequencer import Sequencer
from exchange.log.table import Key, log_opening
from exchange.log.tile_store import FileTiles
from exchange.log.witnesses import Witnesses
from exchange.migrations import SCRIPTS
from exchange.vault.keyring import Keyring

ORIGIN = "bench.concordat/log"
BATCH_SECONDS = 0.02  # the default of the exchange's settings
RECEIPT_SECONDS = 30.0
SUBJECTS = 2_000
VERIFIED = 50  # receipts of a run

COLUMNS = tuple(column.name for column in log_opening.columns)
Row = tuple[Any, ...]


@dataclass(slots=True)
class Written:
    """What a run gave: rates, how long receipts took once entries were durable, and what was written."""

    run: Run
    waits_ms: list[float]
    groups: list[int]  # entries that each checkpoint added
    rows: list[Row]  # of ``COLUMNS``, in the order of the log


@dataclass(slots=True)
class _Seen:
    waits_ms: list[float] = field(default_factory=list)
    receipts: list[v1.LogReceipt] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)


class _CountedTiles(FileTiles):
    """Remembers the size of each checkpoint."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.sizes = [0]

    def publish(self, connection: Connection, note: bytes) -> None:
        super().publish(connection, note)
        self.sizes.append(Checkpoint.parse(SignedNote.parse(note).text).size)


async def write(url: str, folder: Path, writers: int, seconds: float) -> Written:
    """Keep ``writers`` busy for ``seconds`` on a new database at ``url``, with tiles in ``folder``.

    Each enters one access and waits for its receipt in a signed checkpoint, then the next. Raises
    ``AssertionError`` where a receipt is wrong: speed is not bought with wrong answers.
    """
    engine = open_database(url, Keyring.generate())
    migrate(engine, SCRIPTS)
    store = GroupCommit(engine, "store")
    tiles = _CountedTiles(folder)
    signer = Ed25519Signer.generate()
    sequencer = Sequencer(
        origin=ORIGIN,
        signer=signer,
        store=store,
        tiles=tiles,
        witnesses=Witnesses([], 0, 1.0),
        clock=Clock(),
        holder="bench",
    )
    book = LogBook(store, sequencer, tiles, WitnessPolicy(), batch_seconds=BATCH_SECONDS)
    book.start()
    try:
        seen, drafts = _Seen(), _drafts(int(seconds * 8_000) + 100)
        await _enter(
            store, book, next(drafts), _Seen()
        )  # the lease is taken, statements are compiled
        tiles.sizes = tiles.sizes[-1:]
        run = await closed_loop(
            lambda draft: _enter(store, book, draft, seen), drafts, writers, seconds, {}
        )
    finally:
        book.stop()
        store.close()
    _check(seen, VerifierKey(ORIGIN, ED25519, signer.public_key))
    with engine.connect() as connection:
        query = select(log_opening).where(log_opening.c.leaf_index >= tiles.sizes[0])
        rows = connection.execute(query.order_by(log_opening.c.leaf_index)).all()
    engine.dispose()
    groups = [b - a for a, b in itertools.pairwise(tiles.sizes)]
    return Written(run, sorted(seen.waits_ms), groups, [tuple(row) for row in rows])


async def _enter(store: GroupCommit, book: LogBook, draft: Draft, seen: _Seen) -> int:
    key = await store.arun_in(_enter_many, draft)
    durable = time.perf_counter()
    (receipt,) = await book.receipts([key], RECEIPT_SECONDS)
    seen.waits_ms.append((time.perf_counter() - durable) * 1e3)
    if isinstance(receipt, Refusal):
        raise receipt
    seen.indexes.append(receipt.index)
    if len(seen.receipts) < VERIFIED:
        seen.receipts.append(receipt)
    return 1


def _enter_many(connection: Connection, drafts: Sequence[Draft]) -> list[Key]:
    table.enqueue(connection, drafts)
    return [(draft.subject_ref, draft.record_id) for draft in drafts]


def _drafts(count: int) -> Iterator[Draft]:
    """Yield access intents about ``SUBJECTS`` people; ``count`` are made before the clock starts."""
    subjects = [hashlib.sha256(b"subject %d" % n).digest() for n in range(SUBJECTS)]
    numbers = itertools.count()
    ready = [_draft(subjects[next(numbers) % SUBJECTS]) for _ in range(count)]
    return itertools.chain(ready, (_draft(subjects[n % SUBJECTS]) for n in numbers))


def _draft(subject_ref: bytes) -> Draft:
    record = v1.LogRecord(
        record_id=new_id(),
        recorded_at=to_timestamp(datetime.now(UTC)),
        subject_ref=subject_ref,
        intent=v1.AccessIntent(
            lender="lendwell",
            purpose=v1.Purpose.PURPOSE_CREDIT_APPLICATION,
            consent_id=new_id(),
            request_digest=subject_ref,
            providers=[f"provider-{n}" for n in range(8)],
        ),
    )
    return Draft(
        record.record_id,
        v1.LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT,
        subject_ref,
        record.SerializeToString(deterministic=True),
    )


def _check(seen: _Seen, log: VerifierKey) -> None:
    assert len(set(seen.indexes)) == len(seen.indexes), "an index was given twice"
    for receipt in seen.receipts:
        opened = open_checkpoint(receipt.checkpoint, log)
        leaf = leaf_hash(receipt.entry)
        verify_inclusion(leaf, receipt.index, opened.size, receipt.proof, opened.root)
