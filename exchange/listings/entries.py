"""What the index keeps of a listing in force, and how it is packed: a record of 56 bytes.

A record begins with the first half of the subject_ref. The ref is a MAC under the registrar's secret key, so
nobody can choose one, and half of it tells subjects apart: that any two of 10^7 listed and 10^9 asked about
share these 128 bits has a probability of 3 in 10^23.
"""

import struct
from collections.abc import Container, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REF_BYTES = 32
KEY_BYTES = 16
ID_BYTES = 16
LAST_DAY = 0xFFFF  # in the year 2149
MOST_ROWS = 0xFFFF  # listings of one subject


@dataclass(frozen=True, slots=True)
class Entry:
    """A listing as lenders are told of it. Kind, mark, band and basis are the enums' numbers, to 255.

    A day is a number of days since 1970, 0 to 65,535.
    """

    subject_ref: bytes  # 32 bytes
    listing_id: bytes  # 16 bytes
    kind: int
    mark: int
    band: int
    basis: int
    delinquent_day: int
    effective_day: int
    settled_day: int  # 0 where it is not settled
    expires_at: int  # microseconds since 1970; shown until then, exclusive
    feed: int = 0  # number of the court's feed that must be fresh, 1 to 65,535; 0 for none
    worded: bool = False  # the subject has added its own words


# Many entries as an array: fields as in ``Entry``.
ENTRIES = np.dtype(
    [
        ("subject_ref", "V32"),
        ("listing_id", "V16"),
        ("kind", "u1"),
        ("mark", "u1"),
        ("band", "u1"),
        ("basis", "u1"),
        ("delinquent_day", "i4"),
        ("effective_day", "i4"),
        ("settled_day", "i4"),
        ("expires_at", "i8"),
        ("feed", "u2"),
        ("worded", "?"),
    ]
)
_DAYS = ("delinquent_day", "effective_day", "settled_day")

RECORD = np.dtype(
    [
        ("high", "u8"),  # the key's first and second half, as this machine reads them
        ("low", "u8"),
        ("expires_at", "i8"),
        ("listing_id", "V16"),
        ("delinquent_day", "u2"),
        ("effective_day", "u2"),
        ("settled_day", "u2"),
        ("feed", "u2"),
        ("rows", "u2"),  # how many records of the subject are left, this one and those behind it
        ("kind", "u1"),
        ("mark", "u1"),
        ("band", "u1"),
        ("basis", "u1"),
        ("worded", "?"),
        ("unused", "u1"),
    ]
)
RECORD_BYTES = RECORD.itemsize
Records = NDArray[np.void]  # of dtype RECORD, contiguous

# The same record, packed and read in part.
_RECORD = struct.Struct("=QQq16sHHHHHBBBB?x")
_CHECKED = struct.Struct("=QQq22xHH").unpack_from
_TOLD = struct.Struct("=16xq16sHHHH2xBBBB?x").unpack_from
_ORDER = struct.Struct("=24x16sH14x").unpack
_ROWS = struct.Struct("=H")
_ROWS_AT = 48

# The halves of the key, from a subject_ref; raises ``struct.error`` where that has not 32 bytes.
halves = struct.Struct("=QQ16x").unpack
_halves_of_key = struct.Struct("=QQ").unpack

# No listing, and never shown. It stands behind all records, and for a subject that has none any more.
_END = 0xFFFF_FFFF_FFFF_FFFF
BLANK = _RECORD.pack(_END, _END, -(1 << 63), bytes(ID_BYTES), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def pack(entry: Entry) -> bytes:
    """Return an entry's record, as the only one; raise ``ValueError`` where a field is out of bounds."""
    require_ids(entry.subject_ref, entry.listing_id)
    try:
        return _RECORD.pack(
            *halves(entry.subject_ref),
            entry.expires_at,
            entry.listing_id,
            entry.delinquent_day,
            entry.effective_day,
            entry.settled_day,
            entry.feed,
            1,
            entry.kind,
            entry.mark,
            entry.band,
            entry.basis,
            entry.worded,
        )
    except struct.error as error:
        raise ValueError(f"a field of {entry} is out of bounds: {error}") from error


def unpack(subject_ref: bytes, records: bytes | memoryview, at: int) -> Entry:
    """Return the entry of the record that begins at byte ``at``."""
    expires_at, listing_id, delinquent, effective, settled, feed, *rest = _TOLD(records, at)
    kind, mark, band, basis, worded = rest
    return Entry(
        subject_ref,
        listing_id,
        kind,
        mark,
        band,
        basis,
        delinquent,
        effective,
        settled,
        expires_at,
        feed,
        worded,
    )


def require_ids(subject_ref: bytes, listing_id: bytes) -> None:
    """Raise ``ValueError`` where either has not as many bytes as it must."""
    if len(subject_ref) != REF_BYTES or len(listing_id) != ID_BYTES:
        raise ValueError(f"a subject_ref has {REF_BYTES} bytes and a listing_id {ID_BYTES}")


def visible(
    subject_ref: bytes,
    key: tuple[int, int],
    records: bytes | memoryview,
    at: int,
    now: int,
    live: Container[int],
) -> list[Entry]:
    """Return the entries to show of a subject, from where its records begin or would begin.

    ``key`` is what ``halves`` returns. Where the subject has no records, those of the one behind it are read
    and checked in their place, so that what this does depends on how many records somebody has, and not on
    why nothing is shown. Hence no ``and``.
    """
    high, low = key
    shown = []
    while True:
        its_high, its_low, expires_at, feed, rows = _CHECKED(records, at)
        theirs = (its_high == high) & (its_low == low)
        if theirs & (now < expires_at) & ((not feed) | (feed in live)):
            shown.append(unpack(subject_ref, records, at))
        if (rows <= 1) & ((its_high != high) | (its_low >= low)):
            return shown  # the last, and not before theirs
        at += RECORD_BYTES


def records_of(key: bytes, records: bytes | memoryview, at: int) -> bytes:
    """Return a subject's records, from where they begin or would begin; ``BLANK`` where it has none."""
    high, low = _halves_of_key(key)
    while True:
        its_high, its_low, _, _, rows = _CHECKED(records, at)
        if its_high != high or its_low >= low:
            break
        at += RECORD_BYTES
    if (its_high, its_low) != (high, low):
        return BLANK
    return bytes(records[at : at + RECORD_BYTES * rows]) or BLANK


def pack_array(entries: NDArray[np.void]) -> Records:
    """Return the records of an array of dtype ``ENTRIES``.

    Raises ``ValueError`` where it is of another, or a day is out of bounds.
    """
    if entries.dtype != ENTRIES or entries.ndim != 1:
        raise ValueError(f"one dimension of ENTRIES is needed, not {entries.dtype}")
    for name in _DAYS:
        if ((entries[name] < 0) | (entries[name] > LAST_DAY)).any():
            raise ValueError(f"{name} must be 0 to {LAST_DAY}")
    records = np.zeros(len(entries), RECORD)
    for name in (ENTRIES.fields or {}).keys() - {"subject_ref"}:
        records[name] = entries[name]
    refs = np.ascontiguousarray(entries["subject_ref"]).view(np.uint64)
    records["high"], records["low"] = refs.reshape(-1, REF_BYTES // 8)[:, :2].T
    records["rows"] = 1
    return records


def pack_all(entries: Iterable[Entry]) -> Records:
    """Return the records of entries; raise ``ValueError`` as ``pack``."""
    return np.frombuffer(b"".join(map(pack, entries)), RECORD)


def with_record(records: bytes, listing_id: bytes, record: bytes | None) -> bytes:
    """Return a subject's records with a listing's replaced, or without it where ``record`` is none.

    Returns ``BLANK`` where none are left. Raises ``ValueError`` where they are more than 65,535.
    """
    each = (records[at : at + RECORD_BYTES] for at in range(0, len(records), RECORD_BYTES))
    kept = [one for one in each if one != BLANK and _ORDER(one)[0] != listing_id]
    if record is not None:
        kept.append(record)
    if len(kept) > MOST_ROWS:
        raise ValueError(f"a subject has more than {MOST_ROWS} listings")
    kept.sort(key=lambda one: _ORDER(one)[::-1])
    return b"".join(map(_numbered, kept, range(len(kept), 0, -1))) or BLANK


def _numbered(record: bytes, rows: int) -> bytes:
    return record[:_ROWS_AT] + _ROWS.pack(rows) + record[_ROWS_AT + _ROWS.size :]


def count(records: bytes) -> int:
    """Return how many listings there are in a subject's records."""
    return 0 if records == BLANK else len(records) // RECORD_BYTES
