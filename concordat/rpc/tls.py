"""TLS for gRPC. P-256 certificates: gRPC's TLS refuses Ed25519 ones."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from concordat.federation.anchors import Anchors


class TlsFileError(Exception):
    """A certificate or key file cannot be read, or will not do; the text says which, and why."""


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """A member's TLS certificate chain and private key, PEM."""

    certificate: bytes
    private_key: bytes

    @classmethod
    def load(cls, certificate: Path, private_key: Path) -> "TlsIdentity":
        """Read both files; raise ``TlsFileError`` if one can't be."""
        try:
            return cls(certificate.read_bytes(), private_key.read_bytes())
        except OSError as error:
            raise TlsFileError(f"cannot read {error.filename}: {error.strerror}") from error


def member_port(identity: TlsIdentity, anchors: Anchors) -> grpc.ServerCredentials:
    """Return server credentials that demand a client certificate of the federation's CA."""
    return grpc.ssl_server_credentials(
        [(identity.private_key, identity.certificate)],
        root_certificates=anchors.bundle.tls_ca_pem.encode(),
        require_client_auth=True,
    )


def public_port(identity: TlsIdentity) -> grpc.ServerCredentials:
    """Return server credentials that ask for no client certificate."""
    return grpc.ssl_server_credentials([(identity.private_key, identity.certificate)])


def member_channel(identity: TlsIdentity, anchors: Anchors) -> grpc.ChannelCredentials:
    """Return credentials with which a member calls another."""
    return grpc.ssl_channel_credentials(
        anchors.bundle.tls_ca_pem.encode(), identity.private_key, identity.certificate
    )


def public_channel(anchors: Anchors) -> grpc.ChannelCredentials:
    """Return credentials with which anyone calls a public port."""
    return grpc.ssl_channel_credentials(anchors.bundle.tls_ca_pem.encode())
