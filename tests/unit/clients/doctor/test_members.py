"""What the doctor says of members: licences that end, who is suspended, which ports there are to try."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from clients.doctor import probe_endpoints, probe_trust
from clients.doctor.finding import Finding, Status
from clients.doctor.probe_trust import Known
from concordat.federation.directory import MemberDirectory
from concordat.v1 import Role, Standing
from tests.builders import AT, DAY, LENDER, PROVIDERS, Federation, Pki


@pytest.fixture(scope="module")
def federation() -> Federation:
    federation = Federation(AT)
    for name in PROVIDERS:
        federation.enrol(name, Role.ROLE_PROVIDER, public_endpoint=f"{name}.example:1", version=2)
    return federation


def known(
    federation: Federation, standing: Standing.ValueType = Standing.STANDING_ACTIVE
) -> list[Known]:
    """Return all members, active but for the first provider."""
    return [
        (m, standing if m.member_id == PROVIDERS[0] else Standing.STANDING_ACTIVE)
        for m in federation.directory.members()
    ]


def bad(findings: Iterable[Finding]) -> dict[str, Status]:
    return {each.check: each.status for each in findings if each.status != Status.OK}


def test_licences_that_end_are_named_one_by_one(federation: Federation) -> None:
    assert bad(probe_trust.licences(known(federation), AT)) == {}
    soon = bad(probe_trust.licences(known(federation), AT + 280 * DAY))
    assert soon[f"licence of {LENDER}"] == Status.WARN
    over = bad(probe_trust.licences(known(federation), AT + 301 * DAY))
    assert over[f"licence of {LENDER}"] == Status.FAIL


def test_a_suspended_member_is_told_and_not_dialled(federation: Federation) -> None:
    members = known(federation, Standing.STANDING_SUSPENDED)
    assert bad(probe_trust.licences(members, AT)) == {f"licence of {PROVIDERS[0]}": Status.WARN}
    dialled = {each.member_id for each in probe_endpoints.endpoints(federation.anchors, members)}
    assert PROVIDERS[0] not in dialled
    assert PROVIDERS[1] in dialled


def test_a_revoked_member_is_nobodys_worry(federation: Federation) -> None:
    members = known(federation, Standing.STANDING_REVOKED)
    assert bad(probe_trust.licences(members, AT)) == {}


def test_each_port_is_tried_once(federation: Federation) -> None:
    found = probe_endpoints.endpoints(federation.anchors, known(federation))
    assert len(found) == len(set(found)) == len(PROVIDERS)
    assert all(each.address for each in found)


def test_an_exchange_without_members_or_calibration_is_told(federation: Federation) -> None:
    empty = MemberDirectory(federation.anchors)
    assert bad(probe_trust.licences([], AT)) == {"licences": Status.FAIL}
    assert bad(probe_trust.calibration(empty, AT)) == {"calibration": Status.FAIL}


def test_a_stale_calibration_is_a_warning_since_it_is_still_used() -> None:
    directory: Any = SimpleNamespace(
        calibration=lambda _at: SimpleNamespace(version=4, stale_from=AT)
    )
    assert bad(probe_trust.calibration(directory, AT)) == {"calibration 4": Status.WARN}


def test_the_authority_of_the_bundle_is_judged_by_its_end() -> None:
    anchors = Federation(AT, tls_ca_pem=Pki().ca_pem).anchors
    assert bad(probe_trust.authorities(anchors, AT + 3650 * DAY)) == {"TLS authority": Status.FAIL}
