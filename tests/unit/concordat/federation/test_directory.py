"""The directory lets in what the roots signed, and takes part only who may."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from concordat import v1
from concordat.clock import MAX_SKEW, to_timestamp
from concordat.federation.anchors import Anchors, TrustBundleError, load_anchors, save_bundle
from concordat.federation.directory import MemberDirectory, open_licence
from concordat.refusal import Refusal
from concordat.statements import seal
from concordat.trust.keys import key_id
from concordat.v1 import Reason, Role, Standing
from tests.builders import AT, DAY, LENDER, NAME, Federation, scale, signer

SECOND = timedelta(seconds=1)
ACTIVE, SUSPENDED, REVOKED = (
    Standing.STANDING_ACTIVE,
    Standing.STANDING_SUSPENDED,
    Standing.STANDING_REVOKED,
)


@pytest.fixture
def federation() -> Federation:
    return Federation()


def reason_of(work: Callable[[], object]) -> str:
    """Why something is refused."""
    with pytest.raises(Refusal) as refused:
        work()
    return Reason.Name(refused.value.reason).removeprefix("REASON_")


def test_whoever_has_no_licence_is_refused(federation: Federation) -> None:
    assert reason_of(lambda: federation.directory.require("nobody", AT)) == "MEMBER_UNLICENSED"
    assert federation.directory.require(LENDER, AT).member_id == LENDER


def test_a_role_that_is_not_held_is_refused(federation: Federation) -> None:
    require = federation.directory.require
    assert require(LENDER, AT, Role.ROLE_COURT, Role.ROLE_LENDER).member_id == LENDER
    assert reason_of(lambda: require(LENDER, AT, Role.ROLE_COURT)) == "ROLE_NOT_ALLOWED"


def test_a_licence_counts_from_its_start_less_clock_skew_until_just_before_its_end(
    federation: Federation,
) -> None:
    start, end = AT + DAY, AT + 2 * DAY
    federation.enrol(
        "brief", Role.ROLE_WITNESS, not_before=to_timestamp(start), not_after=to_timestamp(end)
    )
    for at in (start - MAX_SKEW, start, end - SECOND):
        federation.directory.require("brief", at)
    for at in (AT, start - MAX_SKEW - SECOND, end, end + DAY):
        found = reason_of(lambda at=at: federation.directory.require("brief", at))  # type: ignore[misc]
        assert found == "LICENCE_NOT_IN_FORCE"


def test_a_licence_that_starts_with_the_calendar_is_in_force(federation: Federation) -> None:
    first, last = v1.Licence(), v1.Licence()
    first.not_before.seconds = -62_135_596_800
    last.not_after.seconds = 253_402_300_799
    federation.enrol(
        "eternal", Role.ROLE_WITNESS, not_before=first.not_before, not_after=last.not_after
    )
    assert federation.directory.require("eternal", AT).member_id == "eternal"


def test_suspension_holds_until_it_is_lifted(federation: Federation) -> None:
    federation.suspend(LENDER, sequence=1)
    require = federation.directory.require
    assert reason_of(lambda: require(LENDER, AT)) == "MEMBER_SUSPENDED"
    assert reason_of(lambda: require(LENDER, AT, Role.ROLE_COURT)) == "MEMBER_SUSPENDED"
    federation.directory.add_status(federation.status(LENDER, ACTIVE, sequence=2), AT)
    assert require(LENDER, AT).member_id == LENDER


def test_a_new_licence_lifts_no_suspension(federation: Federation) -> None:
    federation.suspend(LENDER)
    federation.enrol(LENDER, Role.ROLE_LENDER, version=2)
    assert reason_of(lambda: federation.directory.require(LENDER, AT)) == "MEMBER_SUSPENDED"


def test_a_status_may_come_before_the_licence(federation: Federation) -> None:
    federation.suspend("newcomer")
    assert federation.directory.standing("newcomer") == SUSPENDED
    federation.enrol("newcomer", Role.ROLE_WITNESS)
    assert reason_of(lambda: federation.directory.require("newcomer", AT)) == "MEMBER_SUSPENDED"


@pytest.mark.parametrize("later", [ACTIVE, SUSPENDED, REVOKED])
def test_nothing_undoes_a_revocation(federation: Federation, later: Standing.ValueType) -> None:
    directory = federation.directory
    directory.add_status(federation.status(LENDER, REVOKED, sequence=1), AT)
    undo = federation.status(LENDER, later, sequence=2)
    assert reason_of(lambda: directory.add_status(undo, AT)) == "LICENCE_SUPERSEDED"
    directory.take([], [undo], AT)
    federation.enrol(LENDER, Role.ROLE_LENDER, version=9)
    assert reason_of(lambda: directory.require(LENDER, AT)) == "LICENCE_NOT_IN_FORCE"


@pytest.mark.parametrize("sequence", [1, 2])
def test_an_older_status_is_refused(federation: Federation, sequence: int) -> None:
    federation.suspend(LENDER, sequence=2)
    older = federation.status(LENDER, ACTIVE, sequence=sequence)
    assert reason_of(lambda: federation.directory.add_status(older, AT)) == "LICENCE_SUPERSEDED"
    assert federation.directory.standing(LENDER) == SUSPENDED


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_licence_is_refused(federation: Federation, version: int) -> None:
    federation.enrol(LENDER, Role.ROLE_WITNESS, version=2)
    older = federation.licence(LENDER, Role.ROLE_LENDER, version=version)
    assert reason_of(lambda: federation.directory.add_licence(older, AT)) == "LICENCE_SUPERSEDED"
    assert federation.member(LENDER).roles == {Role.ROLE_WITNESS}


def test_the_same_statement_again_changes_nothing(federation: Federation) -> None:
    licence = federation.licence("again", Role.ROLE_WITNESS)
    status = federation.status("again", SUSPENDED)
    directory = federation.directory
    assert (directory.add_licence(licence, AT), directory.add_status(status, AT)) == (True, True)
    revision = directory.revision
    assert (directory.add_licence(licence, AT), directory.add_status(status, AT)) == (False, False)
    assert directory.revision == revision


def test_a_directory_is_rebuilt_from_what_it_holds_in_any_order(federation: Federation) -> None:
    old = federation.licence(LENDER, Role.ROLE_LENDER)
    federation.enrol(LENDER, Role.ROLE_WITNESS, version=2)
    federation.suspend("cedar-guarantee")
    licences = [member.licence_envelope for member in federation.directory.members()]
    digests = [member.licence_digest for member in federation.directory.members()]
    for order in (licences, licences[::-1], [*licences, old], [old, *licences]):
        copy = MemberDirectory(federation.anchors)
        copy.take(order, federation.directory.status_envelopes(), AT)
        assert [m.licence_digest for m in copy.members()] == digests
        assert copy.standing("cedar-guarantee") == SUSPENDED


def test_a_forgery_among_what_a_peer_hands_over_is_refused(federation: Federation) -> None:
    forged = seal(
        v1.Licence.FromString(federation.licence("mallory", Role.ROLE_REGULATOR).payload),
        signer("mallory"),
    )
    directory = federation.directory
    assert reason_of(lambda: directory.take([forged], [], AT)) == "SIGNATURE_INVALID"
    assert reason_of(lambda: directory.require("mallory", AT)) == "MEMBER_UNLICENSED"


def test_one_root_of_two_is_not_enough(federation: Federation) -> None:
    licence = federation.licence("single", Role.ROLE_WITNESS, roots=1)
    status = federation.status(LENDER, SUSPENDED, roots=1)
    directory = federation.directory
    assert reason_of(lambda: directory.add_licence(licence, AT)) == "SIGNATURE_INVALID"
    assert reason_of(lambda: directory.add_status(status, AT)) == "SIGNATURE_INVALID"
    assert directory.standing(LENDER) == ACTIVE


def test_a_status_is_no_licence_and_a_licence_no_status(federation: Federation) -> None:
    licence = federation.licence("kind", Role.ROLE_WITNESS)
    status = federation.status(LENDER, SUSPENDED)
    directory = federation.directory
    assert reason_of(lambda: directory.add_licence(status, AT)) == "STATEMENT_MALFORMED"
    assert reason_of(lambda: directory.add_status(licence, AT)) == "STATEMENT_MALFORMED"


def bent_scale(**fields: Any) -> v1.ScoreScale:
    bent = scale()
    bent.anchors[1].CopyFrom(v1.ScoreAnchor(score=575, default_ppm=50_000))
    for name, value in fields.items():
        setattr(bent.anchors[1], name, value)
    return bent


@pytest.mark.parametrize(
    ("role", "fields", "reason"),
    [
        (Role.ROLE_WITNESS, {"federation": "other.concordat"}, "WRONG_FEDERATION"),
        (
            Role.ROLE_WITNESS,
            {"tls_identity": f"spiffe://{NAME}/member/{LENDER}"},
            "STATEMENT_MALFORMED",
        ),
        (Role.ROLE_PROVIDER, {"score_scale": bent_scale(default_ppm=1)}, "STATEMENT_MALFORMED"),
        (Role.ROLE_PROVIDER, {"score_scale": bent_scale(score=300)}, "STATEMENT_MALFORMED"),
        (Role.ROLE_PROVIDER, {"score_scale": bent_scale(score=9000)}, "STATEMENT_MALFORMED"),
    ],
    ids=["another federation", "another's TLS name", "not monotone", "not rising", "off the end"],
)
def test_a_licence_that_contradicts_itself_is_refused_although_the_roots_signed_it(
    federation: Federation, role: Role.ValueType, fields: dict[str, Any], reason: str
) -> None:
    licence = federation.licence("bent", role, **fields)
    assert reason_of(lambda: federation.directory.add_licence(licence, AT)) == reason


def test_a_status_of_another_federation_is_refused(federation: Federation) -> None:
    other = Federation(name="other.concordat").status(LENDER, SUSPENDED)
    assert reason_of(lambda: federation.directory.add_status(other, AT)) == "WRONG_FEDERATION"


def test_a_members_keys_count_only_within_their_dates(federation: Federation) -> None:
    key = v1.SigningKey(
        public_key=signer("rolled").public_key,
        not_before=to_timestamp(AT),
        not_after=to_timestamp(AT + DAY),
    )
    licence = federation.licence("rolled", Role.ROLE_WITNESS, keys=[key])
    member = open_licence(licence, federation.anchors, AT)
    found = key_id(signer("rolled").public_key)
    assert member.keys.find(found, AT) == signer("rolled").public_key
    with pytest.raises(Exception, match="not valid"):
        member.keys.find(found, AT + DAY)


def test_a_trust_bundle_survives_its_file(federation: Federation, tmp_path: Any) -> None:
    save_bundle(federation.bundle, tmp_path / "trust.json")
    assert load_anchors(tmp_path / "trust.json").bundle == federation.bundle


@pytest.mark.parametrize("content", ["", "{", "[]", '{"colour": 1}', "{}", '{"rootThreshold": 3}'])
def test_a_file_that_is_no_trust_bundle_is_refused(tmp_path: Any, content: str) -> None:
    (tmp_path / "trust.json").write_text(content)
    with pytest.raises(TrustBundleError):
        load_anchors(tmp_path / "trust.json")
    with pytest.raises(TrustBundleError, match="cannot read"):
        load_anchors(tmp_path / "missing.json")


def test_a_threshold_that_the_roots_cannot_reach_is_refused(federation: Federation) -> None:
    bundle = v1.TrustBundle.FromString(federation.bundle.SerializeToString())
    bundle.root_threshold = 4
    with pytest.raises(TrustBundleError, match="root_threshold"):
        Anchors.of(bundle)
