"""The report as one signed page: no script, no request to anywhere, and every word made from signatures.

The signed statements stand, in base64, in an inert ``template`` of the page. Rendering is a function of them
alone: a page that is not, byte for byte, what they render to was altered.
"""

import base64
import binascii
import re
from datetime import datetime
from importlib.resources import files

from google.protobuf.message import DecodeError
from jinja2 import Environment, StrictUndefined, Template

from clients.language import ENGLISH, speaking
from clients.sdk.errors import ClientError
from clients.wallet_report.sections import document_of
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.verify.subject_report import VerifiedReport, verify_report

_SIGNED = re.compile(rb'<template id="concordat-report">([A-Za-z0-9+/=]*)</template>')
_MOST_BYTES = 64 * 1024 * 1024


class ReportAltered(ClientError):  # noqa: N818 - read as a finding
    """The page is no report, or not the one that was signed; the text says which."""


def render_page(verified: VerifiedReport) -> bytes:
    """Return the page, UTF-8: the same bytes for the same report, whoever renders it."""
    raw = verified.bundle.SerializeToString(deterministic=True)
    with speaking(ENGLISH):  # whoever renders it: one report has one page
        page = _template().render(
            document=document_of(verified), signed=base64.b64encode(raw).decode("ascii")
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
    source = files("clients.wallet_report") / "report.html.j2"
    return environment.from_string(source.read_text("utf-8"))


def check_page(page: bytes, anchors: Anchors, *, at: datetime | None = None) -> VerifiedReport:
    """Return the report in a page, verified, and the page found to say what it says and nothing else.

    Raises ``ReportAltered``, ``Refusal``, and ``ViewNotVerified`` for a score that does not hold.
    """
    verified = verify_report(_bundle_in(page), anchors, at=at)
    expected = render_page(verified)
    if page != expected:
        raise ReportAltered(
            f"the page says something else than what was signed, from line {_differs(page, expected)} on; "
            "or another version of this program wrote it"
        )
    return verified


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
