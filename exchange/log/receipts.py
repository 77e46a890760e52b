"""Making receipts: an opening's row and a tree that holds its entry, put together."""

from concordat import v1
from concordat.trust import merkle
from concordat.trust.commitment import link_commitment
from concordat.trust.tiles import TileReader
from exchange.log.table import Opening


def opening_of(row: Opening) -> v1.LogOpening | None:
    """Return what opens an entry for a party; None where it was erased."""
    if row.record is None or row.salt is None:
        return None
    link = link_commitment(row.sequence, row.previous, row.link_salt)
    return v1.LogOpening(record=row.record, salt=row.salt, link_commitment=link)


def receipt_of(row: Opening, size: int, note: bytes, reader: TileReader) -> v1.LogReceipt:
    """Return the proof that an entry is in the log of ``size`` that ``note`` signs."""
    return v1.LogReceipt(
        entry=row.entry,
        opening=opening_of(row),
        index=row.leaf_index,
        proof=merkle.inclusion_proof(row.leaf_index, size, reader.node),
        checkpoint=note,
    )


def require_proved(receipt: v1.LogReceipt | v1.SubjectLogEntry, size: int, root: bytes) -> None:
    """Raise ``ProofInvalidError`` unless the proof holds: the tiles it is made of may be damaged."""
    leaf = merkle.leaf_hash(receipt.entry)
    merkle.verify_inclusion(leaf, receipt.index, size, receipt.proof, root)


def subject_entry_of(row: Opening, size: int, reader: TileReader) -> v1.SubjectLogEntry:
    """Return an entry as its subject gets it: with its link, and erased or not."""
    return v1.SubjectLogEntry(
        entry=row.entry,
        opening=opening_of(row),
        record_commitment=row.record_commitment if row.record is None else b"",
        erased_under=row.erased_under or b"",
        link=v1.LogLink(salt=row.link_salt, sequence=row.sequence, previous=row.previous),
        index=row.leaf_index,
        proof=merkle.inclusion_proof(row.leaf_index, size, reader.node),
    )
