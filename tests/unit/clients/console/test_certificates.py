"""What a certificate has to be to sign in is decided on the page, whatever the handshake let through."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from clients.console.desk.certificates import CertificateRefused, require_certificate
from clients.pki.certificates import key_usage
from clients.pki.officer_certificates import (
    NO_AUTHORITY,
    PURPOSE,
    desk_uri,
    issue_officer_certificate,
    stand_in_issuer,
)
from concordat.federation.directory import Member
from concordat.trust.keys import key_id
from concordat.v1 import Role
from tests.builders import AT, LENDER, REGULATOR, Federation, Pki, signer
from tests.case_builders import OFFICERS, approver_keys

DESK = "regulator@test.example"
ADA = OFFICERS[0]
UNLICENSED = "No key of the licence issued that certificate"
MISUSED = "That certificate is not for signing in to a desk"

Change = Callable[[x509.ExtensionType], x509.ExtensionType | None]


@pytest.fixture(scope="module")
def regulator() -> Member:
    federation = Federation()
    keys = approver_keys(federation)
    keys[2].not_after.CopyFrom(keys[2].not_before)
    keys[2].not_after.seconds += 86400
    return federation.enrol(REGULATOR, Role.ROLE_REGULATOR, version=2, approvers=keys)


def issued(name: str = ADA, desk: str = DESK, days: int = 90) -> x509.Certificate:
    return issue_officer_certificate(signer(name), desk, AT, days).certificate


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def bent(
    change: Change = lambda value: value,
    *,
    key: ec.EllipticCurvePrivateKey | None = None,
    by: str = ADA,
    more: x509.ExtensionType | None = None,
    lasts: timedelta | None = None,
) -> bytes:
    """Return Ada's certificate with something else in it, signed with the key of ``by``."""
    like = issued()
    end = like.not_valid_after_utc if lasts is None else like.not_valid_before_utc + lasts
    builder = (
        x509.CertificateBuilder()
        .subject_name(like.subject)
        .issuer_name(like.issuer)
        .public_key((key or ec.generate_private_key(ec.SECP256R1())).public_key())
        .serial_number(like.serial_number)
        .not_valid_before(like.not_valid_before_utc)
        .not_valid_after(end)
    )
    values = [(change(each.value), each.critical) for each in like.extensions]
    for value, critical in [*values, (more, False)]:
        if value is not None:
            builder = builder.add_extension(value, critical)
    return pem(signer(by).certify(builder))


def instead(old: x509.ExtensionType, new: x509.ExtensionType | None) -> Change:
    return lambda value: new if value == old else value


@pytest.mark.parametrize(("name", "role"), [(ADA, "approver-1"), (REGULATOR, "desk")])
def test_what_an_officers_key_issued_counts_until_it_ends(
    regulator: Member, name: str, role: str
) -> None:
    certificate = issued(name)
    for at in (AT, AT + timedelta(days=90, microseconds=-1)):
        found = require_certificate(pem(certificate), regulator, DESK, at)
        assert (found.officer.role, found.officer.key_id) == (
            role,
            key_id(signer(name).public_key),
        )
        assert found.officer.how == f"certificate {certificate.serial_number:x}"


def refused(regulator: Member, given: bytes, why: str, after: timedelta = timedelta()) -> None:
    with pytest.raises(CertificateRefused, match=why):
        require_certificate(given, regulator, DESK, AT + after)


@pytest.mark.parametrize(
    "given",
    [
        pem(issued(LENDER)),
        Pki().issue(REGULATOR)[0],
        bent(by=LENDER),
        pem(stand_in_issuer(signer(ADA).public_key, AT)),
    ],
    ids=["a stranger's", "a member's for TLS", "signed by another", "the stand-in for the key"],
)
def test_what_no_key_of_the_licence_issued_is_refused(regulator: Member, given: bytes) -> None:
    refused(regulator, given, UNLICENSED)


def test_a_key_counts_only_while_the_licence_has_it_count(regulator: Member) -> None:
    refused(regulator, pem(issued(OFFICERS[2])), "does not count now")


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        bent(instead(NO_AUTHORITY, x509.BasicConstraints(ca=True, path_length=None))),
        bent(instead(NO_AUTHORITY, None)),
        bent(instead(key_usage(authority=False), key_usage(authority=True))),
        bent(instead(PURPOSE, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))),
        bent(instead(PURPOSE, x509.ExtendedKeyUsage([*PURPOSE, ExtendedKeyUsageOID.SERVER_AUTH]))),
        bent(instead(PURPOSE, None)),
        bent(more=x509.OCSPNoCheck()),
        bent(key=ec.generate_private_key(ec.SECP384R1())),
    ],
    ids=[
        "empty",
        "no certificate",
        "an authority",
        "whether an authority is not said",
        "issues others",
        "for servers",
        "for servers too",
        "for anything",
        "something more",
        "another curve",
    ],
)
def test_what_is_made_for_other_uses_is_refused(regulator: Member, given: bytes) -> None:
    refused(regulator, given, MISUSED)


@pytest.mark.parametrize(
    "uris",
    [
        [desk_uri("other@test.example")],
        [desk_uri("regulator@other.example")],
        [desk_uri(DESK), desk_uri("other@test.example")],
        [f"spiffe://test.example/member/{REGULATOR}"],
    ],
)
def test_a_certificate_is_for_one_desk(regulator: Member, uris: list[str]) -> None:
    own = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(desk_uri(DESK))])
    other = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(each) for each in uris])
    refused(regulator, bent(instead(own, other)), "for another desk")


def test_a_certificate_counts_for_its_own_time_and_for_a_year_at_most(regulator: Member) -> None:
    year = pem(issued(days=365))
    require_certificate(year, regulator, DESK, AT)
    refused(regulator, year, "not valid yet", -timedelta(hours=1))
    refused(regulator, pem(issued(days=1)), "has expired", timedelta(days=1))
    refused(regulator, bent(lasts=timedelta(days=366)), "lasts too long")
