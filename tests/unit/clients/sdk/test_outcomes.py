"""A lender counts what became of its credits; what leaves its house is counts."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clients.sdk import AioLenderClient, AioRegulatorClient, LenderClient, RegulatorClient
from clients.sdk.outcomes import OutcomesMalformed, Period, count_outcomes, read_outcomes, scores_of
from concordat import v1
from concordat.clock import from_timestamp
from concordat.refusal import Refusal
from concordat.rpc.errors import RemoteError
from concordat.trust.envelope import validate
from concordat.v1 import DisclosureKind
from concordat.verify.view import VerifiedView, verify_view_bundle
from tests.builders import AT, DAY, LENDER, PROVIDERS, REGULATOR, Federation
from tests.drift_builders import fitted
from tests.fake_supervision import Supervised
from tests.view_builders import Absent, Answer, Failed, ViewBuilder

ALDER, BIRCH, CEDAR = PROVIDERS
QUARTER = Period(AT - DAY, AT + DAY)
LATER = AT + 400 * DAY


def view(federation: Federation, **answers: Answer) -> VerifiedView:
    """Return a verified view; ``answers`` are the providers' by the first part of their names."""
    named = {
        next(name for name in PROVIDERS if name.startswith(short)): answer
        for short, answer in answers.items()
    }
    return verify_view_bundle(ViewBuilder(federation, named).bundle(), federation.anchors)


def defaulted(*views: VerifiedView) -> dict[bytes, bool]:
    return {each.view.view_id: True for each in views}


def test_each_score_is_counted_in_its_bin_of_the_views_own_calibration() -> None:
    federation = fitted()
    good, bad = view(federation, alder=600, birch=601), view(federation, alder=300)
    known = {good.view.view_id: False, bad.view.view_id: True}
    counted = count_outcomes([good, bad, good], known, QUARTER, LATER, smallest_cell=1)
    assert [(each.provider, each.left_out) for each in counted] == [(n, 0) for n in PROVIDERS]
    bins = {
        each.provider: [(b.bin, b.subjects, b.defaults) for b in each.counts.bins]
        for each in counted
        if each.counts is not None
    }
    assert bins == {
        ALDER: [(0, 1, 1), (1, 1, 0)],
        BIRCH: [(2, 2, 1)],
        CEDAR: [(2, 2, 1)],
    }
    for each in counted:
        assert each.counts is not None
        validate(each.counts)
        assert (each.counts.lender, each.counts.calibration_version) == (LENDER, 2)
        assert from_timestamp(each.counts.period_from) == QUARTER.start


def test_bins_that_are_too_small_stay_in_the_house() -> None:
    federation = fitted()
    views = [view(federation, alder=score) for score in (400, 700, 700)]
    alder, *_ = count_outcomes(views, defaulted(*views), QUARTER, LATER, smallest_cell=2)
    assert alder.counts is not None
    assert [each.bin for each in alder.counts.bins] == [2]
    assert alder.left_out == 1
    few = count_outcomes(views, defaulted(*views), QUARTER, LATER)
    assert [(each.counts, each.left_out) for each in few] == [(None, 3)] * 3


def test_who_stated_no_score_is_not_counted() -> None:
    made = view(fitted(), alder=Absent(), birch=Failed())
    assert scores_of(made.view) == {CEDAR: 700}
    counted = count_outcomes([made], defaulted(made), QUARTER, LATER, smallest_cell=1)
    assert [each.provider for each in counted] == [CEDAR]


def test_a_view_that_tells_less_than_the_full_score_has_nothing_to_count() -> None:
    federation = fitted()
    band = v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_BAND)
    bundle = ViewBuilder(federation, consent_fields={"disclosure": band}).bundle()
    made = verify_view_bundle(bundle, federation.anchors)
    assert count_outcomes([made], defaulted(made), QUARTER, LATER, smallest_cell=1) == []


def test_a_declared_calibration_has_no_bins_to_count_in() -> None:
    made = view(Federation())
    assert count_outcomes([made], defaulted(made), QUARTER, LATER, smallest_cell=1) == []


def test_a_period_holds_its_first_moment_and_not_its_last() -> None:
    made = view(fitted())
    at = from_timestamp(made.view.issued_at)
    second = timedelta(seconds=1)
    for period, many in (
        (Period(at, at + second), 3),
        (Period(at - second, at), 0),
        (Period(at + second, at + DAY), 0),
    ):
        counted = count_outcomes([made], defaulted(made), period, LATER, smallest_cell=1)
        assert len(counted) == many


def test_a_period_that_is_not_over_is_refused() -> None:
    for period in (Period(AT, AT), Period(AT + DAY, AT), Period(AT, LATER + DAY)):
        with pytest.raises(ValueError, match="period"):
            count_outcomes([], {}, period, LATER)


@pytest.mark.parametrize("content", [b"\xff\xfe,outcome\n", b"view_id,outcome\n\xff,1\n"])
def test_a_file_of_outcomes_that_is_no_text_is_refused_as_such(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "outcomes.csv").write_bytes(content)
    with pytest.raises(OutcomesMalformed, match="not UTF-8"):
        read_outcomes(tmp_path / "outcomes.csv")


def test_a_file_that_a_spreadsheet_wrote_is_read(tmp_path: Path) -> None:
    view_id = bytes(range(16))
    content = f"\N{BYTE ORDER MARK}view_id,outcome\r\n{view_id.hex()},1\r\n"
    (tmp_path / "outcomes.csv").write_text(content, "utf-8")
    assert read_outcomes(tmp_path / "outcomes.csv") == {view_id: True}


# Clients ----------------------------------------------------------------------------------------


@pytest.fixture
def fake() -> Iterator[Supervised]:
    with Supervised(datetime.now(UTC)) as fake:
        yield fake


def counts_of(fake: Supervised) -> v1.OutcomeCounts:
    at = fake.at
    federation = fitted(at=at)
    made = view(federation)
    period = Period(at - DAY, at + DAY)
    (alder, *_) = count_outcomes([made], defaulted(made), period, at + DAY, smallest_cell=1)
    assert alder.counts is not None
    alder.counts.period_until.FromDatetime(at)
    alder.counts.made_at.FromDatetime(at)
    return alder.counts


def test_a_lender_signs_and_hands_in_its_counts(fake: Supervised) -> None:
    counts = counts_of(fake)
    with LenderClient(fake.anchors, fake.identity(LENDER), fake.clock) as client:
        assert client.report_outcomes(counts) is False

    async def again() -> bool:
        async with AioLenderClient(fake.anchors, fake.identity(LENDER), fake.clock) as client:
            return await client.report_outcomes(counts)

    assert asyncio.run(again()) is False
    assert fake.reported == [counts, counts]


def test_a_regulator_reads_drift(fake: Supervised) -> None:
    fake.drift = v1.ReadDriftResponse(
        smallest_cell=10, providers=[v1.ProviderDrift(provider=name) for name in PROVIDERS]
    )
    with RegulatorClient(fake.anchors, fake.identity(REGULATOR), fake.clock) as client:
        assert client.read_drift() == fake.drift

    async def one() -> v1.ReadDriftResponse:
        identity = fake.identity(REGULATOR)
        async with AioRegulatorClient(fake.anchors, identity, fake.clock) as client:
            return await client.read_drift(BIRCH)

    assert [each.provider for each in asyncio.run(one()).providers] == [BIRCH]


def test_a_refusal_reaches_the_lender_with_its_reason(fake: Supervised) -> None:
    reason = v1.Reason.REASON_OUTCOME_CELL_TOO_SMALL
    fake.refusal = Refusal(reason)
    with (
        LenderClient(fake.anchors, fake.identity(LENDER), fake.clock) as client,
        pytest.raises(RemoteError) as caught,
    ):
        client.report_outcomes(counts_of(fake))
    assert caught.value.reason == reason
