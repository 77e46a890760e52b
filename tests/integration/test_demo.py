"""What the demo shows, in a federation of three providers: quick, so that it runs with every test."""

import time
from datetime import UTC, datetime

import pytest

from clients.sandbox import Person, Sandbox
from clients.sdk import PartialView, RemoteError
from concordat.v1 import Band, DisclosureKind, ProviderOutcomeKind, Reason
from concordat.verify.bundle import dump_bundle, parse_bundle
from concordat.verify.view import verify_view_bundle

FIRM, SHOP = "SBA-1000000001", "SBA-1000000002"
SCORED = ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_SCORED
NO_RECORD = ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_NO_RECORD

BACK_WITHIN_SECONDS = 5  # the exchange tries again at least once a second

# Starting a federation takes seconds of processor time, more where tests run side by side.
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def people(sandbox: Sandbox) -> tuple[Person, Person]:
    firm, shop = sandbox.enrol([FIRM, SHOP])
    return firm, shop


def test_a_view_of_three_providers_verifies_offline(
    sandbox: Sandbox, people: tuple[Person, Person]
) -> None:
    firm, _ = people
    view = sandbox.lender().request_view(firm.consent(sandbox.provider_ids))
    assert [outcome.kind for outcome in view.view.providers] == [SCORED] * 3
    assert len(view.score().full.contributions) == 3

    bundle = parse_bundle(dump_bundle(view.bundle))
    again = verify_view_bundle(bundle, sandbox.anchors, at=datetime.now(UTC))
    assert again.view == view.view


def test_a_provider_that_knows_nobody_leaves_the_view_complete(
    sandbox: Sandbox, people: tuple[Person, Person]
) -> None:
    _, shop = people
    view = sandbox.lender().request_view(shop.consent(sandbox.provider_ids))
    kinds = {outcome.provider: outcome.kind for outcome in view.view.providers}
    assert kinds["ostrevane-guarantee-fund"] == NO_RECORD
    assert len(view.score().full.contributions) == 2


def test_a_band_tells_the_band_and_nothing_else(
    sandbox: Sandbox, people: tuple[Person, Person]
) -> None:
    firm, _ = people
    band = DisclosureKind.DISCLOSURE_KIND_BAND
    view = sandbox.lender().request_view(firm.consent(sandbox.provider_ids, disclosure=band))
    assert view.score().band in Band.values()[1:]
    assert not view.bundle.statements


def test_a_revoked_consent_is_refused(sandbox: Sandbox, people: tuple[Person, Person]) -> None:
    firm, _ = people
    permission = firm.consent(sandbox.provider_ids)
    assert firm.revoke(permission).complete
    with pytest.raises(RemoteError) as refused:
        sandbox.lender().request_view(permission)
    assert refused.value.reason == Reason.REASON_CONSENT_REVOKED


def test_a_killed_provider_is_named_and_back_after_a_restart(
    sandbox: Sandbox, people: tuple[Person, Person]
) -> None:
    firm, _ = people
    lender, killed = sandbox.lender(), sandbox.provider_ids[0]
    sandbox.process(killed).kill()
    try:
        view = lender.request_view(firm.consent(sandbox.provider_ids))
    finally:
        sandbox.process(killed).restart()
    assert [outcome.provider for outcome in view.missing] == [killed]
    with pytest.raises(PartialView):
        view.score()
    assert len(view.score(accept_partial=True).full.contributions) == 2

    deadline = time.monotonic() + BACK_WITHIN_SECONDS
    while lender.request_view(firm.consent(sandbox.provider_ids)).missing:
        assert time.monotonic() < deadline
        time.sleep(0.1)
