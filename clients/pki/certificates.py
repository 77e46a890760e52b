"""TLS certificates of members: P-256, one SPIFFE URI, one DNS name, issued by one CA."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clients.pki.errors import PkiError
from concordat.rpc.tls import TlsIdentity

BACKDATED = timedelta(minutes=5)
"""How far back validity starts, so that a peer whose clock is slow accepts it at once."""

_PEM, _PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
_NAME_LENGTH = 64  # upper bound of X.520 names


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """An authority that issues members' TLS certificates, and no further authorities."""

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, federation: str, at: datetime, days: int) -> "CertificateAuthority":
        """Make a fresh self-signed authority (RFC 5280: path length 0), valid for ``days``."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = name_of("Concordat TLS authority", federation)
        public = key.public_key()
        builder = _validity(_builder(name, name, public), at - BACKDATED, at + timedelta(days=days))
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def load(
        cls, certificate: bytes, private_key: bytes, passphrase: bytes | None
    ) -> "CertificateAuthority":
        """Read both PEM files' contents; raise ``PkiError`` where the key does not open."""
        try:
            key = serialization.load_pem_private_key(private_key, passphrase)
            issuer = x509.load_pem_x509_certificate(certificate)
        except (ValueError, TypeError) as error:
            raise PkiError(
                "the CA's files do not open; check --passphrase-file, ca/ca.key and ca/ca.crt"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise PkiError("ca/ca.key holds no P-256 key")
        return cls(issuer, key)

    def issue(
        self, uri: str, dns_name: str, not_before: datetime, not_after: datetime
    ) -> TlsIdentity:
        """Make a key and its certificate with exactly the two names, for servers and clients.

        ``uri`` is ``Anchors.tls_identity``, ``dns_name`` is ``Anchors.server_name``.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        public, issuer = key.public_key(), self.certificate.subject
        builder = _builder(name_of(dns_name.split(".", maxsplit=1)[0]), issuer, public)
        names = [x509.UniformResourceIdentifier(uri), x509.DNSName(dns_name)]
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self.private_key.public_key()
        )
        certificate = (
            _validity(builder, not_before, not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(issuer_key, critical=False)
            .sign(self.private_key, hashes.SHA256())
        )
        return TlsIdentity(certificate.public_bytes(_PEM), _key_pem(key, None))

    @property
    def certificate_pem(self) -> bytes:
        """The authority's certificate, PEM."""
        return self.certificate.public_bytes(_PEM)

    def key_pem(self, passphrase: bytes | None) -> bytes:
        """Return the private key as PKCS#8 PEM, encrypted if a passphrase is given."""
        return _key_pem(self.private_key, passphrase)


def _key_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(_PEM, _PKCS8, encryption)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
    )


def _validity(
    builder: x509.CertificateBuilder, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    if not_before >= not_after:
        raise PkiError("a certificate's validity must start before it ends")
    return builder.not_valid_before(not_before).not_valid_after(not_after)


def name_of(common_name: str, organisation: str = "") -> x509.Name:
    """Return a distinguished name, cut to what X.520 allows."""
    parts = [(NameOID.COMMON_NAME, common_name), (NameOID.ORGANIZATION_NAME, organisation)]
    return x509.Name([x509.NameAttribute(oid, text[:_NAME_LENGTH]) for oid, text in parts if text])


def key_usage(*, authority: bool) -> x509.KeyUsage:
    """Return what a certificate's key may do: sign certificates and what revokes them, or prove who it is."""
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
