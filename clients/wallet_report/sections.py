"""A report as sections of plain words and tables: one content for the terminal and for the page.

Nothing goes in but the verified report and score, so that whoever holds them renders the very same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clients.cli.moments import moment
from clients.wallet_report import access_sections, listing_sections, rights_sections, score_section
from clients.wallet_report.section import Section
from concordat.verify.subject_report import VerifiedReport


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    facts: tuple[tuple[str, str], ...]  # what it is about
    sections: tuple[Section, ...]


def document_of(verified: VerifiedReport) -> Document:
    """Return all of a report."""
    return Document("Your credit report", tuple(_facts(verified)), tuple(_sections(verified)))


def _facts(verified: VerifiedReport) -> Iterator[tuple[str, str]]:
    report = verified.report
    yield "As of", moment(report.as_of)
    yield "Federation", report.federation
    yield "Signed by", f"{verified.exchange.licence.legal_name} ({verified.exchange.member_id})"
    yield "About", f"you, under the reference {report.subject_ref.hex()}"
    yield "Accesses", f"as in the first {report.log_size} entries of the public log"


def _sections(verified: VerifiedReport) -> Sequence[Section]:
    report = verified.report
    return [
        *score_section.score_sections(verified.own_view),
        *listing_sections.listing_sections(report),
        access_sections.accesses_section(report),
        access_sections.consents_section(report),
        access_sections.outcomes_section(report),
        rights_sections.switches_section(report),
        rights_sections.erasures_section(report),
        rights_sections.limits_section(report),
        rights_sections.rights_section(report),
    ]
