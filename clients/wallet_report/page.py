"""The report as one signed page: no script, no request to anywhere, and every word made from signatures.

The signed statements stand, in base64, in an inert ``template`` of the page. Rendering is a function of them and
of the page's language alone: a page that is not, byte for byte, what they render to was altered.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

from google.protobuf.message import DecodeError
from jinja2 import Environment, StrictUndefined, Template

from clients.catalogs import DEFAULT, TAGS
from clients.formats import written_in
from clients.language import tr
from clients.sdk.errors import ClientError
from clients.wallet_report.sections import document_of
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.verify.subject_report import VerifiedReport, verify_report

_SIGNED = re.compile(rb'<template id="concordat-report">([A-Za-z0-9+/=]*)</template>')
_LANGUAGE = re.compile(rb'<html lang="([A-Za-z-]{1,35})">')
_MOST_BYTES = 64 * 1024 * 1024


class ReportAltered(ClientError):  # noqa: N818 - read as a finding
    """The page is no report, or not the one that was signed; the text says which."""


@dataclass(frozen=True, slots=True)
class CheckedPage:
    """What a page was found to say, and in which language: a key of ``clients.catalogs.LANGUAGES``."""

    report: VerifiedReport
    language: str


def render_page(verified: VerifiedReport, language: str = DEFAULT) -> bytes:
    """Return the page, UTF-8: the same bytes for the same report and language, whoever renders it."""
    raw = verified.bundle.SerializeToString(deterministic=True)
    with written_in(language):  # and not in that of whoever renders it
        page = _template().render(
            document=document_of(verified),
            language_tag=TAGS[language],
            signed=base64.b64encode(raw).decode("ascii"),
        )
    return page.encode()


def _template() -> Template:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        newline_sequence="\n",
    )
    environment.globals["tr"] = tr
    source = files("clients.wallet_report") / "report.html.j2"
    return environment.from_string(source.read_text("utf-8"))


def check_page(page: bytes, anchors: Anchors, *, at: datetime | None = None) -> CheckedPage:
    """Return the report in a page, verified, and the page found to say what it says and nothing else.

    It is held against what the report renders to in the language that the page is marked with. Raises
    ``ReportAltered``, ``Refusal``, and ``ViewNotVerified`` for a score that does not hold.
    """
    verified = verify_report(_bundle_in(page), anchors, at=at)
    language = _language_of(page)
    expected = render_page(verified, language)
    if page != expected:
        raise ReportAltered(
            f"the page says something else than what was signed, from line {_differs(page, expected)} on; "
            "or another version of this program wrote it"
        )
    return CheckedPage(verified, language)


def _language_of(page: bytes) -> str:
    """Return the language that a page is marked with; whether its words are in it, its letters have to show."""
    found = _LANGUAGE.search(page)
    tag = found[1].decode("ascii") if found else ""
    for language, known in TAGS.items():
        if known == tag:
            return language
    raise ReportAltered(
        f"the page is marked as in none of the languages: {', '.join(TAGS.values())}"
    )


def _bundle_in(page: bytes) -> v1.SubjectReportBundle:
    found = _SIGNED.findall(page) if len(page) <= _MOST_BYTES else []
    if len(found) != 1:
        raise ReportAltered("the file is no report: it carries no signed statements, or several")
    try:
        raw = base64.b64decode(found[0], validate=True)
        return v1.SubjectReportBundle.FromString(raw)
    except (binascii.Error, DecodeError) as error:
        raise ReportAltered("what the page carries as signed is no report") from error


def _differs(page: bytes, expected: bytes) -> int:
    """Return the first line, from 1, in which two pages differ."""
    lines = zip(page.split(b"\n"), expected.split(b"\n"), strict=False)
    return next((n for n, (one, other) in enumerate(lines, 1) if one != other), 0)
