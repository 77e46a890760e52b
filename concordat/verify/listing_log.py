"""A subject's listings held against its own entries in the log: what moved a listing stands in both."""

from collections.abc import Iterable, Iterator

from concordat.v1 import ListingActKind
from concordat.verify.history import HistoryEntry
from concordat.verify.listing_history import CheckedListing

_STEPS = frozenset(
    {
        ListingActKind.LISTING_ACT_KIND_FILED,
        ListingActKind.LISTING_ACT_KIND_JOINED,
        ListingActKind.LISTING_ACT_KIND_EVENT,
        ListingActKind.LISTING_ACT_KIND_DISPUTED,
        ListingActKind.LISTING_ACT_KIND_RULED,
    }
)


def left_out(listings: Iterable[CheckedListing], entries: Iterable[HistoryEntry]) -> Iterator[str]:
    """Yield which steps the log has and the listings lack.

    ``entries`` are all of the subject's, each proved to be in the log and none missing, as they were *before*
    the listings were fetched: a step that came in between is no fault.
    """
    shown = {
        checked.listing.listing_id: {step.digest for step in checked.steps} for checked in listings
    }
    for entry in entries:
        if entry.record is None or entry.record.WhichOneof("act") != "listing":
            continue  # another act, or one whose record was erased
        act = entry.record.listing
        if act.kind in _STEPS and act.digest not in shown.get(act.listing_id, set()):
            name = act.listing_id.hex()
            yield f"entry {entry.index} of the log is a step of listing {name}, and is left out"
