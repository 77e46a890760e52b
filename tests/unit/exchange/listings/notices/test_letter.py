"""What goes into the mail: only what should, the same each time, whatever the address holds."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.listings.notices.letter import (
    Letter,
    UnusableAddressError,
    compose,
    usable_address,
)
from tests.builders import AT

SENDER = "notices@exchange.test"
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
    "Content-Language",
]


def letter(to: str = "ada@home.test", text: str = "Some words.\n", language: str = "en") -> Letter:
    return Letter(b"m" * 16, to, language, text, AT)


def read(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)


def text_of(message: EmailMessage) -> str:
    """Return a message's text with the line ends that it was written with."""
    return str(message.get_content()).replace("\r\n", "\n")


def test_a_message_has_these_headers_and_no_others() -> None:
    message = read(compose(letter(), SENDER, "test.concordat"))
    assert message.keys() == HEADERS
    assert message["From"] == SENDER
    assert message["To"] == "ada@home.test"
    assert message["Subject"] == "A notice for you from test.concordat"
    assert message["Date"] == "Mon, 01 Jun 2026 12:00:00 +0000"
    assert message["Message-ID"] == f"<{(b'm' * 16).hex()}@exchange.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert text_of(message) == "Some words.\n"


def test_the_same_letter_is_the_same_bytes() -> None:
    assert compose(letter(), SENDER, "f") == compose(letter(), SENDER, "f")


@pytest.mark.parametrize(
    "text", ["有人拟将您的债务列入。\n", ".\n..leading dots\n", "x" * 5000 + "\n"]
)
def test_any_text_arrives_as_it_was_in_lines_that_every_server_takes(text: str) -> None:
    raw = compose(letter(text=text, language="zh-CN"), SENDER, "联盟")
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    message = read(raw)
    assert text_of(message) == text
    assert message["Subject"] == "联盟给您的通知"
    assert message["Content-Language"] == "zh-Hans"


@pytest.mark.parametrize(
    "address",
    [
        "ada@home.test\r\nBcc: eve@evil.test",
        "ada@home.test\nX: y",
        "ada\r@home.test",
        "ada@home.test, eve@evil.test",
        "ada@home.test>\x0bRCPT TO:<eve@evil.test",
        "ada\x00@home.test",
        '"ada eve"@home.test',
        "<ada@home.test>",
        "ada@home.test (comment)",
        "@home.test",
        "ada@",
        "ada",
        "",
        "ada@home..test",
        ".ada@home.test",
        "ada@-home.test",
        "ådä@home.test",
        "ada@" + "x" * 64 + ".test",
        "ada@[127.0.0.1]",
        "ada@home.test\u2028Bcc: eve@evil.test",
        "a" * 64 + "@" + "b." * 94 + "test",
    ],
)
def test_an_address_that_could_say_more_than_an_address_is_refused(address: str) -> None:
    with pytest.raises(UnusableAddressError) as failure:
        compose(letter(address), SENDER, "f")
    assert address not in str(failure.value) or not address


def test_a_domain_in_any_script_is_written_in_ascii() -> None:
    assert usable_address("ada@bücher.example") == "ada@xn--bcher-kva.example"
    assert usable_address("o'ada+x.y@home.test") == "o'ada+x.y@home.test"


def test_the_longest_address_stays_whole() -> None:
    address = "a" * 64 + "@" + ".".join(["b" * 60] * 3)
    message = read(compose(letter(address), SENDER, "f"))
    assert message["To"] == address


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_address_adds_a_header_or_a_recipient(local: str, domain: str) -> None:
    try:
        raw = compose(letter(f"{local}@{domain}"), SENDER, "f")
    except UnusableAddressError:
        return
    message = read(raw)
    assert message.keys() == HEADERS
    assert len(message["To"].addresses) == 1
    assert text_of(message) == "Some words.\n"
