"""Listings in a report, with disputes and rulings."""

from collections.abc import Iterator

from google.protobuf.message import DecodeError, Message

from clients.cli import listing_words
from clients.cli.listing_render import until
from clients.cli.moments import moment
from clients.language import marked, tr
from clients.wallet_report.section import Section
from concordat import v1
from concordat.trust.envelope import payload_type_of

_KINDS: tuple[type[v1.ListingFiling | v1.ListingEvent | v1.Dispute | v1.Ruling], ...] = (
    v1.ListingFiling,
    v1.ListingEvent,
    v1.Dispute,
    v1.Ruling,
)
_COLUMNS = (
    *(marked("listing"), marked("what"), marked("from"), marked("amount and date")),
    *(marked("stands"), marked("lenders see it"), marked("ends")),
)
_STEPS = (marked("when"), marked("who"), marked("what"), marked("then"))
_RECIPIENTS = (marked("lender"), marked("was told"), marked("recalled"), marked("acknowledged"))


def listing_sections(report: v1.SubjectReport) -> Iterator[Section]:
    """Yield all listings at a glance, then what happened to each."""
    lines = () if report.listings else (tr("Nobody has filed anything about you."),)
    rows = tuple(_row(own) for own in report.listings)
    yield Section.of(tr("Listings about you, in every state"), lines, _COLUMNS, rows)
    for own in report.listings:
        listing = own.listing_id.hex()
        title = tr("What happened to listing {listing}", listing=listing)
        steps = tuple(_step(step) for step in own.steps)
        yield Section.of(title, tuple(_lines(own)), _STEPS, steps)
        if own.recipients:
            title = tr("Who was told of listing {listing} in the past six months", listing=listing)
            told = tuple(_recipient(each) for each in own.recipients)
            yield Section.of(title, (), _RECIPIENTS, told)


def _row(own: v1.OwnListing) -> tuple[str, ...]:
    return (
        own.listing_id.hex(),
        tr(
            "{kind}, from a {basis}",
            kind=listing_words.kind(own.kind),
            basis=listing_words.basis(own.basis),
        ),
        ", ".join(own.sources) or tr("nobody any more"),
        listing_words.facts(own.facts),
        listing_words.state(own.state),
        tr("yes, with your consent") if own.HasField("shown") else tr("no"),
        until(own),
    )


def _lines(own: v1.OwnListing) -> Iterator[str]:
    yield tr("Evidence on record (SHA-256): {hash}.", hash=own.facts.evidence_hash.hex())
    if own.words.text:
        yield tr("Your own words, shown with it: {words}", words=own.words.text)
    if own.dispute_id:
        yield tr("A dispute is open, to be decided by {when}.", when=moment(own.decide_by))
    if own.HasField("appeal_until"):
        until = moment(own.appeal_until)
        yield tr("The last ruling can be appealed until {when}.", when=until)


def _step(step: v1.ListingStep) -> tuple[str, ...]:
    said = statement_in(step.statement)
    what = listing_words.statement(said) if said is not None else tr("nobody can read it")
    return moment(step.at), who_said(said), what, listing_words.state(step.state)


def statement_in(
    envelope: v1.Envelope,
) -> v1.ListingFiling | v1.ListingEvent | v1.Dispute | v1.Ruling | None:
    """Return the statement of a step, *not* verified here; None where nobody can read it."""
    for kind in _KINDS:
        if envelope.payload_type == payload_type_of(kind):
            try:
                return kind.FromString(envelope.payload)
            except DecodeError:
                return None
    return None


def who_said(said: Message | None) -> str:
    """Return who made a step, as the statement itself says."""
    match said:
        case v1.ListingFiling():
            return said.source
        case v1.ListingEvent():
            return said.actor or tr("you")
        case v1.Ruling():
            return said.reviewer
        case v1.Dispute():
            return tr("you")
    return "?"


def _recipient(told: v1.ListingRecipient) -> tuple[str, ...]:
    acknowledged = moment(told.acknowledged_at) if told.HasField("acknowledged_at") else ""
    return told.lender, moment(told.told_at), tr("yes") if told.recalled else "", acknowledged
