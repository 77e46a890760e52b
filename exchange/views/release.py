"""Recording what goes out: in the access entry, and as an entry of the log, in one transaction.

Runs on the database thread over all releases that wait at once; see ``GroupCommit``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from concordat import v1
from concordat.clock import from_timestamp, to_micros
from concordat.refusal import Refusal
from concordat.v1 import DataCategory, ProviderOutcomeKind, Purpose, Reason
from exchange.drift.counting import ScoreCounter
from exchange.drift.table import Cell
from exchange.lenders import duties
from exchange.lenders.duties import Access
from exchange.limits.gate import Gate
from exchange.limits.rules import Tally
from exchange.listings import told
from exchange.listings.profile import Profiles
from exchange.listings.told import NOTHING, Shown
from exchange.log import records
from exchange.log import table as log
from exchange.log.records import Draft
from exchange.subjects.flag_table import NO_FLAGS, Flags, flags_of
from exchange.supervision.statistics import acts, counting
from exchange.supervision.statistics.table import Counted
from exchange.views import table

_NO_RECORD = ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_NO_RECORD

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
    flags: (
        tuple[bool, bool] | None
    )  # frozen and fraud alert as the answer tells them; None: not told
    flags_only: bool  # tells that the subject has frozen everything else
    shown: Shown = NOTHING
    nobody: bool | None = (
        None  # of a view: whether every provider said that it knows no such subject
    )
    cells: tuple[Cell, ...] = ()  # of a view: the bins that its scores are counted in
    purpose: Purpose.ValueType = Purpose.PURPOSE_UNSPECIFIED
    traffic: tuple[Counted, ...] = ()  # of a view: what it counts as in the statistics of its day

    @property
    def key(self) -> tuple[bytes, bytes]:
        """The access that it goes out under."""
        return self.draft.subject_ref, self.access_id

    @classmethod
    def of_view(
        cls,
        view: v1.View,
        digest: bytes,
        categories: Sequence[DataCategory.ValueType],
        shown: Shown = NOTHING,
        cells: tuple[Cell, ...] = (),
        waited: Mapping[str, timedelta] | None = None,
    ) -> "Release":
        """A view; ``waited`` is how long each provider took that answered."""
        return cls(
            records.release(view, digest, categories),
            view.receipt.access_id,
            view.lender,
            digest,
            view.WhichOneof("outcome") or "",
            from_timestamp(view.issued_at),
            _flags(view),
            flags_only=False,
            shown=shown,
            nobody=all(provider.kind == _NO_RECORD for provider in view.providers),
            cells=cells,
            purpose=view.purpose,
            traffic=acts.of_view(view, waited or {}),
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
            _flags(answer),
            flags_only=not answer.HasField("listings"),
            shown=shown,
            purpose=answer.purpose,
        )


def releasing(profiles: Profiles, gate: Gate) -> Bulk:
    """Return the bulk job that records releases; make it once, so that releases are recorded together."""
    counter = ScoreCounter()

    def release_many(connection: Connection, releases: Sequence[Release]) -> list[bytes | Refusal]:
        """Record each release; return the record ids of their entries in the log, or why not."""
        flags = flags_of(connection, [release.draft.subject_ref for release in releases])
        shown = {place: release.shown for place, release in enumerate(releases)}
        latest = max(release.at for release in releases)
        changed = told.changed(connection, profiles, shown, latest)
        stopped = [
            _stopped(
                release, flags.get(release.draft.subject_ref, NO_FLAGS), changed=place in changed
            )
            for place, release in enumerate(releases)
        ]
        good = [
            release for release, refusal in zip(releases, stopped, strict=True) if refusal is None
        ]
        enter(connection, good, counter)
        _note(connection, gate, good, latest)
        return [
            refusal or release.draft.record_id
            for release, refusal in zip(releases, stopped, strict=True)
        ]

    return release_many


def _count(connection: Connection, counter: ScoreCounter | None, good: Sequence[Release]) -> None:
    """Count where scores lie and what outcomes are owed, once an access: what is read again was counted before."""
    counted = {
        each.key: each for each in good if each.cells or each.traffic or each.purpose in duties.OWED
    }
    if not counted:
        return
    fresh = table.not_released(connection, counted)
    scored = [(counted[key].at, counted[key].cells) for key in fresh if counted[key].cells]
    if counter is not None and scored:
        counter.count(connection, scored)
    counting.count(connection, [(counted[key].at, counted[key].traffic) for key in fresh])
    owed = [key for key in fresh if counted[key].purpose in duties.OWED]
    duties.owe(connection, [Access(counted[key].lender, fresh[key]) for key in owed])


def enter(
    connection: Connection, releases: Sequence[Release], counter: ScoreCounter | None = None
) -> None:
    """Record releases that were found good in this transaction, and who was told of which listings."""
    if not releases:
        return
    _count(connection, counter, releases)
    table.release(connection, [_row(release) for release in releases])
    log.enqueue(connection, [release.draft for release in releases])
    told.record(
        connection,
        [(each.lender, each.shown, each.digest, to_micros(each.at)) for each in releases],
    )


def _stopped(release: Release, flags: Flags, *, changed: bool) -> Refusal | None:
    """Return why a release must not go out: frozen, or something that it tells changed, since it was made."""
    if flags.frozen and not release.flags_only:
        return Refusal(Reason.REASON_SUBJECT_FROZEN)
    if changed:
        return Refusal(Reason.REASON_LISTINGS_STALE, "a listing changed meanwhile; ask again")
    if release.flags is not None and release.flags != (flags.frozen, flags.fraud_alert):
        return Refusal(Reason.REASON_LISTINGS_STALE, "a flag changed meanwhile; ask again")
    return None


def _note(connection: Connection, gate: Gate, good: Sequence[Release], at: datetime) -> None:
    """Count what each lender was answered, and how much of it was of somebody whom no provider knows."""
    views: dict[str, list[bool]] = {}
    for release in good:
        if release.nobody is not None:
            views.setdefault(release.lender, []).append(release.nobody)
    for lender, nobody in sorted(views.items()):
        gate.note(connection, lender, at, Tally(answered=len(nobody), no_match=sum(nobody)))


def _flags(answer: v1.View | v1.ListingAnswer) -> tuple[bool, bool] | None:
    if not answer.HasField("flags"):
        return None
    return answer.flags.frozen, answer.flags.fraud_alert


def _row(release: Release) -> dict[str, object]:
    return {
        "key_ref": release.draft.subject_ref,
        "key_id": release.access_id,
        "at": to_micros(release.at),
        "outcome": release.outcome,
        "digest": release.digest,
    }
