"""What is counted of views: what became of each, and of each question to a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat.refusal import Refusal
from concordat.telemetry.labels import outcome_name, purpose_name, reason_name
from concordat.telemetry.metrics import PROVIDER_OUTCOMES, PROVIDER_SECONDS, VIEW_REFUSALS, VIEWS
from concordat.v1 import Purpose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from concordat import v1
    from exchange.views.admit import Checked, Rejected
    from exchange.views.dispatch import Gathering


def refused(
    checked: Sequence[Checked | Rejected | Refusal], results: Sequence[object | Refusal]
) -> None:
    """Count what was refused before any provider was asked."""
    for ask, result in zip(checked, results, strict=True):
        if isinstance(result, Refusal):
            purpose = Purpose.PURPOSE_UNSPECIFIED
            if not isinstance(ask, Refusal):
                purpose = ask.request.message.purpose
            _refused(purpose, result)


def released(
    gathered: Sequence[Gathering],
    views: Sequence[v1.View],
    receipts: Sequence[v1.LogReceipt | Refusal],
) -> None:
    """Count what was made into views, and was released or at the last moment was not."""
    for gathering, view, receipt in zip(gathered, views, receipts, strict=True):
        for outcome in view.providers:
            PROVIDER_OUTCOMES.add(outcome.provider, outcome_name(outcome.kind))
        for provider, waited in gathering.waited.items():
            PROVIDER_SECONDS.observe(waited.total_seconds(), provider)
        if isinstance(receipt, Refusal):
            _refused(view.purpose, receipt)
        else:
            result = view.WhichOneof("outcome") or ""
            VIEWS.add(purpose_name(view.purpose), result.upper())


def _refused(purpose: Purpose.ValueType, refusal: Refusal) -> None:
    VIEWS.add(purpose_name(purpose), "REFUSED")
    VIEW_REFUSALS.add(reason_name(refusal.reason))
