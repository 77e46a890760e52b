"""Recording what goes out: in the access entry, and as an entry of the log, in one transaction.

Runs on the database thread over all releases that wait at once; see ``GroupCommit``.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from concordat import v1
from concordat.clock import from_timestamp, to_micros
from concordat.refusal import Refusal
from concordat.v1 import DataCategory, Reason
from exchange.listings import told
from exchange.listings.profile import Profiles
from exchange.listings.told import NOTHING, Shown
from exchange.log import records
from exchange.log import table as log
from exchange.log.records import Draft
from exchange.subjects.flag_table import flags_of
from exchange.views import table

Bulk = Callable[[Connection, Sequence["Release"]], list[bytes | Refusal]]


@dataclass(frozen=True, slots=True)
class Release:
    """A signed answer that is about to go out, and the listings that it shows."""

    draft: Draft  # of its entry in the log
    access_id: bytes
    lender: str
    digest: bytes
    outcome: str
    at: datetime
    flags_only: bool  # tells that the subject has frozen everything else
    shown: Shown = NOTHING

    @classmethod
    def of_view(
        cls,
        view: v1.View,
        digest: bytes,
        categories: Sequence[DataCategory.ValueType],
        shown: Shown = NOTHING,
    ) -> "Release":
        """A view."""
        return cls(
            records.release(view, digest, categories),
            view.receipt.access_id,
            view.lender,
            digest,
            view.WhichOneof("outcome") or "",
            from_timestamp(view.issued_at),
            flags_only=False,
            shown=shown,
        )

    @classmethod
    def of_listings(
        cls,
        answer: v1.ListingAnswer,
        digest: bytes,
        categories: Sequence[DataCategory.ValueType],
        shown: Shown = NOTHING,
    ) -> "Release":
        """A listing answer."""
        return cls(
            records.listing_release(answer, digest, categories),
            answer.access_id,
            answer.lender,
            digest,
            "listings",
            from_timestamp(answer.issued_at),
            flags_only=not answer.HasField("listings"),
            shown=shown,
        )


def releasing(profiles: Profiles) -> Bulk:
    """Return the bulk job that records releases; make it once, so that releases are recorded together."""

    def release_many(connection: Connection, releases: Sequence[Release]) -> list[bytes | Refusal]:
        """Record each release; return the record ids of their entries in the log, or why not."""
        flags = flags_of(connection, [release.draft.subject_ref for release in releases])
        frozen = {ref for ref, each in flags.items() if each.frozen}
        refused = {
            place: refusal
            for place, release in enumerate(releases)
            if (refusal := _stopped(connection, profiles, release, frozen)) is not None
        }
        good = [release for place, release in enumerate(releases) if place not in refused]
        if good:
            table.release(connection, [_row(release) for release in good])
            log.enqueue(connection, [release.draft for release in good])
        for release in good:
            at = to_micros(release.at)
            told.record(connection, release.lender, release.shown, release.digest, at)
        return [
            refused.get(place, release.draft.record_id) for place, release in enumerate(releases)
        ]

    return release_many


def _stopped(
    connection: Connection, profiles: Profiles, release: Release, frozen: Collection[bytes]
) -> Refusal | None:
    """Return why a release must not go out: frozen, or a listing changed, since it was made."""
    if release.draft.subject_ref in frozen and not release.flags_only:
        return Refusal(Reason.REASON_SUBJECT_FROZEN)
    try:
        told.require_unchanged(connection, profiles, [release.shown], release.at)
    except Refusal as refusal:
        return refusal
    return None


def _row(release: Release) -> dict[str, object]:
    return {
        "key_ref": release.draft.subject_ref,
        "key_id": release.access_id,
        "at": to_micros(release.at),
        "outcome": release.outcome,
        "digest": release.digest,
    }
