"""A message as it goes into the mail (RFC 5322): pure; the same letter is the same bytes each time."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from exchange.listings.notices.texts import language_of, mail_subject

ADDRESS = (
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
"""An address as it is written in a header or an SMTP command with nothing quoted: a dot-atom and a domain."""

_ADDRESS = re.compile(ADDRESS)
_MAX_ADDRESS = 254
_7BIT = SMTP.clone(cte_type="7bit", max_line_length=998)  # any server takes it, folded or not


class UnusableAddressError(Exception):
    """Mail can't be sent to the address; the text does not quote it."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A plain text for one address."""

    mail_id: bytes  # names the message, for ever the same; tells nothing about anybody
    to: str
    language: str  # BCP 47
    text: str
    written_at: datetime


def usable_address(address: str) -> str:
    """Return an address as SMTP takes it, its domain in ASCII (RFC 3490); raise ``UnusableAddressError``.

    A quoted or non-ASCII part before the ``@`` is refused: servers that take it are few.
    """
    local, _, domain = address.rpartition("@")
    try:
        plain = f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError as error:
        raise UnusableAddressError("its domain has no ASCII form") from error
    if len(plain) > _MAX_ADDRESS or not _ADDRESS.fullmatch(plain):
        raise UnusableAddressError("it is not of the form that mail servers take")
    return plain


def compose(letter: Letter, sender: str, federation: str) -> bytes:
    """Return the message's bytes; raise ``UnusableAddressError``.

    Nothing but the address, the language and the text differs between messages. There is nothing to
    follow or fetch in it, so that reading it tells nobody.
    """
    to, domain = usable_address(letter.to), sender.rpartition("@")[2]
    message = EmailMessage(_7BIT)
    message["From"] = Address(addr_spec=sender)
    message["To"] = Address(addr_spec=to)
    message["Subject"] = mail_subject(federation, letter.language)
    message["Date"] = format_datetime(letter.written_at)
    message["Message-ID"] = f"<{letter.mail_id.hex()}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notices come back
    message.set_content(letter.text)
    message["Content-Language"] = language_of(letter.language)
    return message.as_bytes()
