"""A log that the exchange's own code grew, and every proof that our code can make of it, as files.

log/            as it is served: ``checkpoint``, tiles and bundles
checkpoints     the checkpoint after each batch, each after its length (4 bytes, big-endian)
inclusion       a proof for each entry: how many hashes (1 byte), then the hashes
consistency     the same for each size from 1 on, to the whole log
"""

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine

from concordat import v1
from concordat.trust import merkle
from concordat.trust.checkpoint import (
    Checkpoint,
    add_signatures,
    cosign_checkpoint,
    sign_checkpoint,
)
from concordat.trust.keys import Ed25519Signer
from concordat.trust.note import COSIGNATURE_V1, ED25519, SignedNote, VerifierKey
from concordat.trust.tiles import TileReader
from exchange.log.growth import fetch_from, grow
from exchange.log.sequencing import MAX_BATCH
from exchange.log.tile_store import FileTiles

ORIGIN = "interop.concordat/log"
WITNESS = "interop.concordat/witness"
START = 1_780_000_000  # POSIX seconds of the first entry

Progress = Callable[[str, int, int], None]
"""Told what is done, how far, and of how much."""


@dataclass(frozen=True, slots=True)
class Material:
    """Where it is, with the keys that vouch for it."""

    folder: Path
    log: VerifierKey
    witness: VerifierKey
    size: int

    @property
    def tiles(self) -> FileTiles:
        """The log's files."""
        return FileTiles(self.folder / "log")

    def root_at(self, size: int) -> bytes:
        """Return the root of the first ``size`` entries."""
        return merkle.root_at(size, TileReader(fetch_from(self.tiles.read), self.size).node)


class _Notary:
    """Signs and cosigns with fresh keys."""

    def __init__(self) -> None:
        self._log, self._witness = Ed25519Signer.generate(), Ed25519Signer.generate()
        self.log = VerifierKey(ORIGIN, ED25519, self._log.public_key)
        self.witness = VerifierKey(WITNESS, COSIGNATURE_V1, self._witness.public_key)

    def sign(self, size: int, root: bytes) -> bytes:
        note = sign_checkpoint(Checkpoint(ORIGIN, size, root), self._log)
        text = SignedNote.parse(note).text
        return add_signatures(note, [cosign_checkpoint(text, WITNESS, self._witness, START + size)])


def make(folder: Path, size: int, progress: Progress, seed: int = 6962) -> Material:
    """Grow a log of ``size`` entries into an empty ``folder``, in batches of many sizes, and prove it all."""
    notary = _Notary()
    _grow(folder, size, notary, random.Random(seed), progress)  # noqa: S311 - sizes of batches
    material = Material(folder, notary.log, notary.witness, size)
    read = TileReader(fetch_from(material.tiles.read), size, cached=1024).node
    inclusion = (merkle.inclusion_proof(index, size, read) for index in range(size))
    consistency = (merkle.consistency_proof(old, size, read) for old in range(1, size + 1))
    _write_proofs(folder / "inclusion", inclusion, size, progress)
    _write_proofs(folder / "consistency", consistency, size, progress)
    return material


def _grow(
    folder: Path, size: int, notary: _Notary, chance: random.Random, progress: Progress
) -> None:
    """Do what the sequencer does to tiles and checkpoint, batch by batch."""
    tiles = FileTiles(folder / "log")
    unused = create_engine("sqlite://").connect()  # files are published without the database
    have, root = 0, merkle.EMPTY_ROOT
    with (folder / "checkpoints").open("wb") as notes, unused as connection:
        while have < size:
            count = min(chance.choice((1, 2, 255, 256, 257, MAX_BATCH)), size - have)
            grown = grow(have, root, list(_entries(have, count)), tiles.read)
            tiles.write(grown.tiles)
            have, root = grown.size, grown.root
            note = notary.sign(have, root)
            tiles.publish(connection, note)
            notes.write(len(note).to_bytes(4, "big") + note)
            progress("entries logged by our code", have, size)


def _entries(first: int, count: int) -> Iterator[bytes]:
    for number in range(first, first + count):
        entry = v1.LogEntry(
            kind=v1.LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT,
            record_id=hashlib.sha256(b"record %d" % number).digest()[:16],
            commitment=hashlib.sha256(b"commitment %d" % number).digest(),
        )
        entry.logged_at.FromSeconds(START + number)
        yield entry.SerializeToString(deterministic=True)


def _write_proofs(path: Path, proofs: Iterable[list[bytes]], size: int, progress: Progress) -> None:
    with path.open("wb") as file:
        for done, proof in enumerate(proofs, 1):
            file.write(bytes([len(proof)]) + b"".join(proof))
            progress(f"{path.name} proofs made by our code", done, size)
