"""A real SMTP server on loopback, that a test makes refuse, stall, dribble or die.

with MailServer(pki, tmp_path) as server:
    server.answers["RCPT"] = ["451 later"]      # each once, then it accepts
    Mailer(server.settings(), "test.concordat")
"""

import asyncio
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from exchange.settings import MailSettings
from tests.builders import Pki

HOST = "127.0.0.1"
SENDER = "notices@mail.test"
DIE, STALL, DRIBBLE = "die", "stall", "dribble"  # in place of an answer


@dataclass(frozen=True)
class Mail:
    """A message that a server took, or was sent before it died."""

    sender: str | None
    recipients: tuple[str, ...]
    content: bytes
    encrypted: bool

    @property
    def parsed(self) -> EmailMessage:
        """The message as a mail program reads it."""
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def text(self) -> str:
        """Its text."""
        return str(self.parsed.get_content()).replace("\r\n", "\n")


@dataclass
class MailServer:
    """Serves SMTP in a thread."""

    pki: Pki
    folder: Path
    security: str = "starttls"
    offers_tls: bool = True
    password: str = ""
    answers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    received: list[Mail] = field(default_factory=list)
    connections: int = 0
    seconds: float = 0.0  # that it takes to answer to a message
    busy: int = 0
    busiest: int = 0
    on_data: Callable[[], None] = lambda: None

    def settings(self, **given: Any) -> MailSettings:
        """Return what an exchange needs to send through this server."""
        usual: dict[str, Any] = {
            "host": HOST,
            "port": self.port,
            "security": self.security,
            "ca_file": self.folder / "mail-ca.pem",
            "sender": SENDER,
            "timeout_seconds": 5,
            "message_seconds": 10,
        }
        return MailSettings(**(usual | given))

    def __enter__(self) -> Self:
        certificate, key = self.pki.issue("mail")
        (self.folder / "mail.pem").write_bytes(certificate + key)
        (self.folder / "mail-ca.pem").write_text(self.pki.ca_pem)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.folder / "mail.pem")
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        context = self._context if self.security == "tls" else None
        server = await self._loop.create_server(self._protocol, HOST, 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*others, return_exceptions=True)

    def _protocol(self) -> SMTP:
        self.connections += 1
        upgrade = self.security == "starttls" and self.offers_tls
        return SMTP(
            self,
            hostname="mail.test",
            tls_context=self._context if upgrade else None,
            require_starttls=upgrade,
            auth_required=bool(self.password),
            auth_require_tls=self.security == "starttls",
            authenticator=self._login,
            loop=self._loop,
        )

    def _login(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, given: object
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        return AuthResult(success=given.password == self.password.encode(), handled=False)

    # What aiosmtpd calls ------------------------------------------------------------------------

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _: Session, envelope: Envelope, address: str, __: list[str]
    ) -> str:
        envelope.mail_from = address
        return await self._answer("MAIL", server)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _: Session, envelope: Envelope, address: str, __: list[str]
    ) -> str:
        answer = await self._answer("RCPT", server)
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.original_content or b""
        encrypted = session.ssl is not None or self.security == "tls"
        self.received.append(Mail(envelope.mail_from, tuple(envelope.rcpt_tos), content, encrypted))
        self.on_data()
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await asyncio.sleep(self.seconds)
        self.busy -= 1
        return await self._answer("DATA", server)

    async def handle_QUIT(self, server: SMTP, _: Session, __: Envelope) -> str:  # noqa: N802 - as above
        answer = await self._answer("QUIT", server)
        return "221 bye" if answer.startswith("2") else answer

    async def _answer(self, command: str, server: SMTP) -> str:
        answer = self.answers[command].pop(0) if self.answers[command] else "250 2.0.0 queued"
        transport = cast("asyncio.Transport", server.transport)
        if answer == DIE:
            transport.abort()
        while answer in (DIE, STALL, DRIBBLE):  # until the client is gone
            if answer == DRIBBLE:
                transport.write(b"250-still here\r\n")
            if transport.is_closing():
                raise ConnectionAbortedError
            await asyncio.sleep(0.05)
        return answer
