"""A subject's side of custody: asking the witnesses for notices that are due, without the exchange."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
from google.protobuf.message import DecodeError

from clients.sdk.wallet import WalletKey, own_request
from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.anchors import Anchors
from concordat.refusal import Refusal
from concordat.trust.errors import TrustError
from concordat.v1 import LogEntryKind
from concordat.verify.case_custody import Held, combine, custody_tag, open_deposit
from concordat.verify.case_notice import notice_record_id, open_case_notice
from concordat.verify.history import HistoryEntry
from concordat.verify.receipt import Logged

Post = Callable[[str, bytes], bytes]
"""A URL and a body to the answer's body; raises ``httpx.HTTPError`` where there is none."""

GRACE = timedelta(minutes=1)
"""After a notice is due, before an exchange that has not delivered it is said to withhold it."""
_MOST_PAGES = 64
_MAX_ANSWER = 4 * 1024 * 1024
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class CollectedNotice:
    """A notice that two custodians opened, or the exchange sent; every part checked."""

    notice: v1.CaseNotice
    envelope: v1.Envelope
    logged: Logged
    custodians: tuple[str, ...] = ()  # whose deposits it was opened with
    deposits: tuple[v1.KeepCustodyRequest, ...] = ()

    @property
    def record_id(self) -> bytes:
        """The sealed entry's."""
        return self.logged.entry.record_id


@dataclass(slots=True)
class Collected:
    """What custodians gave out, and what was wrong with some of it."""

    notices: list[CollectedNotice] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def custodians_of(anchors: Anchors) -> list[tuple[str, str]]:
    """Return each witness's name and HTTP prefix, as the trust bundle has them."""
    return [
        (key.name, url.rstrip("/"))
        for key, url in zip(anchors.witnesses, anchors.bundle.witness_urls, strict=False)
    ]


def collect_notices(
    key: WalletKey, anchors: Anchors, at: datetime, post: Post | None = None
) -> Collected:
    """Return every notice to the subject that is due and that two custodians open together.

    A custodian that is away, or gives out rubbish, is a fault and stops nothing.
    """
    collected, held = Collected(), dict[bytes, list[tuple[Held, v1.KeepCustodyRequest]]]()
    for name, url in custodians_of(anchors):
        try:
            for given in _given(key, anchors, name, url, at, post or post_over_http):
                deposit = _checked(given, key, anchors, at, name)
                held.setdefault(deposit.deposit.message.deposit_id, []).append((deposit, given))
        except (Refusal, TrustError, DecodeError, httpx.HTTPError) as error:
            collected.faults.append(f"{name}: {error}")
    for parts in held.values():
        _open(parts, key, anchors, collected)
    collected.notices.sort(key=lambda each: from_timestamp(each.notice.looked_at))
    return collected


def _checked(
    given: v1.KeepCustodyRequest, key: WalletKey, anchors: Anchors, at: datetime, name: str
) -> Held:
    """Return a deposit that verifies; raise ``Refusal``, or ``DecodeError`` for somebody else's."""
    held = open_deposit(given, anchors, at, name)
    if held.deposit.message.tag != custody_tag(key.subject_ref):
        raise DecodeError("a deposit is somebody else's")
    return held


def _given(  # who asks whom, for what
    key: WalletKey, anchors: Anchors, name: str, url: str, at: datetime, post: Post
) -> Iterable[v1.KeepCustodyRequest]:
    """Yield what a custodian gives out, page by page."""
    after = b""
    for _ in range(_MOST_PAGES):
        body = v1.CollectCustodyRequest(
            request=own_request(
                key, anchors, at, v1.SubjectQuery.SUBJECT_QUERY_CUSTODY, custodian=name
            ),
            binding=key.binding,
            after=after,
        )
        raw = post(f"{url}/custody/collect", body.SerializeToString())
        answer = v1.CollectCustodyResponse.FromString(raw)
        yield from answer.deposits
        if not answer.more or not answer.deposits:
            return
        after = v1.CustodyDeposit.FromString(answer.deposits[-1].deposit.payload).deposit_id


def _open(
    parts: list[tuple[Held, v1.KeepCustodyRequest]],
    key: WalletKey,
    anchors: Anchors,
    collected: Collected,
) -> None:
    """Open a deposit with whatever custodians gave of it; say so where that is too little."""
    names = tuple(held.deposit.message.custodian for held, _ in parts)
    try:
        envelope = combine(held.deposit.message for held, _ in parts)
        exchange = parts[0][0].exchange
        notice, logged = open_case_notice(envelope, exchange, anchors, key.subject_ref)
    except (Refusal, TrustError) as error:
        collected.faults.append(f"a notice held by {', '.join(names)}: {error}")
        return
    if any(each.record_id == logged.entry.record_id for each in collected.notices):
        return  # held twice, because a look-up was repeated
    given = tuple(raw for _, raw in parts)
    collected.notices.append(CollectedNotice(notice.message, envelope, logged, names, given))


def withheld(
    collected: Iterable[CollectedNotice], entries: Iterable[HistoryEntry], at: datetime
) -> list[CollectedNotice]:
    """Return the notices that the exchange owed by ``at`` and that no entry about the subject opens.

    One whose entry the subject had erased since was told: its id in the log still says what it opened.
    """
    told = _told(list(entries))
    return [
        each
        for each in collected
        if notice_record_id(each.record_id) not in told
        and from_timestamp(each.notice.notice_at) + GRACE < at
    ]


def _told(entries: Sequence[HistoryEntry]) -> set[bytes]:
    """Return the ids of entries that open a look-up, or did until the subject asked for erasure after them."""
    asked = LogEntryKind.LOG_ENTRY_KIND_ERASURE_REQUEST
    erased = max((each.index for each in entries if each.entry.kind == asked), default=-1)
    notices = [e for e in entries if e.entry.kind == LogEntryKind.LOG_ENTRY_KIND_CASE_NOTICE]
    opened = (e.record.case_notice.record_id for e in notices if e.record is not None)
    gone = (e.entry.record_id for e in notices if e.record is None and e.index < erased)
    return {*map(notice_record_id, opened), *gone}


def post_over_http(url: str, body: bytes) -> bytes:
    """Post a body and return the answer's, of at most 4 MiB. Raises ``httpx.HTTPError``."""
    with httpx.stream("POST", url, content=body, timeout=_SECONDS) as answer:
        answer.raise_for_status()
        raw = b""
        for part in answer.iter_bytes():
            raw += part
            if len(raw) > _MAX_ANSWER:
                raise httpx.DecodingError("the answer is too long")
        return raw
