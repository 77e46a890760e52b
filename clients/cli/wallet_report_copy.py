"""Copies of a report: written as JSON or as a signed page, and read again, checked offline."""

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from clients.catalogs import DEFAULT
from clients.cli.own_report_json import bundle_in, own_report_facts
from clients.cli.wallet_report_json import report_facts
from clients.formats import written_for_programs
from clients.sdk.errors import ClientError
from clients.wallet_report.page import check_page, render_page
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import Anchors
from concordat.verify.bundle import BundleMalformedError
from concordat.verify.own_view import VerifiedOwnView, verify_own_view
from concordat.verify.subject_report import VerifiedReport, verify_report

_PAGES = (".html", ".htm")


@dataclass(frozen=True, slots=True)
class Copy:
    """What was asked for or read: the score, and the rest; at least one of them."""

    own_view: VerifiedOwnView | None
    report: VerifiedReport | None
    language: str = DEFAULT  # of the page that it was read from

    @property
    def subject_ref(self) -> bytes:
        """Whom it is about."""
        if self.report is not None:
            return self.report.report.subject_ref
        return self.own_view.view.subject_ref if self.own_view else b""


def facts_of(copy: Copy) -> dict[str, Any]:
    """Return the JSON: the score's keys as ever, and ``report`` with the rest; the same in any language."""
    with written_for_programs():
        facts = own_report_facts(copy.own_view) if copy.own_view else {}
        return {**facts, "report": report_facts(copy.report) if copy.report else None}


def machine_readable(facts: dict[str, Any]) -> bytes:
    """Return the file of a JSON copy."""
    return (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()


def write_copy(path: Path, copy: Copy, facts: dict[str, Any], language: str) -> None:
    """Write a page where the name ends in .html, in a language, else JSON; raises ``OSError``."""
    if path.suffix.lower() not in _PAGES:
        path.write_bytes(machine_readable(facts))
    elif copy.report is None:
        raise ClientError("the copy holds a score alone, of which no page is made; write JSON")
    else:
        path.write_bytes(render_page(copy.report, language))


def read_copy(path: Path, anchors: Anchors) -> Copy:
    """Return a copy that was written before, verified.

    Raises ``BundleMalformedError``, ``Refusal``, ``ViewNotVerified``, and ``ReportAltered`` for a page.
    """
    raw, now = path.read_bytes(), Clock().now()
    if path.suffix.lower() in _PAGES:
        page = check_page(raw, anchors, at=now)
        return Copy(page.report.own_view, page.report, page.language)
    bundle = _report_in(raw)
    if bundle is None:
        return Copy(verify_own_view(bundle_in(raw), anchors, at=now), None)
    verified = verify_report(bundle, anchors, at=now)
    if verified.own_view is not None:  # it stands in the copy twice: neither may be another
        verify_own_view(bundle_in(raw), anchors, at=now)
    return Copy(verified.own_view, verified)


def _report_in(raw: bytes) -> v1.SubjectReportBundle | None:
    """Return the report's bundle of a JSON copy, *not* verified; None where it is of a score alone."""
    try:
        report = json.loads(raw).get("report")
        if report is None:
            return None
        encoded = base64.b64decode(report["bundle"], validate=True)
        return v1.SubjectReportBundle.FromString(encoded)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise BundleMalformedError("the file is no copy of a report") from error
    except (binascii.Error, DecodeError) as error:
        raise BundleMalformedError("the file is no copy of a report") from error
