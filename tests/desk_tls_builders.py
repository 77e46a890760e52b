"""The desk served over real TLS from a thread, and browsers that show certificates, right ones and others.

with TlsHouse(tmp_path) as house:
    browser = house.browser(house.certificate(OFFICERS[0]))
    browser.submit("/sign-in/certificate")
"""

import ssl
import threading
from datetime import datetime
from pathlib import Path
from typing import Self

import httpx
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from clients.cli.wallet_page import listen
from clients.console.base.tls import over_tls
from clients.console.desk.tls import DeskTls
from clients.pki.officer_certificates import OfficerCertificate, issue_officer_certificate
from tests.builders import Pki, signer
from tests.desk_builders import DeskHouse
from tests.page_client import PageClient

REFUSED = httpx.TransportError  # what a browser of httpx's makes of a handshake's alert


class TlsHouse(DeskHouse):
    """A desk's house whose desk is served over HTTPS on a free port of loopback."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.pki = Pki()
        files = folder / "server.crt", folder / "server.key"
        for path, content in zip(files, self.pki.issue("desk"), strict=True):
            path.write_bytes(content)
        self.tls = DeskTls(self.office, *files)
        self.tls.learn()
        self._socket = listen(0)
        self.home = f"https://127.0.0.1:{self._socket.getsockname()[1]}"
        settings = uvicorn.Config(
            self.site, log_level="error", lifespan="off", ws="none", **over_tls(self.tls.context)
        )
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), daemon=True
        )
        self._browsers: list[PageClient] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._browsers:
            each.close()
        self._server.should_exit = True
        self._thread.join(10)

    def certificate(self, name: str, at: datetime | None = None, days: int = 90) -> bytes:
        """Return an officer's certificate for this desk and its key, PEM."""
        made = issue_officer_certificate(signer(name), self.office.desk, at or self.now(), days)
        return shown(made)

    def browser(self, held: bytes | None = None) -> PageClient:
        """Return a browser that has opened the desk's link, and shows a certificate to it where it has one."""
        return self.stranger(held).enter()

    def stranger(self, held: bytes | None = None) -> PageClient:
        """Return a browser that has opened nothing."""
        tls = ssl.create_default_context(cadata=self.pki.ca_pem)
        if held is not None:
            path = self.folder / "held.pem"
            path.write_bytes(held)
            tls.load_cert_chain(path)
        self._browsers.append(PageClient(self.site, self.home, tls))
        return self._browsers[-1]

    def signed_in(self, held: bytes) -> PageClient:
        """Return a browser in which somebody has signed in with a certificate."""
        browser = self.browser(held)
        browser.see("/sign-in")
        answer = browser.submit("/sign-in/certificate")
        assert answer.status_code == 303, answer.text
        browser.see("/sign-in")
        return browser


def shown(made: OfficerCertificate) -> bytes:
    """Return key and certificate, PEM, as TLS's files are."""
    return pem(made.private_key, made.certificate)


def pem(key: ec.EllipticCurvePrivateKey, *chain: x509.Certificate) -> bytes:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + b"".join(each.public_bytes(Encoding.PEM) for each in chain)
