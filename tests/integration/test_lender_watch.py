"""A lender watches over real processes: the exchange is killed under it, and nothing is lost or told again."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.sandbox import EXCHANGE, LENDER, Sandbox
from clients.sdk import Decision, Monitor, MonitorState
from concordat import v1
from concordat.clock import Clock
from concordat.statements import digest_of
from concordat.v1 import ConsentEventKind, LenderChangeKind, OutcomeKind

LONG = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_a_watch_loses_nothing_while_the_exchange_is_killed_and_tells_nothing_twice(
    tmp_path: Path,
) -> None:
    pause, resume = (
        ConsentEventKind.CONSENT_EVENT_KIND_PAUSE,
        ConsentEventKind.CONSENT_EVENT_KIND_RESUME,
    )
    daily = v1.Frequency(uses=1, period=v1.Period.PERIOD_DAY)
    with Sandbox(providers=3) as sandbox:
        (person,) = sandbox.enrol(["TEST-0001"])
        lender, providers = sandbox.lender(), sandbox.provider_ids
        permission = person.consent(providers, frequency=daily, max_uses=9)
        consent_id = v1.Consent.FromString(permission.consent.payload).consent_id

        def watch() -> list[str]:
            """Start a watch, deal with what there is, and end it."""
            with MonitorState(tmp_path / "watch.db", LENDER) as state:
                monitor = Monitor(
                    lender, state, {consent_id: permission}.get, now=Clock().now, reviews=False
                )
                seen = []
                for notice in monitor.notices(until_quiet=True):
                    name = LenderChangeKind.Name(notice.change.kind)
                    seen.append(name.removeprefix("LENDER_CHANGE_KIND_"))
                    monitor.acknowledge(notice)
                return seen

        deadline = time.monotonic() + LONG
        while not (seen := watch()):  # the timer tells every few seconds that a review is due
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert seen == ["REVIEW_DUE"]
        view = lender.request_view(permission)
        person.change(permission, pause, 1)
        exchange = sandbox.process(EXCHANGE)
        exchange.kill()
        exchange.start()
        exchange.wait_ready()
        person.change(permission, resume, 2)
        assert watch() == ["CONSENT_PAUSED", "CONSENT_RESUMED"]
        exchange.kill()
        exchange.start()
        exchange.wait_ready()
        assert watch() == []

        decision = Decision(
            view.view.receipt.access_id,
            person.subject_ref,
            digest_of(view.bundle.view),
            OutcomeKind.OUTCOME_KIND_GRANTED,
            datetime.now(UTC),
        )
        (report,) = lender.report_outcome_events([decision])
        assert isinstance(report.result, v1.OutcomeTaken), report.result
        assert lender.outcomes_due() == []
        (outcome,) = person.client.report(person.key).report.outcomes
        event = v1.OutcomeEvent.FromString(outcome.event.payload)
        assert (event.outcome, event.access_id) == (decision.outcome, outcome.access_id)
