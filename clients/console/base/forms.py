"""Forms as browsers send them: URL-encoded, or multipart where there are files; bounded, and parsed strictly."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.requests import Request

from clients.console.base.failures import too_large, unreadable

MOST_FIELDS = 200
_CONTENT_TYPE = re.compile(
    r'multipart/form-data\s*;\s*boundary="?([\w\'()+,./:=?-]{1,70})"?\s*', re.ASCII
)
_NAME = re.compile(rb';\s*name="([^"\r\n]*)"', re.IGNORECASE)
_FILE = re.compile(rb';\s*filename="([^"\r\n]*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a form; its name is the visitor's own."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """A form's fields, each with all of its values, and its files."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, list[Upload]] = field(default_factory=dict)

    def one(self, name: str, default: str = "") -> str:
        """Return a field's only value, without space around it; ``default`` where it is absent."""
        values = self.fields.get(name, [])
        if len(values) > 1:
            raise unreadable()
        return values[0].strip() if values else default

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return list(self.fields.get(name, []))

    def number(self, name: str, default: int = 0) -> int:
        """Return a field's value as a whole number of plain digits; ``default`` where it is empty."""
        text = self.one(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
            raise unreadable()
        return int(text)

    def uploads(self, name: str) -> list[Upload]:
        """Return the files of a field; an empty choice is none."""
        return [each for each in self.files.get(name, []) if each.name or each.content]


_MOST_DIGITS = 9


async def read_form(request: Request, most_bytes: int) -> Form:
    """Read a body of at most ``most_bytes``; raise ``PageRefused`` where it is larger, or no form."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most_bytes:
            raise too_large()
    return parse_form(request.headers.get("content-type", ""), bytes(body))


def parse_form(content_type: str, body: bytes) -> Form:
    """Return the form in a body; raise ``PageRefused`` for anything that no browser sends."""
    form = Form()
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        for name, value in _pairs(body):
            form.fields.setdefault(name, []).append(value)
        return form
    found = _CONTENT_TYPE.fullmatch(content_type)
    if found is None:
        raise unreadable()
    for name, filename, content in _parts(body, found[1].encode()):
        if filename is None:
            form.fields.setdefault(name, []).append(_text(content))
        else:
            form.files.setdefault(name, []).append(Upload(filename, content))
    return form


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as error:
        raise unreadable() from error


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[str, str | None, bytes]]:
    """Yield name, file name and content of each part (RFC 7578)."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, MOST_FIELDS)
    if pieces[0] or pieces[-1] not in {b"--", b"--\r\n"}:
        raise unreadable()
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        name, filename = _NAME.search(head), _FILE.search(head)
        if not blank or name is None or not piece.startswith(b"\r\n"):
            raise unreadable()
        yield _text(name[1]), None if filename is None else _text(filename[1]), content


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise unreadable() from error
