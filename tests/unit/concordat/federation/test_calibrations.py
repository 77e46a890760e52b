"""What a calibration needs to be believed, which one is in use, and that none is lost."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.directory import MemberDirectory
from concordat.refusal import Refusal
from concordat.statements import cosign, digest_of, seal
from concordat.v1 import Reason
from tests.builders import AT, DAY, EXCHANGE, PROVIDERS, Federation, signer


@pytest.fixture
def federation() -> Federation:
    return Federation(calibrated=False)


def reason_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refusal:
        act()
    return Reason.Name(refusal.value.reason).removeprefix("REASON_")


def refused(federation: Federation, envelope: v1.Envelope) -> str:
    reason = reason_of(lambda: federation.directory.add_calibration(envelope, AT))
    assert federation.directory.calibrations() == []
    return reason


def test_what_exchange_and_roots_signed_is_in_use(federation: Federation) -> None:
    envelope = federation.calibration()
    assert federation.directory.add_calibration(envelope, AT)
    used = federation.directory.calibration(AT)
    assert (used.version, used.digest, used.envelope) == (1, digest_of(envelope), envelope)
    assert used.compiled.reads(PROVIDERS[0], federation.member(PROVIDERS[0]).licence.score_scale)


def test_too_few_roots_are_refused(federation: Federation) -> None:
    assert refused(federation, federation.calibration(roots=1)) == "SIGNATURE_INVALID"


def test_a_root_that_signs_twice_counts_once(federation: Federation) -> None:
    envelope = federation.calibration(roots=1)
    cosign(envelope, federation.roots[0])
    assert refused(federation, envelope) == "SIGNATURE_INVALID"


def test_roots_alone_are_not_enough(federation: Federation) -> None:
    envelope = federation.calibration(signed_by="root-2", roots=2)
    assert refused(federation, envelope) == "SIGNATURE_INVALID"


@pytest.mark.parametrize("stranger", ["stranger", PROVIDERS[0], "log"])
def test_another_key_never_counts_as_the_exchanges(federation: Federation, stranger: str) -> None:
    envelope = federation.calibration(signed_by=stranger, roots=3)
    assert refused(federation, envelope) == "SIGNATURE_INVALID"


def test_a_key_that_is_not_valid_any_more_does_not_count(federation: Federation) -> None:
    envelope, late = federation.calibration(), AT + 301 * DAY
    open_calibration = federation.directory.open_calibration
    assert reason_of(lambda: open_calibration(envelope, late)) == "SIGNATURE_INVALID"


def test_a_licence_that_is_renewed_keeps_the_calibration_in_use(federation: Federation) -> None:
    opened, start = federation.calibrate(), to_timestamp(AT - DAY)
    key = federation.member(EXCHANGE).licence.keys[0]
    key.not_before.CopyFrom(start)  # after the calibration was made
    exchange = v1.Role.ROLE_EXCHANGE
    federation.enrol(EXCHANGE, exchange, version=2, keys=[key], not_before=start)
    copy = MemberDirectory(federation.anchors)
    copy.take([federation.member(EXCHANGE).licence_envelope], [], AT, [opened.envelope])
    assert copy.calibration(AT).digest == opened.digest


def test_a_key_that_is_withdrawn_takes_its_calibration_out_of_use_where_it_was_taken_in(
    federation: Federation,
) -> None:
    key = federation.member(EXCHANGE).licence.keys[0]
    old = v1.SigningKey(public_key=signer("exchange-old").public_key)
    old.not_before.CopyFrom(key.not_before)
    old.not_after.CopyFrom(key.not_after)
    exchange = v1.Role.ROLE_EXCHANGE
    federation.enrol(EXCHANGE, exchange, version=2, keys=[key, old])
    first, second = (
        federation.calibrate(),
        federation.calibrate(version=2, signed_by="exchange-old"),
    )
    in_use = federation.directory.calibration
    assert in_use(AT) is second
    old.not_after.CopyFrom(to_timestamp(AT + DAY))
    federation.enrol(EXCHANGE, exchange, version=3, keys=[key, old])
    assert (in_use(AT), in_use(AT + DAY)) == (second, first)
    federation.enrol(EXCHANGE, exchange, version=4, keys=[key])
    assert in_use(AT) is first
    assert federation.directory.calibration_by_digest(second.digest) is second


def test_one_key_is_never_both_root_and_exchange(federation: Federation) -> None:
    key = federation.member(EXCHANGE).licence.keys[0]
    key.public_key = federation.roots[0].public_key
    federation.enrol(EXCHANGE, v1.Role.ROLE_EXCHANGE, version=2, keys=[key])
    envelope = federation.calibration(signed_by="root-0", roots=2)
    del envelope.signatures[1]
    assert refused(federation, envelope) == "SIGNATURE_INVALID"


def test_one_of_another_federation_is_refused(federation: Federation) -> None:
    envelope = federation.calibration(federation="other.concordat")
    assert refused(federation, envelope) == "WRONG_FEDERATION"


def test_one_from_the_future_is_refused(federation: Federation) -> None:
    envelope = federation.calibration(made_at=to_timestamp(AT + timedelta(minutes=4)))
    assert refused(federation, envelope) == "STATEMENT_NOT_FRESH"


def test_one_made_by_a_clock_that_is_ahead_is_in_use_when_its_views_can_be_checked(
    federation: Federation,
) -> None:
    made = AT + timedelta(minutes=2)
    opened = federation.calibrate(made_at=to_timestamp(made))
    assert reason_of(lambda: federation.directory.calibration(AT)) == "NO_CALIBRATION"
    assert federation.directory.calibration(made) is opened


def test_a_model_that_contradicts_itself_is_refused(federation: Federation) -> None:
    model = v1.Calibration.FromString(federation.calibration().payload).model
    model.providers.append(model.providers[0])
    assert refused(federation, federation.calibration(model=model)) == "STATEMENT_MALFORMED"


def test_a_licence_never_passes_as_a_calibration(federation: Federation) -> None:
    envelope = federation.member(PROVIDERS[0]).licence_envelope
    assert refused(federation, envelope) == "STATEMENT_MALFORMED"


def test_without_the_exchanges_licence_nothing_is_believed(federation: Federation) -> None:
    empty = MemberDirectory(federation.anchors)
    envelope = federation.calibration()
    assert reason_of(lambda: empty.add_calibration(envelope, AT)) == "MEMBER_UNLICENSED"


def test_the_highest_version_that_has_begun_is_in_use(federation: Federation) -> None:
    for version, days in ((1, -3), (2, 0), (3, 2)):
        federation.calibrate(version=version, not_before=to_timestamp(AT + days * DAY))
    in_use = federation.directory.calibration
    assert [in_use(AT + days * DAY).version for days in (-3, -1, 0, 1, 2, 9)] == [1, 1, 2, 2, 3, 3]
    assert reason_of(lambda: in_use(AT - 4 * DAY)) == "NO_CALIBRATION"


def test_all_are_kept_and_found_by_digest(federation: Federation) -> None:
    opened = [federation.calibrate(version=version) for version in (2, 1, 3)]
    kept = federation.directory.calibrations()
    assert [each.version for each in kept] == [1, 2, 3]
    for each in opened:
        assert federation.directory.calibration_by_digest(each.digest) is each
    assert federation.directory.calibration_by_digest(bytes(32)) is None


def test_the_same_again_changes_nothing_and_other_bytes_are_refused(federation: Federation) -> None:
    directory, envelope = federation.directory, federation.calibration()
    assert directory.add_calibration(envelope, AT)
    revision = directory.revision
    assert not directory.add_calibration(envelope, AT)
    assert directory.revision == revision
    other = federation.calibration()
    assert reason_of(lambda: directory.add_calibration(other, AT)) == "CALIBRATION_SUPERSEDED"
    assert directory.calibration(AT).digest == digest_of(envelope)


def test_one_past_its_date_is_used_on(federation: Federation) -> None:
    opened = federation.calibrate(stale_from=to_timestamp(AT - DAY))
    assert federation.directory.calibration(AT) is opened
    assert (opened.is_stale(AT - 2 * DAY), opened.is_stale(AT - DAY)) == (False, True)


def test_what_a_peer_holds_is_taken_without_what_does_not_count(federation: Federation) -> None:
    good, forged = (
        federation.calibration(),
        seal(
            v1.Calibration.FromString(federation.calibration(version=2).payload), signer("stranger")
        ),
    )
    copy = MemberDirectory(federation.anchors)
    licences = [member.licence_envelope for member in federation.directory.members()]
    copy.take(licences, [], AT, [forged, good, good, federation.calibration()])
    assert [each.digest for each in copy.calibrations()] == [digest_of(good)]
