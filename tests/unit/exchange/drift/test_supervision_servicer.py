"""SupervisionService: lenders tell counts of their own, regulators read aggregates, both on record."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.trust.envelope import validate
from concordat.v1 import DriftCause, DriftLevel, LogEntryKind, Role
from exchange.drift.counting import ScoreCounter
from exchange.drift.table import Cell
from exchange.tables import log_queue
from tests.builders import DAY, LENDER, PROVIDERS, REGULATOR, Federation
from tests.drift_builders import EDGES, fitted, outcome_counts
from tests.exchange_builders import ExchangeDesk
from tests.exchange_services import ExchangeServices, reason_of

ALDER = PROVIDERS[0]
OTHER = "quickcash"
AS_CALIBRATED = [(0, 1000, 400), (1, 1000, 200), (2, 1000, 100), (3, 1000, 20)]


@pytest.fixture
def services() -> Iterator[ExchangeServices]:
    desk = ExchangeDesk(federation=fitted())
    desk.federation.enrol(OTHER, Role.ROLE_LENDER)
    desk.book.stop()  # so that what waits for the log can be looked at
    yield ExchangeServices(desk)
    desk.store.close()
    desk.engine.dispose()


def tell(services: ExchangeServices, envelope: v1.Envelope, caller: str = LENDER) -> bool:
    request = v1.ReportOutcomeCountsRequest(counts=envelope)
    validate(request)
    return services.call(services.supervision.ReportOutcomeCounts, request, caller).replaced


def read(services: ExchangeServices, provider: str = "") -> v1.ReadDriftResponse:
    request = v1.ReadDriftRequest(provider=provider)
    answer = services.call(services.supervision.ReadDrift, request, REGULATOR)
    validate(answer)
    return answer


def of_alder(services: ExchangeServices) -> v1.ProviderDrift:
    (drift,) = read(services, ALDER).providers
    return drift


def count(services: ExchangeServices, *scores: int, provider: str = ALDER) -> None:
    """Count so many scores in each bin, yesterday."""
    cells: list[Cell] = [
        (2, provider, place) for place, many in enumerate(scores) for _ in range(many)
    ]
    at = services.federation.at - DAY
    services.desk.store.run(lambda c: ScoreCounter().count(c, [(at, cells)]))


def logged(services: ExchangeServices) -> list[v1.LogRecord]:
    rows = services.desk.store.run(lambda c: c.execute(select(log_queue)).all())
    assert all(row.subject_ref == b"" for row in rows)
    return [v1.LogRecord.FromString(row.record) for row in rows]


# Lenders ----------------------------------------------------------------------------------------


def test_a_lender_tells_its_counts_and_replaces_them_later(services: ExchangeServices) -> None:
    fed = services.federation
    counts = outcome_counts(fed)
    assert not tell(services, counts)
    assert tell(services, outcome_counts(fed, [(0, 200, 90)], made_at=to_timestamp(fed.at)))
    acts = [record.outcome_counts for record in logged(services)]
    assert [act.lender for act in acts] == [LENDER, LENDER]
    assert len({act.digest for act in acts}) == 2


def test_nobody_tells_counts_in_anothers_name(services: ExchangeServices) -> None:
    fed = services.federation
    forged = outcome_counts(fed, signed_by=OTHER)
    assert reason_of(lambda: tell(services, forged)) == "SIGNATURE_INVALID"
    assert reason_of(lambda: tell(services, forged, OTHER)) == "CALLER_NOT_SIGNER"
    passed_on = outcome_counts(fed)
    assert reason_of(lambda: tell(services, passed_on, OTHER)) == "SIGNATURE_INVALID"
    assert logged(services) == []


def test_counts_of_another_federation_or_of_the_future_are_refused(
    services: ExchangeServices,
) -> None:
    fed = services.federation
    elsewhere = outcome_counts(Federation(name="other.concordat"))
    assert reason_of(lambda: tell(services, elsewhere)) == "WRONG_FEDERATION"
    early = outcome_counts(fed, made_at=to_timestamp(fed.at + timedelta(hours=1)))
    assert reason_of(lambda: tell(services, early)) == "STATEMENT_NOT_FRESH"


# The regulator ----------------------------------------------------------------------------------


def test_the_regulators_reading_is_logged_like_anyones(services: ExchangeServices) -> None:
    read(services)
    read(services, ALDER)
    acts = [record.supervision for record in logged(services)]
    assert [(act.regulator, act.provider) for act in acts] == [(REGULATOR, ""), (REGULATOR, ALDER)]
    kinds = services.desk.store.run(lambda c: c.execute(select(log_queue.c.kind)).scalars().all())
    assert set(kinds) == {LogEntryKind.LOG_ENTRY_KIND_SUPERVISION}


def test_every_provider_of_the_calibration_is_told_of(services: ExchangeServices) -> None:
    answer = read(services)
    assert [each.provider for each in answer.providers] == sorted(PROVIDERS)
    assert {each.calibration_version for each in answer.providers} == {2}
    assert {each.level for each in answer.providers} == {DriftLevel.DRIFT_LEVEL_NONE}
    today = services.federation.at.replace(hour=0)
    for each in answer.providers:
        assert from_timestamp(each.window_until) == today
        assert from_timestamp(each.window_from) == today - 90 * DAY


def test_below_the_least_number_nothing_but_rounded_counts_is_told(
    services: ExchangeServices,
) -> None:
    count(services, 300, 300, 300, 84)
    tell(services, outcome_counts(services.federation, [(0, 999, 999)]))
    drift = of_alder(services)
    assert drift.scores == 980
    assert not drift.HasField("psi_milli")
    assert not drift.HasField("outcomes")
    assert [each.scores for each in drift.bins] == [300, 300, 300, 80]
    assert not any(each.HasField("outcomes") or each.HasField("defaults") for each in drift.bins)


def test_no_small_cell_is_found_by_subtraction(services: ExchangeServices) -> None:
    count(services, 3, 500, 600, 300)
    drift = of_alder(services)
    assert [each.up_to_score for each in drift.bins] == list(EDGES)
    told = [each.scores if each.HasField("scores") else None for each in drift.bins]
    assert told == [None, 500, 600, None]
    assert drift.scores == 1400
    assert drift.HasField("psi_milli")


def test_few_defaults_are_not_told_nor_a_deviation_that_tells_them(
    services: ExchangeServices,
) -> None:
    bins = [(0, 1000, 400), (1, 1000, 200), (2, 1000, 100), (3, 100, 2)]
    tell(services, outcome_counts(services.federation, bins))
    drift = of_alder(services)
    shown = [each.HasField("defaults") for each in drift.bins]
    assert shown == [True, True, False, False]
    assert [each.HasField("deviation_milli") for each in drift.bins] == shown
    assert [each.outcomes for each in drift.bins] == [1000, 1000, 1000, 100]


def test_outcomes_as_calibrated_are_told_to_be(services: ExchangeServices) -> None:
    tell(services, outcome_counts(services.federation, AS_CALIBRATED))
    drift = of_alder(services)
    assert drift.level == DriftLevel.DRIFT_LEVEL_NONE
    ratio = drift.outcomes.ratio
    assert ratio.value_ppm == pytest.approx(1_000_000, abs=3000)
    assert ratio.low_ppm < ratio.value_ppm < ratio.high_ppm
    assert drift.outcomes.p_value_ppm > 900_000
    assert not drift.outcomes.HasField("lenders")  # with one or two, each could subtract its own


def test_lenders_counts_add_up(services: ExchangeServices) -> None:
    fed = services.federation
    tell(services, outcome_counts(fed, AS_CALIBRATED))
    other = outcome_counts(fed, AS_CALIBRATED, lender=OTHER, signed_by=OTHER)
    tell(services, other, OTHER)
    drift = of_alder(services)
    assert (drift.outcomes.outcomes, drift.outcomes.defaults) == (8000, 1440)


def test_a_stale_provider_is_told_with_its_causes(services: ExchangeServices) -> None:
    count(services, 2000, 0, 0, 0)
    worse = [(place, subjects, defaults * 2) for place, subjects, defaults in AS_CALIBRATED]
    tell(services, outcome_counts(services.federation, worse))
    drift = of_alder(services)
    assert drift.level == DriftLevel.DRIFT_LEVEL_STALE
    assert list(drift.causes) == [
        DriftCause.DRIFT_CAUSE_POPULATION,
        DriftCause.DRIFT_CAUSE_OUTCOMES,
    ]
    assert from_timestamp(drift.since) == services.federation.at
