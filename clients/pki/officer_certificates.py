"""Certificates that a regulator's officers sign in to its desk with: issued by the officer's own licensed key.

The licensed Ed25519 key vouches for a fresh P-256 key, since no browser holds an Ed25519 one; it signs once,
offline, and never goes near the browser. What it signs is DER of a TBSCertificate, so it is none of a statement's
(DSSE) nor of a challenge's signed bytes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from clients.pki.certificates import BACKDATED, key_usage, name_of
from clients.pki.errors import PkiError
from concordat.trust.keys import Ed25519Signer, key_id

MOST_DAYS = 365
LEAST_PASSPHRASE = 12  # bytes; PKCS#12 stretches a passphrase but little
PURPOSE = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
NO_AUTHORITY = x509.BasicConstraints(ca=False, path_length=None)


def desk_uri(desk: str) -> str:
    """Return the URI by which a certificate names the desk that it is for, ``regulator@federation``."""
    return f"concordat-desk://{desk}"


@dataclass(frozen=True, slots=True)
class OfficerCertificate:
    """A certificate and its private key, to be put into the officer's browser."""

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey

    def pkcs12(self, passphrase: bytes) -> bytes:
        """Return both as a PKCS#12 file, encrypted; raise ``PkiError`` for a passphrase that is too short."""
        if len(passphrase) < LEAST_PASSPHRASE:
            raise PkiError(f"a passphrase of {LEAST_PASSPHRASE} characters or more is needed")
        encryption = serialization.BestAvailableEncryption(passphrase)
        return pkcs12.serialize_key_and_certificates(
            b"Concordat desk", self.private_key, self.certificate, None, encryption
        )


def issue_officer_certificate(
    signer: Ed25519Signer, desk: str, at: datetime, days: int
) -> OfficerCertificate:
    """Make a fresh key and its certificate for one desk, valid for ``days``; raise ``PkiError``."""
    if not 1 <= days <= MOST_DAYS:
        raise PkiError(f"an officer's certificate lasts 1 to {MOST_DAYS} days")
    keyid = key_id(signer.public_key)
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    named = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(desk_uri(desk))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(f"Officer of {desk}"))
        .issuer_name(_issuer_name(keyid))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - BACKDATED)
        .not_valid_after(at + timedelta(days=days))
        .add_extension(NO_AUTHORITY, critical=True)
        .add_extension(key_usage(authority=False), critical=True)
        .add_extension(PURPOSE, critical=False)
        .add_extension(named, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(_raw(keyid), None, None), critical=False)
    )
    return OfficerCertificate(signer.certify(builder), key)


def stand_in_issuer(public_key: bytes, at: datetime) -> x509.Certificate:
    """Return a certificate of an officer's licensed key, by which TLS finds who issued what a browser shows.

    The desk lacks the officer's private key, so a key that is thrown away signs it: who trusts it, as TLS's own
    anchor, does not look at that signature (RFC 5280, 6.1.1 (d)).
    """
    keyid = key_id(public_key)
    return (
        x509.CertificateBuilder()
        .subject_name(_issuer_name(keyid))
        .issuer_name(name_of("Concordat desk"))
        .public_key(Ed25519PublicKey.from_public_bytes(public_key))
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - BACKDATED)
        .not_valid_after(at + timedelta(days=MOST_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(_raw(keyid)), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )


def _issuer_name(keyid: str) -> x509.Name:
    return name_of(f"Concordat officer {keyid}")


def _raw(keyid: str) -> bytes:
    return bytes.fromhex(keyid)
