"""Calibrations with baselines, and counts against them, for tests of drift."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from concordat import v1
from concordat.clock import to_timestamp
from concordat.statements import seal
from tests.builders import AT, DAY, LENDER, PROVIDERS, Federation, signer

EDGES = (500, 600, 700, 850)
SAMPLE, DEFAULTS = (1000, 1000, 1000, 1000), (400, 200, 100, 20)
"""A provider's baseline: four bins of 1,000 subjects each."""


def report(providers: Sequence[str] = PROVIDERS) -> v1.FitReport:
    """Return the report of a fit with the baseline above for each provider."""
    baseline = [
        v1.BaselineBin(up_to_score=edge, subjects=subjects, defaults=defaults)
        for edge, subjects, defaults in zip(EDGES, SAMPLE, DEFAULTS, strict=True)
    ]
    fits = [v1.ProviderFit(provider=provider, baseline=baseline) for provider in providers]
    return v1.FitReport(method="test-1", providers=fits)


def fitted(version: int = 2, at: datetime = AT, **fields: Any) -> Federation:
    """Return a federation whose calibration in use has baselines."""
    federation = Federation(at)
    federation.calibrate(version=version, **({"report": report()} | fields))
    return federation


def outcome_counts(
    federation: Federation,
    bins: Sequence[tuple[int, int, int]] = ((0, 100, 40),),
    *,
    signed_by: str = LENDER,
    **fields: Any,
) -> v1.Envelope:
    """Return a lender's counts of the 90 days before: (bin, subjects, defaults) each."""
    at = federation.at
    given: dict[str, Any] = {
        "federation": federation.name,
        "lender": LENDER,
        "provider": PROVIDERS[0],
        "calibration_version": 2,
        "period_from": to_timestamp(at - 90 * DAY),
        "period_until": to_timestamp(at - DAY),
        "bins": [
            v1.OutcomeBin(bin=place, subjects=subjects, defaults=defaults)
            for place, subjects, defaults in bins
        ],
        "made_at": to_timestamp(at - timedelta(hours=1)),
    }
    return seal(v1.OutcomeCounts(**(given | fields)), signer(signed_by))
