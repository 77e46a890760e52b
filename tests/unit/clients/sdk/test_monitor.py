"""A lender's monitor: every change at least once, none again after it was acknowledged, bands compared at home."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from clients.sdk.errors import PartialView
from clients.sdk.monitor import BandChanged, Monitor, Notice, ReviewMissed, standing_of
from clients.sdk.monitor_client import LenderDuties
from clients.sdk.monitor_state import MonitorState, MonitorStateError
from clients.sdk.views import LenderView, Permission
from concordat import v1
from concordat.clock import to_timestamp
from concordat.rpc.errors import RemoteError
from concordat.v1 import Band, LenderChangeKind, Reason
from tests.builders import AT, LENDER, Federation

REVIEW = LenderChangeKind.LENDER_CHANGE_KIND_REVIEW_DUE
LISTED = LenderChangeKind.LENDER_CHANGE_KIND_LISTING_IN_FORCE
ENDED = LenderChangeKind.LENDER_CHANGE_KIND_CONSENT_ENDED
A, B = Band.BAND_A, Band.BAND_B
CONSENT = bytes(16)


class CrashedError(Exception):
    """The process died here."""


@dataclass(frozen=True)
class _View:
    band: Band.ValueType
    access_id: bytes = bytes(16)

    @property
    def view(self) -> v1.View:
        return v1.View(receipt=v1.Receipt(access_id=self.access_id))

    def score(self) -> v1.ScoreAnswer:
        if not self.band:
            raise PartialView([v1.ProviderOutcome(provider="alder-bank")])
        return v1.ScoreAnswer(band=self.band)


@dataclass
class Exchange:
    """What a monitor asks of a client, in memory."""

    changes: list[v1.LenderChange] = field(default_factory=list)
    bands: list[Band.ValueType | RemoteError] = field(default_factory=list)
    asked: list[v1.RequestViewRequest] = field(default_factory=list)
    federation: Federation = field(default_factory=Federation)

    def __post_init__(self) -> None:
        self.granted = self.federation.periodic(self.federation.subject("ada"))

    def happen(self, *kinds: LenderChangeKind.ValueType) -> None:
        for kind in kinds:
            cursor = len(self.changes) + 2
            self.changes.append(v1.LenderChange(cursor=cursor, kind=kind, consent_id=CONSENT))

    def watch_changes(self, cursor: int = 0) -> Iterator[v1.WatchChangesResponse]:
        after = max(cursor, 1)
        for change in self.changes[after - 1 :]:
            yield v1.WatchChangesResponse(changes=[change], cursor=change.cursor)
        yield v1.WatchChangesResponse(cursor=len(self.changes) + 1)

    def prepare_view(self, permission: Permission) -> v1.RequestViewRequest:
        at = self.federation.at
        expires = to_timestamp(at + timedelta(minutes=1))
        request = self.federation.view_request(self.granted, expires_at=expires)
        return v1.RequestViewRequest(request=request, consent=permission.consent)

    def send_view(self, ask: v1.RequestViewRequest) -> LenderView:
        self.asked.append(ask)
        band = self.bands.pop(0)
        if isinstance(band, Exception):
            raise band
        return cast("LenderView", _View(band))


@dataclass
class House:
    """A lender's house: a state file, and a process that watches."""

    path: Path
    exchange: Exchange = field(default_factory=Exchange)
    consents: bool = True

    def run(self, *, most: int = 99, acknowledge: bool = True) -> list[Notice]:
        """Start a process, deal with up to ``most`` notices, and end it."""
        seen: list[Notice] = []
        with MonitorState(self.path, LENDER) as state:
            for notice in self.monitor(state).notices(until_quiet=True):
                seen.append(notice)
                if acknowledge:
                    self.monitor(state).acknowledge(notice)
                if len(seen) == most:
                    break
        return seen

    def monitor(self, state: MonitorState, **options: Any) -> Monitor:
        granted = self.exchange.granted
        permission = Permission(granted.envelope, granted.person.binding)
        return Monitor(
            cast("LenderDuties", self.exchange),
            state,
            lambda _: permission if self.consents else None,
            now=lambda: self.exchange.federation.at,
            **options,
        )


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "watch.db")


def cursors(notices: list[Notice]) -> list[int]:
    return [each.change.cursor for each in notices]


def test_what_was_acknowledged_is_not_told_again_and_all_else_is(house: House) -> None:
    house.exchange.happen(LISTED, LISTED, ENDED)
    assert cursors(house.run(most=1)) == [2]
    assert cursors(house.run(acknowledge=False)) == [3, 4]
    assert cursors(house.run()) == [3, 4]
    assert house.run() == []
    house.exchange.happen(LISTED)
    assert cursors(house.run()) == [5]


def test_a_band_that_differs_is_told_and_the_same_or_the_first_is_not(house: House) -> None:
    house.exchange.bands = [A, A, B]
    house.exchange.happen(REVIEW, REVIEW)
    assert house.run() == []
    house.exchange.happen(REVIEW)
    (changed,) = house.run()
    assert isinstance(changed, BandChanged)
    assert (changed.before, changed.after) == ("A", "B")
    assert house.run() == []
    assert len(house.exchange.asked) == 3


def test_a_review_that_was_made_is_not_made_again_after_a_crash(house: House) -> None:
    house.exchange.bands = [A, B]
    house.exchange.happen(REVIEW, REVIEW)
    (first,) = house.run(acknowledge=False)
    (again,) = house.run()
    assert first == again
    assert len(house.exchange.asked) == 2


def test_a_review_that_died_under_way_sends_the_same_bytes_while_they_count(house: House) -> None:
    lost = RemoteError(grpc.StatusCode.UNAVAILABLE, Reason.REASON_UNSPECIFIED, "lost")
    house.exchange.bands = [lost, A]
    house.exchange.happen(REVIEW)
    with pytest.raises(RemoteError):
        house.run()
    assert house.run() == []
    assert house.exchange.asked[0] == house.exchange.asked[1]
    house.exchange.bands = [lost, A]
    house.exchange.happen(REVIEW)
    with pytest.raises(RemoteError):
        house.run()
    house.exchange.federation.at = AT + timedelta(minutes=2)
    assert house.run() == []
    assert house.exchange.asked[2] != house.exchange.asked[3]


def test_a_review_that_tells_nothing_says_why_and_keeps_the_band(house: House) -> None:
    refused = RemoteError(
        grpc.StatusCode.FAILED_PRECONDITION, Reason.REASON_SUBJECT_FROZEN, "frozen"
    )
    house.exchange.bands = [A, refused, Band.BAND_UNSPECIFIED, B]
    house.exchange.happen(REVIEW, REVIEW, REVIEW)
    missed = house.run()
    assert [each.reason for each in missed if isinstance(each, ReviewMissed)] == [
        "SUBJECT_FROZEN",
        "VIEW_PARTIAL",
    ]
    house.exchange.happen(REVIEW)
    (changed,) = house.run()
    assert isinstance(changed, BandChanged)


def test_without_the_consent_at_hand_a_review_is_missed(house: House) -> None:
    house.consents = False
    house.exchange.happen(REVIEW)
    (missed,) = house.run()
    assert isinstance(missed, ReviewMissed)
    assert missed.reason == "CONSENT_NOT_AT_HAND"


def test_without_reviews_a_review_is_a_notice_and_nobody_asks(house: House) -> None:
    house.exchange.happen(REVIEW)
    with MonitorState(house.path, LENDER) as state:
        monitor = house.monitor(state, reviews=False)
        assert [type(each) for each in monitor.notices(until_quiet=True)] == [Notice]
    assert house.exchange.asked == []


def test_what_needs_nobody_is_not_passed_over_ahead_of_what_does(house: House) -> None:
    house.exchange.bands = [A]
    house.exchange.happen(LISTED, REVIEW)
    assert cursors(house.run(acknowledge=False)) == [2]
    assert cursors(house.run()) == [2]
    assert len(house.exchange.asked) == 1  # what it found was kept


def test_a_state_is_one_lenders_and_one_process_at_a_time(house: House) -> None:
    with MonitorState(house.path, LENDER), pytest.raises(MonitorStateError, match="cannot be used"):
        MonitorState(house.path, LENDER)
    with pytest.raises(MonitorStateError, match="lendwell's"):
        MonitorState(house.path, "quickcash")
    house.path.with_name("other").write_text("no database at all, but long enough to be one" * 9)
    with pytest.raises(MonitorStateError):
        MonitorState(house.path.with_name("other"), LENDER)


def test_a_state_begins_anew_and_still_knows_the_bands(house: House) -> None:
    house.exchange.bands = [A, B]
    house.exchange.happen(REVIEW)
    house.run()
    with MonitorState(house.path, LENDER) as state:
        state.begin_anew()
        assert (state.cursor, state.standing(CONSENT)) == (0, "A")
    assert len(house.run()) == 1


def test_an_end_is_forgotten_once_it_was_dealt_with(house: House) -> None:
    house.exchange.bands = [A]
    house.exchange.happen(REVIEW, ENDED)
    house.run()
    with MonitorState(house.path, LENDER) as state:
        assert state.standing(CONSENT) is None


def test_standings_are_as_far_as_the_score_is_disclosed() -> None:
    full = v1.ScoreAnswer(full=v1.UnifiedScore(band=B))
    reached = v1.ScoreAnswer(threshold=v1.ThresholdAnswer(threshold=600, reached=True))
    not_reached = v1.ScoreAnswer(threshold=v1.ThresholdAnswer(threshold=600))
    found = [standing_of(each) for each in (full, v1.ScoreAnswer(band=A), reached, not_reached)]
    assert found == ["B", "A", "reached", "not reached"]
