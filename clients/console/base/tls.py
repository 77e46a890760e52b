"""HTTPS that asks for a client certificate, and hands what was shown on to the application.

A view finds it as ``Visit.certificate``, from ``scope["extensions"]["tls"]["client_cert_chain"]``: ASGI's TLS
extension, which uvicorn itself does not fill. The handshake proves that the browser has the certificate's key, and
that an anchor's key issued it. What it is good for, and until when, is for the application to say.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from concordat.rpc.tls import TlsFileError

# OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name: an expired certificate is to be told so on a
# page, by the application's own clock, rather than by an error of the browser's.
_NO_CHECK_TIME = 0x200000
_TLS_1_3 = 0x0304


class _Handshake(ssl.SSLObject):
    """A connection's TLS: a certificate of no anchor's is told of, and the browser is told so before the end."""

    _failed: ssl.SSLCertVerificationError | None = None

    def do_handshake(self) -> None:
        """Go on with the handshake."""
        if self._failed is not None:
            raise self._failed
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            self._failed = error
            if isinstance(self.context, AskingContext):
                self.context.refused(error)
            # The event loop ends a failed connection at once, and the alert with it. It sends what is waiting, the
            # alert, where more is to be read.
            raise ssl.SSLWantReadError("the alert goes first") from error


class AskingContext(ssl.SSLContext):
    """A server's TLS 1.3 that asks for a client certificate and does without; ``refused`` hears of a wrong one.

    ``load_verify_locations(cadata=...)`` adds anchors, while it serves too. No session is resumed, so that each
    connection proves anew who opens it.
    """

    sslobject_class = _Handshake
    refused: Callable[[ssl.SSLCertVerificationError], None]


def asking_context(
    certificate: Path, key: Path, refused: Callable[[ssl.SSLCertVerificationError], None]
) -> AskingContext:
    """Return the TLS of a server with these PEM files; raise ``TlsFileError`` where they will not do.

    ``refused`` is called on the event loop's thread, and must not wait for anything.
    """
    context = AskingContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    context.refused = refused
    try:
        context.load_cert_chain(certificate, key, password="")  # or OpenSSL asks at the terminal
    except OSError as error:
        raise TlsFileError(
            f"{certificate} and {key} are no certificate and its key, unencrypted, in PEM: {error}"
        ) from error
    return context


class CertificateProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with the certificate that was shown in every request's scope."""

    def connection_made(self, transport: Any) -> None:
        """Begin a connection whose handshake is done."""
        super().connection_made(transport)
        secured, app = transport.get_extra_info("ssl_object"), self.app
        extension = _extension(secured.getpeercert(binary_form=True))

        async def showing(scope: Any, receive: Any, send: Any) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), "tls": extension}
            await app(scope, receive, send)

        self.app = showing


def _extension(der: bytes | None) -> dict[str, Any]:
    """Return ASGI's TLS extension; what it need not tell is None."""
    return {
        "server_cert": None,
        "client_cert_chain": [] if der is None else [ssl.DER_cert_to_PEM_cert(der)],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": _TLS_1_3,
        "cipher_suite": None,
    }


def over_tls(context: AskingContext) -> dict[str, Any]:
    """Return the settings with which uvicorn serves over ``context``."""
    return {"http": CertificateProtocol, "ssl_context_factory": lambda *_: context}
