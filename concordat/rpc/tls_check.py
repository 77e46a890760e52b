"""Whether a TLS certificate and its key will do for this member. Pure."""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from concordat.federation.anchors import Anchors
from concordat.rpc.tls import TlsFileError, TlsIdentity


def require_certificate(
    identity: TlsIdentity, anchors: Anchors, member_id: str, at: datetime
) -> x509.Certificate:
    """Return the TLS certificate, one that peers will accept.

    Raises ``TlsFileError`` unless it is this member's, in date, of the federation's authority, and the
    private key is its own.
    """
    try:
        certificate = x509.load_pem_x509_certificate(identity.certificate)
        key = load_pem_private_key(identity.private_key, None)
        authorities = x509.load_pem_x509_certificates(anchors.bundle.tls_ca_pem.encode())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, x509.ExtensionNotFound) as error:
        raise TlsFileError(f"certificate or key is not PEM, or it has no names: {error}") from error
    if key.public_key() != certificate.public_key():
        raise TlsFileError("tls_key is not the key of tls_certificate")
    wanted = anchors.tls_identity(member_id)
    if names.get_values_for_type(x509.UniformResourceIdentifier) != [wanted]:
        raise TlsFileError(f"its URI name is not {wanted}")
    if anchors.server_name(member_id) not in names.get_values_for_type(x509.DNSName):
        raise TlsFileError(f"it lacks the DNS name {anchors.server_name(member_id)}")
    if not certificate.not_valid_before_utc <= at < certificate.not_valid_after_utc:
        raise TlsFileError(f"it is not valid now (until {certificate.not_valid_after_utc})")
    if not any(_issued(certificate, authority) for authority in authorities):
        raise TlsFileError("the trust bundle's authority did not issue it")
    return certificate


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # noqa: BLE001 - a signature of another kind raises what it likes
        return False
    return True
