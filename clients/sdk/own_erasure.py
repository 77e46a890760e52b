"""A wallet's erasure: done on what its person has read and on nothing else, once, and remembered where it went.

The exchange erases what can go at the moment in which it is asked. So the wallet looks once more just before, and
where that is not what was read, nothing is asked for: it is shown anew.

    wallet/erasure.asked    the signed request, from before it is sent until the wallet has forgotten what went

Where the answer is lost on its way, the log tells whether the request was carried out. Only then, and while they
are not too old, are the same bytes sent again, which erases nothing more, for the answer that they had.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from google.protobuf.message import DecodeError

from clients.language import plural
from clients.sdk.client import WalletClient
from clients.sdk.errors import AnswerNotVerified, ClientError, WalletError, may_pass
from clients.sdk.listing_store import ListingStore
from clients.sdk.own_accesses import list_and_keep
from clients.sdk.subject_report import make_erasure_request
from clients.sdk.wallet_atomically import write_atomically
from clients.sdk.wallet_file import WalletFolder
from concordat import v1
from concordat.clock import from_timestamp
from concordat.rpc.errors import RemoteError
from concordat.statements import digest_of
from concordat.v1 import ErasureCategory, ErasureRule, Reason
from concordat.verify.history import HistoryEntry

ASKED = "erasure.asked"
LOGGED_WITHIN = timedelta(minutes=10)
"""After a request is too old to be carried out, an entry that is not in the log yet may still come for so long."""


class ErasurePreviewChanged(ClientError):  # noqa: N818 - read as a finding
    """What would go, or stay, is not what was read any more; nothing was erased. ``newer`` is what it is now."""

    def __init__(self, newer: v1.ErasureOutcome) -> None:
        """Tell what would be now."""
        super().__init__(
            "what would go, or what would stay, has changed since you read it; nothing was erased: read it again"
        )
        self.newer = newer


@dataclass(frozen=True, slots=True)
class LateErasure:
    """An erasure whose answer was lost: its entry in the log, and the answer where it can still be had."""

    outcome: v1.ErasureOutcome | None
    entry: HistoryEntry


def erase_as_read(
    client: WalletClient, store: ListingStore, read: v1.ErasureOutcome | None, at: datetime
) -> v1.ErasureOutcome:
    """Have erased what can go, if that is what was ``read`` in a preview; None for whatever it is.

    Whoever calls holds the wallet's lock, has asked for what is late (``settle_late``), and has the wallet
    forget what went (``forget_erased``). Raises ``ErasurePreviewChanged``, ``RemoteError``, and
    ``AnswerNotVerified``.
    """
    if read is not None:
        newer = client.erase(store.key, preview=True)
        if not _is_same(read, newer):
            raise ErasurePreviewChanged(newer)
    federation = store.held.anchors.federation
    request = make_erasure_request(store.key, federation, at, preview=False)
    write_atomically(_asked(store), request.SerializeToString())
    return _send(client, store, request)


def _send(client: WalletClient, store: ListingStore, request: v1.Envelope) -> v1.ErasureOutcome:
    """Send a request; one that is refused for good is forgotten, one that was carried out by ``forget_erased``."""
    try:
        return client.erase_by(store.key, request)
    except RemoteError as error:
        if not may_pass(error):
            _asked(store).unlink(missing_ok=True)
        raise


def settle_late(client: WalletClient, store: ListingStore, at: datetime) -> LateErasure | None:
    """Find out what became of an erasure whose answer never came; None where there is none, or it was not done.

    It erases nothing: what is not in the log has to be agreed to anew. Whoever calls holds the wallet's lock.
    Raises ``RemoteError`` where that cannot be told now, ``AnswerNotVerified``, and ``HistoryBrokenError``.
    """
    request = _read_asked(store)
    if request is None:
        return None
    asked = v1.ErasureRequest.FromString(request.payload)
    is_over = at >= from_timestamp(asked.expires_at)
    entry = entry_of(list_and_keep(client, store.held).entries, digest_of(request))
    if entry is None or entry.record is None:
        if at >= from_timestamp(asked.expires_at) + LOGGED_WITHIN:
            _asked(store).unlink(missing_ok=True)  # it was not done, and can't be any more
        return None
    if not is_over:
        try:
            return LateErasure(_send(client, store, request), entry)
        except RemoteError as error:
            if error.reason != Reason.REASON_STATEMENT_NOT_FRESH:
                raise
    _forget(client, store, entry.record.erasure_request.erased)
    return LateErasure(None, entry)


def is_unanswered(held: WalletFolder) -> bool:
    """Tell whether an erasure was asked for and is not settled: no answer came, or it was not taken in here."""
    return (held.folder / ASKED).exists()


def _read_asked(store: ListingStore) -> v1.Envelope | None:
    path = _asked(store)
    try:
        request = v1.Envelope.FromString(path.read_bytes())
        v1.ErasureRequest.FromString(request.payload)
    except FileNotFoundError:
        return None
    except (OSError, DecodeError) as error:
        raise WalletError(f"cannot read {path}: {error}; move it away to go on") from error
    return request


def _asked(store: ListingStore) -> Path:
    return store.held.folder / ASKED


def _is_same(one: v1.ErasureOutcome, other: v1.ErasureOutcome) -> bool:
    """Tell whether two previews name the same things, reasons, dates and members."""
    return _plan(one) == _plan(other)


def _plan(outcome: v1.ErasureOutcome) -> tuple[list[bytes], list[bytes], list[str]]:
    return _items(outcome.gone), _items(outcome.kept), sorted(outcome.ask_too)


def _items(items: Iterable[v1.ErasureItem]) -> list[bytes]:
    """Return items to compare; what waits for the log is always said to go a minute later, which says nothing."""
    plain = []
    for item in items:
        one = v1.ErasureItem()
        one.CopyFrom(item)
        if one.rule == ErasureRule.ERASURE_RULE_BEING_LOGGED:
            one.ClearField("until")
        plain.append(one.SerializeToString(deterministic=True))
    return sorted(plain)


def forget_erased(client: WalletClient, store: ListingStore, outcome: v1.ErasureOutcome) -> None:
    """Let the wallet forget the listings that went, which it would else miss; and no more than went.

    Raises ``RemoteError``, and ``AnswerNotVerified`` where more are missing than were erased, by the exchange's
    own word.
    """
    listings = ErasureCategory.ERASURE_CATEGORY_LISTINGS
    _forget(client, store, sum(i.count for i in outcome.gone if i.category == listings))


def _forget(client: WalletClient, store: ListingStore, went: int) -> None:
    memory = store.memory()
    shown = {each.listing.listing_id for each in client.own_listings(store).listings}
    missing = {listing_id for listing_id, known in memory.listings.items() if known.steps} - shown
    if len(missing) > went:
        _asked(store).unlink(missing_ok=True)  # what is missing is remembered, and told again
        raise AnswerNotVerified(
            plural(
                "{number} listing is missing, and the exchange says that it erased {went}: show that to the "
                "regulator",
                "{number} listings are missing, and the exchange says that it erased {went}: show that to the "
                "regulator",
                len(missing),
                went=went,
            )
        )
    memory = store.memory()
    left = {key: known for key, known in memory.listings.items() if key not in missing}
    store.keep(replace(memory, listings=left))
    _asked(store).unlink(missing_ok=True)


def entry_of(entries: Iterable[HistoryEntry], request_digest: bytes) -> HistoryEntry | None:
    """Return the subject's proved entry that a request for erasure made in the log; None where it is not there."""
    for entry in entries:
        record = entry.record
        if record is None or not record.HasField("erasure_request"):
            continue
        if record.erasure_request.request_digest == request_digest:
            return entry
    return None
