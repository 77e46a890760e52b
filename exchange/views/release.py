"""Recording what goes out: in the access entry, and as an entry of the log, in one transaction.

Runs on the database thread over all releases that wait at once; see ``GroupCommit``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from concordat import v1
from concordat.clock import from_timestamp, to_micros
from concordat.v1 import DataCategory
from exchange.log import records
from exchange.log import table as log
from exchange.views import table


@dataclass(frozen=True, slots=True)
class Release:
    """A signed view that is about to go out."""

    view: v1.View
    digest: bytes
    categories: Sequence[DataCategory.ValueType]


def release_many(connection: Connection, releases: Sequence[Release]) -> list[bytes]:
    """Record each release; return the record ids of their entries in the log."""
    drafts = [records.release(r.view, r.digest, r.categories) for r in releases]
    table.release(connection, [_row(release) for release in releases])
    log.enqueue(connection, drafts)
    return [draft.record_id for draft in drafts]


def _row(release: Release) -> dict[str, object]:
    view = release.view
    return {
        "key_ref": view.subject_ref,
        "key_id": view.receipt.access_id,
        "at": to_micros(from_timestamp(view.issued_at)),
        "outcome": view.WhichOneof("outcome"),
        "digest": release.digest,
    }
