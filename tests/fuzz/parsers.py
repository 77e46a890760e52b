"""What must hold of every parser of the log's formats, whatever it is given.

Nothing but ``MalformedNoteError`` comes out of a parser, and what it accepts it writes back to the byte,
so that no two texts mean the same and a hash of one cannot be passed off for the other's.
"""

from collections.abc import Callable

from concordat.trust.checkpoint import Checkpoint, open_checkpoint
from concordat.trust.errors import MalformedNoteError, SignatureInvalidError
from concordat.trust.note import (
    SignedNote,
    VerifierKey,
    b64,
    decimal,
    parse_signature_lines,
)
from concordat.trust.proof import TlogProof
from concordat.trust.tiles import Tile, decode_bundle, encode_bundle, join_tile, split_tile
from concordat.trust.witness_request import AddCheckpoint
from tests.unit.concordat.trust import log_builders as log


def _text(raw: bytes) -> str:
    # Bytes that are no UTF-8 become lone surrogates, which a caller's string may hold as well.
    return raw.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _bundle(raw: bytes) -> bytes:
    width = raw[0] + 1 if raw else 1
    return raw[:1] + encode_bundle(decode_bundle(raw[1:], width))


def _tile(raw: bytes) -> bytes:
    width = raw[0] + 1 if raw else 1
    return raw[:1] + join_tile(split_tile(raw[1:], width))


def _signature_lines(raw: bytes) -> bytes:
    return b"".join(signature.line() for signature in parse_signature_lines(raw))


# Each parses and writes back.
ROUND_TRIPS: dict[str, Callable[[bytes], bytes]] = {
    "decimal": lambda raw: b"%d" % decimal(raw),
    "base64": lambda raw: log.b64(b64(raw)),
    "note": lambda raw: SignedNote.parse(raw).encode(),
    "signature lines": _signature_lines,
    "vkey": lambda raw: _bytes(str(VerifierKey.parse(_text(raw)))),
    "checkpoint": lambda raw: Checkpoint.parse(raw).text(),
    "tile path": lambda raw: _bytes(Tile.parse(_text(raw)).path),
    "tile": _tile,
    "bundle": _bundle,
    "tlog-proof": lambda raw: TlogProof.parse(raw).encode(),
    "add-checkpoint": lambda raw: AddCheckpoint.parse(raw).encode(),
}

SEEDS = [
    b"0",
    b"20852163",
    log.b64(bytes(range(32))),
    log.NOTE,
    log.WITNESSED,
    b"".join(signature.line() for signature in log.cosigned_by(0, 1)),
    str(log.LOG).encode(),
    str(log.WITNESSES[0]).encode(),
    log.CHECKPOINT.text(),
    b"tile/0/x001/x234/067.p/8",
    b"tile/entries/273.p/112",
    b"\x01" + bytes(64),
    b"\x02" + encode_bundle([b"a", b"", b"entry"]),
    TlogProof(5, (bytes(32), bytes(range(32))), log.WITNESSED, b"extra").encode(),
    AddCheckpoint(12, (bytes(32), bytes(range(32))), log.NOTE).encode(),
]


def check(raw: bytes) -> list[str]:
    """Return which parsers accepted ``raw``; raise where one breaks the promise above."""
    accepted = []
    for name, round_trip in ROUND_TRIPS.items():
        try:
            written = round_trip(raw)
        except MalformedNoteError:
            continue
        if written != raw:
            raise AssertionError(f"{name}: {raw!r} was read, but {written!r} is written")
        accepted.append(name)
    _check_opening(raw)
    return accepted


def _check_opening(raw: bytes) -> None:
    """Nobody who lacks the log's key opens another text than the one it signed."""
    try:
        opened = open_checkpoint(raw, log.LOG, log.WITNESSES)
    except (MalformedNoteError, SignatureInvalidError):
        return
    if opened.checkpoint != log.CHECKPOINT:
        raise AssertionError(f"forged: {raw!r}")
