"""A report as sections of plain words and tables: one content for the terminal and for the page.

Nothing goes in but the verified report and score, so that whoever holds them renders the very same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clients.cli.moments import moment
from clients.language import tr
from clients.wallet_report import access_sections, listing_sections, rights_sections, score_section
from clients.wallet_report.section import Section
from concordat import v1
from concordat.verify.subject_report import VerifiedReport


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    facts: tuple[tuple[str, str], ...]  # what it is about
    score: tuple[Section, ...]
    rest: tuple[Section, ...]

    @property
    def sections(self) -> tuple[Section, ...]:
        """All of them, in order."""
        return (*self.score, *self.rest)


def document_of(verified: VerifiedReport) -> Document:
    """Return all of a report, in the language spoken."""
    score = tuple(score_section.score_sections(verified.own_view))
    title, facts = tr("Your credit report"), tuple(_facts(verified))
    return Document(title, facts, score, tuple(_rest(verified.report)))


def _facts(verified: VerifiedReport) -> Iterator[tuple[str, str]]:
    report = verified.report
    exchange = verified.exchange
    yield tr("As of"), moment(report.as_of)
    yield tr("Federation"), report.federation
    yield tr("Signed by"), f"{exchange.licence.legal_name} ({exchange.member_id})"
    yield (
        tr("About"),
        tr("you, under the reference {reference}", reference=report.subject_ref.hex()),
    )
    yield (
        tr("Accesses"),
        tr("as in the first {number} entries of the public log", number=report.log_size),
    )


def _rest(report: v1.SubjectReport) -> Sequence[Section]:
    return [
        *listing_sections.listing_sections(report),
        access_sections.accesses_section(report),
        access_sections.consents_section(report),
        access_sections.outcomes_section(report),
        rights_sections.switches_section(report),
        rights_sections.erasures_section(report),
        rights_sections.limits_section(report),
        rights_sections.rights_section(report),
    ]
