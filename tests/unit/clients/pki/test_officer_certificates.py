"""An officer's certificate: for a fresh key, by the licensed one, in a file that is never open."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import pkcs12

from clients.pki.errors import PkiError
from clients.pki.officer_certificates import issue_officer_certificate, stand_in_issuer
from tests.builders import AT, signer

DESK = "regulator@test.example"
PASSPHRASE = b"a passphrase of some length"


def test_the_licensed_key_vouches_for_a_fresh_one_and_is_not_in_the_file() -> None:
    officer = signer("officer-1")
    made = issue_officer_certificate(officer, DESK, AT, 90)
    key, certificate, others = pkcs12.load_key_and_certificates(made.pkcs12(PASSPHRASE), PASSPHRASE)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert certificate == made.certificate
    assert others == []
    issuer = Ed25519PublicKey.from_public_bytes(officer.public_key)
    issuer.verify(made.certificate.signature, made.certificate.tbs_certificate_bytes)
    names = made.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"concordat-desk://{DESK}"]
    usage = made.certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical


def test_no_file_is_written_without_a_passphrase_that_will_do() -> None:
    made = issue_officer_certificate(signer("officer-1"), DESK, AT, 90)
    for short in (b"", b"eleven char"):
        with pytest.raises(PkiError, match="passphrase"):
            made.pkcs12(short)
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_key_and_certificates(made.pkcs12(PASSPHRASE), b"another passphrase")


@pytest.mark.parametrize("days", [0, -1, 366])
def test_a_certificate_lasts_a_year_at_most(days: int) -> None:
    with pytest.raises(PkiError, match="365"):
        issue_officer_certificate(signer("officer-1"), DESK, AT, days)


def test_what_stands_in_for_a_key_is_named_as_what_it_issued_says() -> None:
    officer = signer("officer-1")
    issuer = stand_in_issuer(officer.public_key, AT)
    made = issue_officer_certificate(officer, DESK, AT, 90).certificate
    assert made.issuer == issuer.subject
    made.verify_directly_issued_by(issuer)
