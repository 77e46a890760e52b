"""Sending over a real SMTP server, with real TLS: what counts as taken, and what as failed how."""

import asyncio
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from concordat.settings import SettingsError
from exchange.listings.notices.letter import Letter
from exchange.listings.notices.mail import Mailer, MailError
from exchange.settings import MailSettings
from tests.builders import AT, Pki
from tests.smtp_servers import DIE, DRIBBLE, HOST, SENDER, STALL, MailServer

LETTER = Letter(b"m" * 16, "ada@home.test", "en", "Some words.\n.\n..dots\n", AT)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


@pytest.fixture
def server(pki: Pki, tmp_path: Path) -> Iterator[MailServer]:
    with MailServer(pki, tmp_path) as server:
        yield server


def send(server: MailServer, letter: Letter = LETTER, **settings: Any) -> bytes:
    mailer = Mailer(server.settings(**settings), "test.concordat")
    try:
        return asyncio.run(mailer.send(letter))
    finally:
        mailer.close()


def failing(server: MailServer, letter: Letter = LETTER, **settings: Any) -> MailError:
    with pytest.raises(MailError) as failure:
        send(server, letter, **settings)
    return failure.value


def test_the_evidence_is_what_was_sent_and_who_took_it(server: MailServer) -> None:
    evidence = send(server)
    (mail,) = server.received
    assert mail.encrypted
    assert (mail.sender, mail.recipients) == (SENDER, ("ada@home.test",))
    assert mail.text == LETTER.text
    assert evidence == hashlib.sha256(mail.content).digest() + b"250 2.0.0 queued"


def test_a_message_sent_again_is_the_same_message(server: MailServer) -> None:
    assert send(server) == send(server)
    first, second = server.received
    assert first == second
    assert first.parsed["Message-ID"] == f"<{(b'm' * 16).hex()}@mail.test>"


def test_tls_from_the_first_byte(pki: Pki, tmp_path: Path) -> None:
    with MailServer(pki, tmp_path, security="tls") as server:
        send(server)
        assert [mail.encrypted for mail in server.received] == [True]


def test_a_server_without_starttls_is_told_nothing(pki: Pki, tmp_path: Path) -> None:
    with MailServer(pki, tmp_path, offers_tls=False) as server:
        failure = failing(server)
        assert not failure.permanent
        assert "STARTTLS" in str(failure)
        assert server.received == []
        send(server, security="plain")  # that server takes it all the same
        assert len(server.received) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_another_authority_is_told_nothing(
    pki: Pki, tmp_path: Path, security: str
) -> None:
    other = tmp_path / "other.pem"
    other.write_text(Pki().ca_pem)
    with MailServer(pki, tmp_path, security=security) as server:
        failure = failing(server, ca_file=other)
        assert not failure.permanent
        assert "SSLCertVerificationError" in str(failure)
        assert server.received == []


def test_a_certificate_of_another_name_is_told_nothing(server: MailServer) -> None:
    failure = failing(server, host="localhost")
    assert "SSLCertVerificationError" in str(failure)
    assert server.received == []


def test_login_goes_over_tls_with_the_password_of_a_file(pki: Pki, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("correct horse\nsecond line")
    wrong.write_text("battery staple")
    with MailServer(pki, tmp_path, password="correct horse") as server:
        send(server, username="exchange", password_file=right)
        failure = failing(server, username="exchange", password_file=wrong)
        assert str(failure).startswith("login: 535")
        assert not failure.permanent  # ours to mend; the notices wait
        assert len(server.received) == 1


@pytest.mark.parametrize(
    ("command", "answer", "permanent"),
    [
        ("MAIL", "451 4.3.0 busy", False),
        ("MAIL", "550 5.7.1 who are you", False),  # about us, not about the subject
        ("RCPT", "450 4.2.0 greylisted", False),
        ("RCPT", "550 5.1.1 no such user", True),
        ("RCPT", "252 cannot verify", None),
        ("DATA", "452 4.3.1 no room", False),
        ("DATA", "554 5.7.1 not wanted", True),
        ("DATA", "999 what", False),
        ("DATA", "what", False),
    ],
)
def test_only_a_refusal_of_this_message_is_final(
    server: MailServer, command: str, answer: str, permanent: bool | None
) -> None:
    server.answers[command] = [answer]
    if permanent is None:
        assert send(server).endswith(b"250 2.0.0 queued")
        return
    failure = failing(server)
    assert failure.permanent is permanent
    send(server)  # and the next one goes through


def test_a_failure_quotes_no_address(server: MailServer) -> None:
    server.answers["RCPT"] = ["550 5.1.1 <ada@home.test>: ada@home.test unknown \x07here"]
    text = str(failing(server))
    assert text == "recipient: 550 5.1.1 (address) (address) unknown  here"
    failure = failing(server, replace(LETTER, to="ada@home..test"))
    assert failure.permanent
    assert "home" not in str(failure)
    assert server.connections == 1  # nobody was asked about an address that can't be


def test_nobody_listening_is_a_failure_for_now(server: MailServer) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        failure = failing(server, port=taken.getsockname()[1])
    assert (str(failure), failure.permanent) == ("connection: ConnectionRefusedError", False)


def test_a_server_that_dies_after_the_message_has_not_taken_it_as_far_as_is_known(
    server: MailServer,
) -> None:
    server.answers["DATA"] = [DIE]
    failure = failing(server)
    assert (str(failure), failure.permanent) == ("message: SMTPServerDisconnected", False)
    send(server)
    first, second = server.received
    assert first.parsed["Message-ID"] == second.parsed["Message-ID"]
    assert first.content == second.content


@pytest.mark.parametrize("answer", ["554 you may not go", DIE, STALL])
def test_once_taken_a_message_is_taken_whatever_comes_after(
    server: MailServer, answer: str
) -> None:
    server.answers["QUIT"] = [answer]
    assert send(server, timeout_seconds=0.5).endswith(b"250 2.0.0 queued")


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_server_that_does_not_answer_is_given_up(server: MailServer, command: str) -> None:
    server.answers[command] = [STALL]
    began = time.monotonic()
    assert not failing(server, timeout_seconds=0.5).permanent
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_dribbles_holds_a_message_no_longer_than_it_may(
    pki: Pki, tmp_path: Path, security: str
) -> None:
    """Each byte starts the socket's own time limit anew; only the limit of the whole ends this."""
    with MailServer(pki, tmp_path, security=security) as server:
        server.answers["DATA"] = [DRIBBLE]
        began = time.monotonic()
        assert not failing(server, message_seconds=1.0).permanent
        assert 0.9 < time.monotonic() - began < 5


def test_a_peer_that_accepts_and_says_nothing_is_given_up(server: MailServer) -> None:
    with socket.socket() as silent:
        silent.bind((HOST, 0))
        silent.listen()
        port = silent.getsockname()[1]
        for security in ("starttls", "tls"):
            began = time.monotonic()
            assert not failing(server, port=port, security=security, timeout_seconds=0.5).permanent
            assert time.monotonic() - began < 5


def test_closing_breaks_off_what_is_under_way(server: MailServer) -> None:
    server.answers["DATA"] = [STALL]
    mailer = Mailer(server.settings(timeout_seconds=60, message_seconds=60), "test.concordat")
    under_way = threading.Event()
    server.on_data = under_way.set

    async def closing() -> None:
        sending = asyncio.ensure_future(mailer.send(LETTER))
        await asyncio.to_thread(under_way.wait, 10)
        await asyncio.to_thread(mailer.close)
        with pytest.raises(MailError):
            await sending

    began = time.monotonic()
    asyncio.run(closing())
    assert time.monotonic() - began < 10


# Settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"security": "plain", "host": "mail.example"}, "server on this machine"),
        ({"username": "exchange"}, "go together"),
        ({"password_file": "x"}, "go together"),
        ({"sender": "notices@x\r\nBcc: y"}, "sender"),
        ({"sender": "Some Name <notices@x>"}, "sender"),
        ({"port": 0}, "port"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_settings_that_would_mail_in_the_clear_or_not_at_all_are_refused(
    given: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(ValidationError, match=wrong):
        MailSettings(**({"host": HOST, "sender": SENDER} | given))


def test_a_password_file_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    for name in ("none", "empty"):
        (tmp_path / "empty").write_text("")
        settings = MailSettings(
            host=HOST, sender=SENDER, username="x", password_file=Path(name)
        ).anchored(tmp_path)
        with pytest.raises(SettingsError, match=name):
            Mailer(settings, "f")
