"""Sending one message by SMTP, and keeping the server's word that it took it."""

import asyncio
import contextlib
import hashlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from exchange.listings.notices.cutoff import Cutoff
from exchange.listings.notices.letter import (
    Letter,
    UnusableAddressError,
    compose,
    usable_address,
)
from exchange.settings import MailSettings

_MAX_REPLY = 4096  # bytes of a reply that are kept
_MAX_FAILURE = 200
_OK = range(250, 260)
_PERMANENT = range(500, 600)
_SOME_ADDRESS = re.compile(r"\S*@\S*")


class MailError(Exception):
    """A message was not sent, as far as is known; the text says where it failed and quotes no address.

    ``permanent`` is set where this message will never be taken. A fault of ours or of the mail server's
    set-up is not: once mended, what waited goes out. ``brief`` is for logs: nothing that the server said, which
    may name a person without an address.
    """

    def __init__(self, text: str, *, permanent: bool = False, brief: str | None = None) -> None:
        """Fail for the reason in ``text``."""
        super().__init__(text)
        self.permanent = permanent
        self.brief = text if brief is None else brief


class Mailer:
    """Sends messages through the operator's mail server, each on a connection of its own.

    A message whose server dies before its last answer may have been taken: it is sent again under the
    same Message-ID, by which mail programs show it once.
    """

    def __init__(self, settings: MailSettings, federation: str) -> None:
        """Send as ``settings`` say; raise ``SettingsError`` or ``OSError`` where a file can't be read."""
        self.settings = settings
        self.federation = federation
        self._tls = ssl.create_default_context(cafile=settings.ca_file)
        self._password = settings.password()
        self._threads = ThreadPoolExecutor(settings.at_once, "mail")
        self._open: set[Cutoff] = set()
        self._closed = False

    async def send(self, letter: Letter) -> bytes:
        """Send a message; return the evidence that it was taken. Raises ``MailError``.

        The evidence is the SHA-256 of the message's bytes (32 bytes), then the accepting server's code and
        text, as ``250 2.0.0 queued`` (at most 4,096 bytes).
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._send, letter)

    def close(self) -> None:
        """Break off what is being sent, and send nothing more."""
        self._closed = True
        for cutoff in list(self._open):
            cutoff.cut()
        self._threads.shutdown(wait=True)

    def _send(self, letter: Letter) -> bytes:
        try:
            to = usable_address(letter.to)
            message = compose(letter, self.settings.sender, self.federation)
        except UnusableAddressError as error:
            raise MailError(f"address: {error}", permanent=True) from error
        with Cutoff(self.settings.message_seconds) as cutoff:
            self._open.add(cutoff)
            try:
                if self._closed:
                    raise MailError("stopping")
                code, reply = self._deliver(cutoff, to, message)
            finally:
                self._open.discard(cutoff)
        digest = hashlib.sha256(message).digest()
        return digest + b"%d %b" % (code, reply[:_MAX_REPLY])

    def _deliver(self, cutoff: Cutoff, to: str, message: bytes) -> tuple[int, bytes]:
        """Return the server's reply that it took the message."""
        with _Stage("connection") as stage, contextlib.closing(self._connect(cutoff)) as smtp:
            if self.settings.security == "starttls":
                stage.name = "STARTTLS"
                smtp.starttls(context=self._tls)
            stage.name = "EHLO"
            smtp.ehlo_or_helo_if_needed()
            if self.settings.username:
                stage.name = "login"
                smtp.login(self.settings.username, self._password)
            stage.name = "sender"
            _require(stage, *smtp.mail(self.settings.sender))
            stage.name = "recipient"
            _require(stage, *smtp.rcpt(to), final=True)
            stage.name = "message"
            taken = _require(stage, *smtp.data(message), final=True)
            with contextlib.suppress(OSError):  # whatever it says of our going, it took the message
                smtp.quit()
            return taken

    def _connect(self, cutoff: Cutoff) -> "_Smtp":
        settings = self.settings

        def open_socket() -> socket.socket:
            plain = socket.create_connection(
                (settings.host, settings.port), settings.timeout_seconds
            )
            try:
                cutoff.watch(plain)
                if settings.security == "tls":
                    return self._tls.wrap_socket(plain, server_hostname=settings.host)
            except BaseException:
                plain.close()
                raise
            return plain

        return _Smtp(open_socket, settings)


class _Smtp(smtplib.SMTP):
    """A session on a socket that the caller opens."""

    def __init__(self, open_socket: Callable[[], socket.socket], settings: MailSettings) -> None:
        self._open_socket = open_socket
        super().__init__(
            settings.host,
            settings.port,
            # Said outright, so that no name of this machine goes out and none is looked up.
            local_hostname=settings.sender.rpartition("@")[2],
            timeout=settings.timeout_seconds,
        )

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        del host, port, timeout
        return self._open_socket()


class _Stage:
    """Turns whatever fails into a ``MailError`` that says at which step."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        match error:
            case smtplib.SMTPDataError():
                raise self.refused(error.smtp_code, _bytes(error.smtp_error), final=True) from error
            case smtplib.SMTPResponseException():
                raise self.refused(error.smtp_code, _bytes(error.smtp_error)) from error
            case OSError() | ValueError():  # SMTPException is an OSError
                raise MailError(f"{self.name}: {type(error).__name__}") from error

    def refused(self, code: int, reply: bytes, *, final: bool = False) -> MailError:
        """Return the error of a reply; a ``final`` one is about the message, not about us."""
        text = reply.decode("ascii", "replace")
        shown = "".join(character if character.isprintable() else " " for character in text)
        shown = _SOME_ADDRESS.sub("(address)", shown)
        failure = f"{self.name}: {code} {shown}"[:_MAX_FAILURE]
        brief = f"{self.name}: {code}"
        return MailError(failure, permanent=final and code in _PERMANENT, brief=brief)


def _require(stage: _Stage, code: int, reply: bytes, *, final: bool = False) -> tuple[int, bytes]:
    if code not in _OK:
        raise stage.refused(code, reply, final=final)
    return code, reply


def _bytes(reply: bytes | str) -> bytes:
    return reply if isinstance(reply, bytes) else reply.encode("ascii", "replace")
