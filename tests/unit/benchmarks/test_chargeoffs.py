"""The real debts, and the model that what becomes of them is held against."""

import hashlib
import lzma
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.chargeoffs import source
from benchmarks.chargeoffs.limits import Limits, limits_of
from benchmarks.chargeoffs.model import Act, Standing, What, replay
from benchmarks.chargeoffs.plan import plan_of
from exchange.listings.profile import Profiles

SINCE = datetime(2010, 3, 1, tzinfo=UTC)
FILED = datetime(2010, 6, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)
TICKS = [FILED + n * 5 * DAY for n in range(1000)]
OWN = Path(source.__file__).parent / "profiles"


def on(day: int, what: What, minor: int = 0) -> Act:
    return Act(FILED + day * DAY, what, minor)


def at_the_end(profile: str, *acts: Act, day: int = 4000, minor: int = 2_000_000) -> Standing:
    filed = (Act(FILED, What.FILED), *acts)
    return replay(limits_of(profile), SINCE, minor, filed, TICKS, FILED + day * DAY)


IN_FORCE = (on(0, What.SERVED), on(25, What.RECONFIRMED))


def test_the_file_is_the_one_that_its_readme_names() -> None:
    told = (source.PATH.parent / "README.md").read_text("utf-8")
    named = re.findall(r"`([0-9a-f]{64})`", told)
    packed = source.PATH.read_bytes()
    contents = lzma.decompress(packed)
    assert named[:2] == [hashlib.sha256(each).hexdigest() for each in (packed, contents)]


def test_all_rows_are_read_and_none_is_left_out_for_what_is_odd_about_it() -> None:
    rows = source.read()
    assert len({row.loan for row in rows}) == len(rows) == 70_975
    assert sum(row.since is None for row in rows) == 8
    assert sum(row.minor == 0 for row in rows) == 272
    assert sum(row.minor < 10_000 for row in rows) == 309
    assert [row.since.year for row in rows if row.since and row.since.year > 2014] == [2026]
    assert len({row.debtor for row in rows}) == 67_639
    assert set(Counter(row.house for row in rows)) == set(range(source.HOUSES))


@pytest.mark.slow
def test_one_percent_are_disputed_and_five_settled() -> None:
    plans = [plan_of(row.loan) for row in source.read()]
    assert sum(plan.quarrel is not None for plan in plans) == pytest.approx(709.75, rel=0.05)
    assert sum(plan.payment is not None for plan in plans) == pytest.approx(3548.75, rel=0.05)


@pytest.mark.parametrize("name", ["us", "eu-usd", "uk-usd", "in-usd", "cn-usd"])
def test_the_model_reads_of_a_profile_what_the_exchange_reads(name: str) -> None:
    ours, theirs = limits_of(name), Profiles.load(OWN)[name]
    anchor = datetime(2012, 2, 29, 10, tzinfo=UTC)

    def ends(profile: Limits) -> list[datetime]:
        spans = (profile.notice, profile.dispute, profile.appeal, profile.life)
        return [span.after(anchor) for span in spans]

    spans = (theirs.notice, theirs.dispute, theirs.appeal, theirs.debt.life)
    assert ends(ours) == [span.after(anchor) for span in spans]
    assert (ours.floor, ours.bands) == (theirs.floor_minor, theirs.bands_minor)
    assert len(ours.repairs) == len(theirs.debt.repair)
    assert (ours.after_settlement is None) == (theirs.debt.after_settlement is None)


def test_what_is_served_and_reconfirmed_takes_effect_after_the_notice_period() -> None:
    standing = at_the_end("us", *IN_FORCE, day=30)
    assert (standing.state, standing.effective) == ("EFFECTIVE", FILED + 30 * DAY)
    assert at_the_end("us", *IN_FORCE, day=25).state == "NOTICED"


def test_what_nobody_reconfirmed_in_time_waits_until_somebody_does() -> None:
    early = (on(0, What.SERVED), on(20, What.RECONFIRMED))
    assert at_the_end("us", *early, day=500).state == "NOTICED"
    late = at_the_end("us", *early, on(100, What.RECONFIRMED), day=500)
    assert late.effective == FILED + 100 * DAY


@pytest.mark.parametrize(
    ("profile", "years"), [("us", 7.5), ("eu-usd", 6), ("uk-usd", 6), ("in-usd", 7), ("cn-usd", 7)]
)
def test_a_listing_expires_by_its_own_profile(profile: str, years: float) -> None:
    served = (on(0, What.SERVED), on(35, What.RECONFIRMED))
    before = int((years - 0.3) * 365)
    assert at_the_end(profile, *served, day=before - 30).state == "EFFECTIVE"
    assert at_the_end(profile, *served, day=before + 60).state == "EXPIRED"


@pytest.mark.parametrize(
    ("profile", "day", "state"),
    [("us", 900, "SETTLED"), ("eu-usd", 1600, "EXPIRED"), ("uk-usd", 300, "WITHDRAWN")],
)
def test_what_is_settled_ends_as_the_profile_says(profile: str, day: int, state: str) -> None:
    assert at_the_end(profile, *IN_FORCE, on(200, What.SETTLED), day=day).state == state


def test_a_settled_debt_that_is_small_enough_is_repaired_where_the_profile_says_so() -> None:
    paid = (*IN_FORCE[:1], on(35, What.RECONFIRMED), on(200, What.SETTLED))
    assert at_the_end("in-usd", *paid, day=600, minor=5_000_000).state == "REPAIRED"
    assert at_the_end("in-usd", *paid, day=600, minor=5_000_001).state == "SETTLED"


def test_a_disputed_listing_is_shown_to_nobody_and_withdrawn_where_nobody_decides() -> None:
    disputed = (*IN_FORCE, on(50, What.DISPUTED))
    open_still = at_the_end("us", *disputed, day=60)
    assert open_still.shown(FILED + 60 * DAY) is None
    assert at_the_end("us", *disputed, day=80).state == "WITHDRAWN"
    decided = at_the_end("us", *disputed, on(60, What.REJECTED), day=80)
    assert decided.shown(FILED + 80 * DAY) is not None


def test_lenders_must_hear_of_what_is_settled_corrected_or_struck_out_once_each() -> None:
    course = (*IN_FORCE, on(50, What.CORRECTED, 1000), on(60, What.SETTLED), on(70, What.WITHDRAWN))
    assert at_the_end("us", *course).recalls == [FILED + n * DAY for n in (50, 60, 70)]
    # Settled and, by the profile's rule, forgotten at once: they hear of both together.
    assert at_the_end("uk-usd", *IN_FORCE, on(60, What.SETTLED)).recalls == [FILED + 60 * DAY]
