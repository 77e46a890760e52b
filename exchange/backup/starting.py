"""Before an exchange begins to sign: is its log the newest that is known?

The sequencer would find out too, but only from the tiles beside it, or from witnesses that refuse what it
has signed already. A database that was put back in some other way than by ``restore`` is caught here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, select

from concordat.clock import from_micros
from concordat.federation.anchors import Anchors
from concordat.store.group_commit import GroupCommit
from concordat.trust import merkle
from concordat.trust.errors import TrustError
from concordat.trust.tiles import TileReader
from exchange.backup.errors import Known
from exchange.backup.judging import require_continued
from exchange.backup.known import ask_witnesses, known_from_note
from exchange.log import sequencing, table
from exchange.log.growth import TileDamagedError, fetch_from, grow
from exchange.log.opening import named_witnesses, open_tiles
from exchange.log.sequencing import Signed
from exchange.log.table import log_opening
from exchange.log.tile_store import CHECKPOINT, TileStore, TileStoreError
from exchange.settings import LogSettings


def open_newest(settings: LogSettings, anchors: Anchors, store: GroupCommit) -> TileStore:
    """Return the store of tiles that the settings choose; raise as ``require_newest`` does."""
    tiles = open_tiles(settings, store)
    require_newest(settings, anchors, store, tiles)
    return tiles


def require_newest(
    settings: LogSettings, anchors: Anchors, store: GroupCommit, tiles: TileStore
) -> None:
    """Raise ``LogNotContinuedError`` where tiles or a witness show a checkpoint that the database lacks.

    Witnesses that do not answer in ``witness_timeout_seconds`` keep no exchange from starting (ADR 0016),
    and damaged tiles are the sequencer's to tell. Call it before anything is written.
    """
    known = [*_published(anchors, tiles), *_witnessed(settings, anchors)]
    # Read after they were asked: another process may be sequencing, and indexes come before signatures.
    signed, waiting, latest = store.run(_read)
    ours = _ours(signed, latest, anchors)
    require_continued(
        "the database",
        ours,
        signed.size + len(waiting),
        lambda size: _root_at(size, signed, waiting, tiles),
        known,
    )


def _published(anchors: Anchors, tiles: TileStore) -> Iterable[Known]:
    try:
        note = tiles.read(CHECKPOINT)
        return [] if note is None else [known_from_note(note, anchors, "the published log")]
    except (TileStoreError, TrustError):
        return []


def _witnessed(settings: LogSettings, anchors: Anchors) -> Iterable[Known]:
    if not anchors.bundle.witness_quorum:
        return []
    witnesses = named_witnesses(settings, anchors)
    return ask_witnesses(witnesses, anchors.log, settings.witness_timeout_seconds).known.values()


def _read(connection: Connection) -> tuple[Signed, list[bytes], int]:
    """Return what is signed, the entries that have an index beyond it, the time of the last (microseconds)."""
    signed = sequencing.signed(connection)
    waiting = (
        select(log_opening.c.entry)
        .where(log_opening.c.leaf_index >= signed.size)
        .order_by(log_opening.c.leaf_index)
    )
    state = table.state(connection)
    latest = 0 if state is None else state.latest_time
    return signed, list(connection.execute(waiting).scalars()), latest


def _ours(signed: Signed, latest: int, anchors: Anchors) -> Known | None:
    if not signed.note:
        return None
    try:
        return replace(
            known_from_note(signed.note, anchors, "the database"), at=from_micros(latest)
        )
    except TrustError:
        return None


def _root_at(size: int, signed: Signed, waiting: Sequence[bytes], tiles: TileStore) -> bytes | None:
    """Return the root of the first ``size`` entries; None where the tiles can't tell."""
    try:
        if size > signed.size:
            return grow(signed.size, signed.root, waiting[: size - signed.size], tiles.read).root
        reader = TileReader(fetch_from(tiles.read), signed.size)
        if merkle.root_at(signed.size, reader.node) != signed.root:
            return None
        return merkle.root_at(size, reader.node)
    except (TileDamagedError, TileStoreError, TrustError):
        return None
