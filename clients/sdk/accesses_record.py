"""What a wallet remembers of the list of accesses, as JSON: read strictly, for it is held against the exchange."""

import base64
import binascii
import json

from google.protobuf.message import DecodeError

from concordat import v1
from concordat.trust.merkle import HASH_BYTES
from concordat.verify.history import Kept

_COUNTS = ("length", "log_size")
_HASHES = ("head", "log_root")
_SIGNED = ("history", "checkpoint")


def kept_to_json(kept: Kept) -> bytes:
    """Return the file's content: counts as numbers, hashes in hex, what was signed in base64."""
    content = {
        "length": kept.length,
        "head": kept.head.hex(),
        "log_size": kept.log_size,
        "log_root": kept.log_root.hex(),
        "history": base64.b64encode(kept.history.SerializeToString()).decode(),
        "checkpoint": base64.b64encode(kept.checkpoint).decode(),
    }
    return json.dumps(content, indent=2).encode() + b"\n"


def kept_from_json(raw: bytes) -> Kept:
    """Read what ``kept_to_json`` wrote; raise ``ValueError`` for anything else."""
    try:
        content = json.loads(raw)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(content, dict) or set(content) != {*_COUNTS, *_HASHES, *_SIGNED}:
        raise ValueError("it is not what this wallet writes")
    length, log_size = (_count(content, name) for name in _COUNTS)
    head, root = (_hash(content, name) for name in _HASHES)
    history, checkpoint = (_bytes(content, name) for name in _SIGNED)
    try:
        envelope = v1.Envelope.FromString(history)
    except DecodeError as error:
        raise ValueError("history is no envelope") from error
    return Kept(length, head, log_size, root, envelope, checkpoint)


def _count(content: dict[str, object], name: str) -> int:
    value = content[name]
    if type(value) is not int or value < 0:  # a bool is an int too
        raise ValueError(f"{name} is no count")
    return value


def _hash(content: dict[str, object], name: str) -> bytes:
    value = content[name]
    decoded = bytes.fromhex(value) if isinstance(value, str) else b""
    if len(decoded) != HASH_BYTES or decoded.hex() != value:
        raise ValueError(f"{name} is not 32 bytes in hex")
    return decoded


def _bytes(content: dict[str, object], name: str) -> bytes:
    value = content[name]
    if not isinstance(value, str):
        raise ValueError(f"{name} is not base64")  # noqa: TRY004 - one error for a file, whatever it is
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{name} is not base64") from error
