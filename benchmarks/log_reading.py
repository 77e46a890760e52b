"""Making and checking proofs, and auditing a whole log: rates on one that our own code wrote."""

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine

from clients.auditor.audit import AuditOptions, audit
from clients.auditor.policy import LogTrust
from clients.auditor.source import open_source
from concordat import v1
from concordat.trust import merkle
from concordat.trust.checkpoint import Checkpoint, sign_checkpoint
from concordat.trust.keys import Ed25519Signer
from concordat.trust.note import ED25519, VerifierKey
from concordat.trust.tiles import TileReader
from exchange.log.growth import fetch_from, grow
from exchange.log.tile_store import FileTiles

ORIGIN = "bench.concordat/reading"
START = 1_780_000_000  # POSIX seconds of the first entry
AT_ONCE = 16_384
JOBS_MEASURED = (1, 2)


@dataclass(frozen=True, slots=True)
class BuiltLog:
    """A log in a directory."""

    folder: Path
    key: VerifierKey
    size: int
    root: bytes


def build(folder: Path, size: int) -> BuiltLog:
    """Write a log of ``size`` entries."""
    signer = Ed25519Signer.generate()
    tiles = FileTiles(folder)
    root = merkle.EMPTY_ROOT
    for first in range(0, size, AT_ONCE):
        entries = [_entry(number) for number in range(first, min(first + AT_ONCE, size))]
        grown = grow(first, root, entries, tiles.read)
        tiles.write(grown.tiles)
        root = grown.root
    note = sign_checkpoint(Checkpoint(ORIGIN, size, root), signer)
    with create_engine("sqlite://").connect() as unused:
        tiles.publish(unused, note)
    return BuiltLog(folder, VerifierKey(ORIGIN, ED25519, signer.public_key), size, root)


def _entry(number: int) -> bytes:
    entry = v1.LogEntry(
        kind=v1.LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT,
        record_id=hashlib.sha256(b"record %d" % number).digest()[:16],
        commitment=hashlib.sha256(b"commitment %d" % number).digest(),
    )
    entry.logged_at.FromSeconds(START + number)
    return entry.SerializeToString(deterministic=True)


def proof_rates(log: BuiltLog, seconds: float) -> dict[str, float]:
    """Return proofs a second, made and checked: of random entries and from random sizes, tiles in memory."""
    size, chance = log.size, random.Random(1)
    reader = TileReader(fetch_from(FileTiles(log.folder).read), size, cached=size)
    places = [chance.randrange(1, size) for _ in range(2_000)]
    for place in places:  # reads the tiles
        reader.leaf_hash(place)
    leaves = [reader.leaf_hash(place) for place in places]
    older = [merkle.root_at(place, reader.node) for place in places]
    inclusion = [merkle.inclusion_proof(place, size, reader.node) for place in places]
    consistency = [merkle.consistency_proof(place, size, reader.node) for place in places]

    def rate(one: Callable[[int], object]) -> float:
        return _rate(one, len(places), seconds / 4)

    return {
        "proof_per_s": rate(lambda n: merkle.inclusion_proof(places[n], size, reader.node)),
        "verify_per_s": rate(
            lambda n: merkle.verify_inclusion(leaves[n], places[n], size, inclusion[n], log.root)
        ),
        "consistency_proof_per_s": rate(
            lambda n: merkle.consistency_proof(places[n], size, reader.node)
        ),
        "consistency_verify_per_s": rate(
            lambda n: merkle.verify_consistency(places[n], older[n], size, log.root, consistency[n])
        ),
    }


def _rate(one: Callable[[int], object], count: int, seconds: float) -> float:
    done, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        for n in range(count):
            one(n)
        done += count
    return done / took


def audit_rates(log: BuiltLog) -> dict[str, float]:
    """Return entries a second through the auditor, in one process and in two; each process starts anew."""
    names = {1: "audit_entries_per_s", 2: "audit_2_jobs_entries_per_s"}
    return {names[jobs]: _audit_rate(log, jobs) for jobs in JOBS_MEASURED}


def _audit_rate(log: BuiltLog, jobs: int) -> float:
    began = time.perf_counter()
    with open_source(str(log.folder)) as source:
        report = audit(source, LogTrust(log.key), AuditOptions(jobs=jobs))
    assert report.audited == log.size
    return log.size / (time.perf_counter() - began)
