"""The desk's HTTPS: the handshake knows the keys that the licence names, and what it refuses is told.

TLS takes a certificate only where it knows a key that issued it, so the licence's keys are its anchors: as soon as
the desk hears of them, and for as long as it runs. A key that the licence names no more is refused on the pages.
"""

import logging
import ssl
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from clients.cli.console import FAILURES
from clients.console.base.limits import Bucket, Rate
from clients.console.base.tls import AskingContext, asking_context
from clients.console.desk.office import Office
from clients.language import marked
from clients.pki.officer_certificates import stand_in_issuer
from concordat.federation.directory import Member
from concordat.trust.keys import key_id

HANDSHAKES = Rate(
    10, timedelta(minutes=1)
)  # refused ones that are told of; a flood must not fill the journal
_WORDS = {  # by OpenSSL's X509_V_ERR numbers; its own words for any other
    7: marked("its signature is not that of the key it names"),
    18: marked("no key of the licence issued it"),
    19: marked("no key of the licence issued it"),
    20: marked("no key of the licence issued it"),
    21: marked("no key of the licence issued it"),
    24: marked("what issued it may issue none"),
    26: marked("it is not for signing in"),
    79: marked("what issued it may issue none"),
}
_log = logging.getLogger(__name__)


class DeskTls:
    """The TLS of one desk; ``context`` is what it is served with."""

    def __init__(self, office: Office, certificate: Path, key: Path) -> None:
        """Serve with the certificate and key of these PEM files; raise ``TlsFileError``."""
        self.context: AskingContext = asking_context(certificate, key, self._refused)
        self._office = office
        self._known: set[str] = set()
        self._told = Bucket(HANDSHAKES, office.now)
        office.on_licence = self.trust

    def learn(self) -> None:
        """Look at the licence; where nobody answers, the next page that needs it does."""
        with suppress(*FAILURES):
            self._office.regulator()

    def trust(self, regulator: Member) -> None:
        """Take certificates from now on that keys of this licence issued."""
        licence, at = regulator.licence, self._office.now()
        for each in (*licence.approvers, *licence.keys):
            if key_id(each.public_key) not in self._known:
                issuer = stand_in_issuer(each.public_key, at)
                self.context.load_verify_locations(cadata=issuer.public_bytes(Encoding.DER))
                self._known.add(key_id(each.public_key))

    def _refused(self, error: ssl.SSLCertVerificationError) -> None:
        if self._told.take() is None:
            threading.Thread(target=self._tell, args=(error,), daemon=True).start()

    def _tell(self, error: ssl.SSLCertVerificationError) -> None:
        """Note a refusal, and look at the licence anew: its key may have been added a moment ago."""
        why = _WORDS.get(error.verify_code, error.verify_message)
        self._office.journal.note(None, "handshake", outcome=f"refused: {why}")
        _log.warning("a client certificate was refused: %s", why)
        self.learn()
