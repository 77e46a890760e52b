"""Proofs that an entry is in a log: made from its tiles, checked offline by anyone (C2SP tlog-proof)."""

from collections.abc import Callable
from dataclasses import dataclass

from clients.auditor.entries import CheckEntry, check_log_entry
from clients.auditor.errors import SEEN_NOTE, BundleWrong, EntryNotFound, LogWrong, ProofWrong
from clients.auditor.policy import LogTrust
from clients.auditor.source import LogSource
from concordat.trust.checkpoint import SignedCheckpoint
from concordat.trust.errors import MalformedNoteError, TrustError
from concordat.trust.merkle import inclusion_proof, leaf_hash
from concordat.trust.proof import TlogProof, verify_tlog_proof
from concordat.trust.tiles import ENTRIES, WIDTH, TileReader, decode_bundle, tile_at


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry, and the proof that it is in the log."""

    entry: bytes
    proof: TlogProof
    checkpoint: SignedCheckpoint


def prove(
    source: LogSource, trust: LogTrust, index: int, checkpoint: SignedCheckpoint | None = None
) -> Proven:
    """Prove that entry ``index`` is in the log, by its current checkpoint or the one given.

    The proof was verified before it is returned. Raises ``EntryNotFound`` outside the log, and
    ``LogWrong`` where the tiles do not prove what the log signed.
    """
    checkpoint = checkpoint or trust.open(source.checkpoint())
    if not 0 <= index < checkpoint.size:
        raise EntryNotFound(
            f"the log has {checkpoint.size:,} entries, from 0", where=f"entry {index}"
        )
    entry = _bundle(source, checkpoint, index // WIDTH)[index % WIDTH]
    read = TileReader(source.tile, checkpoint.size).node
    hashes = tuple(inclusion_proof(index, checkpoint.size, read))
    proof = TlogProof(index, hashes, checkpoint.note)
    try:
        verify_tlog_proof(proof, leaf_hash(entry), trust.log, trust.witnesses, trust.quorum)
    except TrustError as error:
        text = f"the tiles do not prove that the log holds it: {error}"
        evidence = {
            SEEN_NOTE: checkpoint.note,
            "entry.bin": entry,
            "entry.tlog-proof": proof.encode(),
        }
        raise LogWrong(text, where=f"entry {index}", evidence=evidence) from error
    return Proven(entry, proof, checkpoint)


def find_record(
    source: LogSource,
    checkpoint: SignedCheckpoint,
    record_id: bytes,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
    check: CheckEntry = check_log_entry,
) -> int:
    """Return the index of the newest entry with a record id, searching from the newest back.

    ``progress`` is told how many entries were looked at, of how many. What is found counts for nothing
    until it is proven; raises ``EntryNotFound`` where there is none.
    """
    size = checkpoint.size
    for bundle in range((size - 1) // WIDTH, -1, -1):
        entries = _bundle(source, checkpoint, bundle)
        for place in range(len(entries) - 1, -1, -1):
            if record_id in entries[place] and _record_id(entries[place], check) == record_id:
                return bundle * WIDTH + place
        progress(size - bundle * WIDTH, size)
    raise EntryNotFound(f"none of {size:,} entries has it", where=f"record {record_id.hex()}")


def check_proof(raw: bytes, entry: bytes, trust: LogTrust) -> tuple[int, SignedCheckpoint]:
    """Check offline that ``entry`` is in the log; return its index and the checkpoint that shows it.

    Raises ``ProofWrong``.
    """
    try:
        proof = TlogProof.parse(raw)
        opened = verify_tlog_proof(
            proof, leaf_hash(entry), trust.log, trust.witnesses, trust.quorum
        )
    except TrustError as error:
        raise ProofWrong(str(error)) from error
    return proof.index, opened


def _record_id(entry: bytes, check: CheckEntry) -> bytes:
    try:
        return check(entry).record_id
    except TrustError:
        return b""


def _bundle(source: LogSource, checkpoint: SignedCheckpoint, index: int) -> list[bytes]:
    tile = tile_at(ENTRIES, index, checkpoint.size)
    content = source.tile(tile)
    try:
        return decode_bundle(content, tile.width)
    except MalformedNoteError as error:
        raise BundleWrong(str(error), where=tile.path, evidence={tile.path: content}) from error
