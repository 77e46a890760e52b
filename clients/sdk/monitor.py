"""Watching consented subjects: every change once, over restarts, and the band compared at the lender.

with MonitorState(path, lender_id) as state:
    monitor = Monitor(client, state, permission_of)
    for notice in monitor.notices():
        deal_with(notice)         # at least once: again after a crash before the next line
        monitor.acknowledge(notice)

The exchange keeps no score and compares none. When a consent can be used again the monitor asks for a view under
it, like anybody, which is logged and counts a use, and compares the band with the last one (decision 0035).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.sdk.errors import AnswerNotVerified, NoScoreStated, PartialView, may_pass
from clients.sdk.monitor_state import Reviewed
from concordat import v1
from concordat.clock import from_timestamp
from concordat.rpc.errors import RemoteError, name_of
from concordat.v1 import Band, LenderChangeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from clients.sdk.monitor_client import LenderDuties
    from clients.sdk.monitor_state import MonitorState
    from clients.sdk.views import Permission

_REVIEW = LenderChangeKind.LENDER_CHANGE_KIND_REVIEW_DUE
_ENDED = LenderChangeKind.LENDER_CHANGE_KIND_CONSENT_ENDED


@dataclass(frozen=True, slots=True)
class Notice:
    """A change that the application has to deal with."""

    change: v1.LenderChange


@dataclass(frozen=True, slots=True)
class BandChanged(Notice):
    """A review found another band (`A` to `E`) than the one before, or `reached` in place of `not reached`.

    ``access_id`` is that of the view: whoever acts on it owes its outcome.
    """

    before: str
    after: str
    access_id: bytes


@dataclass(frozen=True, slots=True)
class ReviewMissed(Notice):
    """A review that is due told nothing: refused, partial, or no consent at hand; ``reason`` says which."""

    reason: str


class Monitor:
    """Yields changes and changes of bands, and remembers what was dealt with."""

    def __init__(
        self,
        client: LenderDuties,
        state: MonitorState,
        permission_of: Callable[[bytes], Permission | None],
        *,
        now: Callable[[], datetime],
        reviews: bool = True,
    ) -> None:
        """Watch with ``client``; ``permission_of`` returns what the subject handed over, by the consent's id.

        Without ``reviews`` no view is asked for, and that a review is due is a notice like any other.
        """
        self._client = client
        self._state = state
        self._permission_of = permission_of
        self._now = now
        self._reviews = reviews
        self._handed_out = 0

    def notices(self, *, until_quiet: bool = False) -> Iterator[Notice]:
        """Yield what was not acknowledged yet, in order, and then what comes; or end when there is no more now.

        Raises ``RemoteError`` where the exchange is lost: call it again. REASON_CURSOR_UNKNOWN says that changes
        were missed, as more than 90 days passed: ask for a view of each, and let the state ``begin_anew``.
        """
        self._handed_out = self._state.cursor
        for message in self._client.watch_changes(self._state.cursor):
            for change in message.changes:
                notice = self._notice(change)
                if notice is None:
                    self._pass_over(change.cursor)
                else:
                    self._handed_out = change.cursor
                    yield notice
            self._pass_over(message.cursor)
            if until_quiet and not message.changes:
                return

    def acknowledge(self, notice: Notice) -> None:
        """Note that a notice, and all before it, were dealt with."""
        self._state.acknowledge(notice.change.cursor)
        if notice.change.kind == _ENDED:
            self._state.forget(notice.change.consent_id)

    def _pass_over(self, cursor: int) -> None:
        """Note what needs nobody's attention, unless something before it still does."""
        if self._handed_out <= self._state.cursor:
            self._state.acknowledge(cursor)

    def _notice(self, change: v1.LenderChange) -> Notice | None:
        if change.kind != _REVIEW or not self._reviews:
            return Notice(change)
        found = self._state.found(change.cursor)
        if found is None:
            try:
                found = self._review(change)
            except _Missed as missed:
                return ReviewMissed(change, str(missed))
        before = self._state.standing(change.consent_id)
        if before in (None, found.standing):
            return None
        return BandChanged(change, before or "", found.standing, found.access_id)

    def _review(self, change: v1.LenderChange) -> Reviewed:
        """Ask for a view; raise ``_Missed`` where it tells nothing, and ``RemoteError`` where that may pass."""
        ask = self._ask(change)
        try:
            view = self._client.send_view(ask)
            standing = standing_of(view.score())
        except RemoteError as error:
            if may_pass(error):
                raise
            raise _Missed(name_of(error.reason)) from error
        except PartialView as error:
            raise _Missed("VIEW_PARTIAL") from error
        except NoScoreStated as error:
            raise _Missed("NO_SCORE") from error
        except AnswerNotVerified as error:
            raise _Missed("ANSWER_NOT_VERIFIED") from error
        found = Reviewed(standing, view.view.receipt.access_id)
        self._state.keep_found(change.cursor, found)
        return found

    def _ask(self, change: v1.LenderChange) -> v1.RequestViewRequest:
        """Return the request of a review: the one that was signed before, as long as it counts."""
        known = self._state.ask_of(change.cursor)
        if known is not None:
            request = v1.ViewRequest.FromString(known.request.payload)
            if self._now() < from_timestamp(request.expires_at):
                return known
        permission = self._permission_of(change.consent_id)
        if permission is None:
            raise _Missed("CONSENT_NOT_AT_HAND")
        ask = self._client.prepare_view(permission)
        self._state.keep_ask(change, ask)
        return ask


class _Missed(Exception):  # noqa: N818 - becomes a notice
    pass


def standing_of(score: v1.ScoreAnswer) -> str:
    """Return the band of a score, or whether it reaches the threshold, as far as it is disclosed."""
    match score.WhichOneof("disclosed"):
        case "full":
            return _band(score.full.band)
        case "band":
            return _band(score.band)
        case _:
            return "reached" if score.threshold.reached else "not reached"


def _band(band: Band.ValueType) -> str:
    return Band.Name(band).removeprefix("BAND_")
