"""A member's keys, as it calls others."""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from clients.sdk.errors import ClientError
from concordat.federation.anchors import Anchors
from concordat.rpc.tls import TlsIdentity
from concordat.trust.keys import Ed25519Signer, Signer


@dataclass(frozen=True, slots=True)
class MemberIdentity:
    """Who calls: the member id, what signs its statements, and its TLS certificate."""

    member_id: str
    signer: Signer
    tls: TlsIdentity


def load_identity(
    folder: Path, anchors: Anchors, passphrase: bytes | None = None
) -> MemberIdentity:
    """Read a member's folder as ``concordat pki member`` makes it: signing.key, tls.crt, tls.key.

    The member id is the certificate's. Raises ``KeyFileError``, ``TlsFileError``, or
    ``ClientError`` where the certificate names no member of this federation.
    """
    tls = TlsIdentity.load(folder / "tls.crt", folder / "tls.key")
    signer = Ed25519Signer.load(folder / "signing.key", passphrase)
    return MemberIdentity(member_named_in(tls, anchors, folder / "tls.crt"), signer, tls)


def member_named_in(tls: TlsIdentity, anchors: Anchors, path: Path) -> str:
    """Return the member id in a certificate; raise ``ClientError``, which names its ``path``, for none."""
    prefix = anchors.tls_identity("")
    try:
        certificate = x509.load_pem_x509_certificate(tls.certificate)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise ClientError(f"{path} is no member's certificate") from error
    for uri in names.get_values_for_type(x509.UniformResourceIdentifier):
        if uri.startswith(prefix):
            return uri.removeprefix(prefix)
    raise ClientError(f"{path} names no member of {anchors.federation}; check the trust bundle")
