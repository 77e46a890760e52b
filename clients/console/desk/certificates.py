"""What a client certificate has to be to sign an officer in; it is looked at again at every page. Pure.

TLS has proved that the browser holds its key. All else is decided here, by the licence and the time that are
given: the handshake's own checks are not relied on.
"""

import hashlib
import ssl
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, SignatureAlgorithmOID

from clients.console.base.failures import PageRefused
from clients.console.desk.officers import Officer, officer_of
from clients.language import marked
from clients.pki.certificates import BACKDATED, key_usage
from clients.pki.officer_certificates import (
    MOST_DAYS,
    NO_AUTHORITY,
    PURPOSE,
    desk_uri,
)
from concordat.federation.directory import Member
from concordat.trust.errors import SignatureInvalidError
from concordat.trust.keys import key_id, verify_signature

LONGEST = timedelta(days=MOST_DAYS) + BACKDATED
_UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion)
_USES = {
    ExtensionOID.BASIC_CONSTRAINTS: NO_AUTHORITY,
    ExtensionOID.KEY_USAGE: key_usage(authority=False),
    ExtensionOID.EXTENDED_KEY_USAGE: PURPOSE,
}
_OTHERS = {
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
}


class CertificateRefused(PageRefused):
    """A client certificate that signs nobody in; the title says why."""

    def __init__(self, title: str, advice: str) -> None:
        """Refuse with a marked title and advice."""
        super().__init__(403, title, advice)


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """A certificate that counts: whose it is, what tells it from every other, and when it ends."""

    officer: Officer
    fingerprint: str  # SHA-256 of its DER, in hex
    not_after: datetime


def require_certificate(pem: bytes, regulator: Member, desk: str, at: datetime) -> ShownCertificate:
    """Return whose certificate it is; raise ``CertificateRefused`` unless it counts at ``at`` for this desk.

    It must be what ``issue_officer_certificate`` makes, and no more: issued by a key that the licence names now.
    """
    certificate, extensions = _read(pem)
    officer = _issuer(certificate, extensions, regulator, at)
    _require_use(certificate, extensions)
    _require_desk(extensions, desk)
    _require_time(certificate, at)
    return ShownCertificate(
        replace(officer, serial=f"{certificate.serial_number:x}"),
        fingerprint_of(pem),
        certificate.not_valid_after_utc,
    )


def fingerprint_of(pem: bytes) -> str:
    """Return the SHA-256 of a certificate's DER, in hex."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))).hexdigest()


_Extensions = dict[x509.ObjectIdentifier, x509.ExtensionType]


def _read(pem: bytes) -> tuple[x509.Certificate, _Extensions]:
    """Return a certificate and its extensions."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        extensions = {each.oid: each.value for each in certificate.extensions}
    except (*_UNREADABLE, x509.UnsupportedGeneralNameType) as error:
        raise _misused() from error
    return certificate, extensions


def _issuer(
    certificate: x509.Certificate, extensions: _Extensions, regulator: Member, at: datetime
) -> Officer:
    """Return the officer whose licensed key issued a certificate."""
    named = extensions.get(ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
    raw = named.key_identifier if isinstance(named, x509.AuthorityKeyIdentifier) else None
    keyid = (raw or b"").hex()
    licence = regulator.licence
    keys = [each.public_key for each in (*licence.approvers, *licence.keys)]
    public_key = next((each for each in keys if key_id(each) == keyid), None)
    if public_key is None or certificate.signature_algorithm_oid != SignatureAlgorithmOID.ED25519:
        raise _unlicensed()
    try:
        verify_signature(public_key, certificate.signature, certificate.tbs_certificate_bytes)
    except SignatureInvalidError as error:
        raise _unlicensed() from error
    officer = officer_of(regulator, keyid, at)
    if officer is None:
        raise _out_of_date_key()
    return officer


def _require_use(certificate: x509.Certificate, extensions: _Extensions) -> None:
    """Refuse what is more, or less, than a P-256 key with which to open connections."""
    if any(extensions.get(oid) != value for oid, value in _USES.items()):
        raise _misused()
    if extensions.keys() != _USES.keys() | _OTHERS:
        raise _misused()
    try:
        key = certificate.public_key()
    except _UNREADABLE as error:
        raise _misused() from error
    if not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)):
        raise _misused()


def _require_desk(extensions: _Extensions, desk: str) -> None:
    wanted = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(desk_uri(desk))])
    if extensions[ExtensionOID.SUBJECT_ALTERNATIVE_NAME] != wanted:
        raise CertificateRefused(
            marked("That certificate is for another desk"),
            marked(
                "A certificate names the one desk that it opens. Have your key issue one for this desk, and "
                "choose it when the browser asks."
            ),
        )


def _require_time(certificate: x509.Certificate, at: datetime) -> None:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if ends - begins > LONGEST:
        raise CertificateRefused(
            marked("That certificate lasts too long"),
            marked("A certificate lasts a year at most. Have your key issue another."),
        )
    if at >= ends:
        raise CertificateRefused(
            marked("That certificate has expired"),
            marked(
                "Have your key issue another, put it into the browser, and take the old one out."
            ),
        )
    if at < begins:
        raise CertificateRefused(
            marked("That certificate is not valid yet"),
            marked("Check the clock of this machine, and that of the one where it was issued."),
        )


def _unlicensed() -> CertificateRefused:
    return CertificateRefused(
        marked("No key of the licence issued that certificate"),
        marked(
            "Only a certificate that was issued by a key which the regulator's licence names now signs anybody "
            "in. Choose another in the browser, or sign the challenge."
        ),
    )


def _out_of_date_key() -> CertificateRefused:
    return CertificateRefused(
        marked("The key that issued that certificate does not count now"),
        marked(
            "The licence names it for another time. Use a key that counts, and have it issue another certificate."
        ),
    )


def _misused() -> CertificateRefused:
    return CertificateRefused(
        marked("That certificate is not for signing in to a desk"),
        marked(
            "It may be used for other things, or lacks what one needs here. Make one by concordat regulator "
            "officer-certificate."
        ),
    )
