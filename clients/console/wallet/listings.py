"""My listings and disputes: where each stands, until when, and what I can do next."""

from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.responses import Response

from clients.cli import listing_words
from clients.cli.console import said
from clients.cli.wallet_desk import WalletDesk
from clients.cli.wallet_dispute import APPEAL, CONTEST, REVIEW, Complaint, file_dispute, open_stages
from clients.console.base import Action, Page, Visit
from clients.console.base.catalogs import TAGS, language_of
from clients.console.base.failures import no_such_page
from clients.console.base.formats import money
from clients.console.wallet.desk import Desk, outcome
from clients.console.wallet.granting import known
from clients.language import marked, tr
from clients.sdk.errors import ClientError, WalletError
from clients.sdk.own_listings import OwnListings
from clients.sdk.subject_requests import make_settlement, make_words
from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.evidence import Evidence
from concordat.v1 import DisputeGround, DisputeStage, ListingState
from concordat.verify.listing_history import CheckedListing, CheckedStep

MOST_UPLOADED = 4 * 256 * 1024 + 64 * 1024
_WAYS = {"contest": CONTEST, "dispute": REVIEW, "appeal": APPEAL}
_TITLES = {
    CONTEST: marked("Contest it, before it takes effect"),
    REVIEW: marked("Dispute it"),
    APPEAL: marked("Appeal the last ruling"),
}
_ENDED = {
    ListingState.LISTING_STATE_WITHDRAWN,
    ListingState.LISTING_STATE_REPAIRED,
    ListingState.LISTING_STATE_EXPIRED,
}
_DEADLINES = (
    ("noticed_at", marked("the notice reached you")),
    ("effective_from", marked("takes effect no earlier than")),
    ("effective_at", marked("in force since")),
    ("settled_at", marked("settled on")),
    ("decide_by", marked("your dispute is decided by")),
    ("appeal_until", marked("you can appeal until")),
    ("expires_at", marked("ends at the latest on")),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A listing, with what can be said about it at a glance."""

    checked: CheckedListing
    stages: tuple[DisputeStage.ValueType, ...]

    @property
    def own(self) -> v1.OwnListing:
        """The listing itself."""
        return self.checked.listing

    @property
    def listing_id(self) -> str:
        """In hex."""
        return self.own.listing_id.hex()

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        return tr(
            "{kind} of {amount}",
            kind=listing_words.kind(self.own.kind),
            amount=money(self.own.facts.amount),
        )

    @property
    def state(self) -> str:
        """Where it stands."""
        return listing_words.state(self.own.state)

    @property
    def ended(self) -> bool:
        """Whether nothing can become of it any more."""
        return self.own.state in _ENDED

    @property
    def payable(self) -> bool:
        """Whether its subject can say that it is paid."""
        return self.own.state == ListingState.LISTING_STATE_EFFECTIVE

    @property
    def seen(self) -> str:
        """What lenders see of it."""
        if not self.own.HasField("shown"):
            return tr("nothing")
        mark = listing_words.mark(self.own.shown.mark)
        return tr("with your consent: {mark}, with the amount as a band", mark=mark)

    @property
    def times(self) -> list[tuple[str, datetime]]:
        """Its dates and deadlines, with what each is."""
        own = self.own
        return [
            (tr(name), from_timestamp(getattr(own, field)))
            for field, name in _DEADLINES
            if own.HasField(field)  # type: ignore[arg-type]  # a name of the list above
        ]

    @property
    def next_step(self) -> str:
        """What its subject can do now, or waits for."""
        if self.ended:
            return tr("Nothing is left to do.")
        if self.own.state == ListingState.LISTING_STATE_DRAFT:
            return tr("Read the notice in your inbox: your time to contest it begins then.")
        if self.own.HasField("decide_by"):
            return tr("Wait: somebody independent decides it.")
        if not self.stages:
            return tr("Nothing can be done just now.")
        return "; ".join(tr(_TITLES[stage]) for stage in self.stages)


class ListingPages:
    """Shows every listing with each step checked; takes complaints, own words and settlements."""

    def __init__(self, desk: Desk) -> None:
        """Sign with ``desk``'s key."""
        self._desk = desk

    def routes(self) -> list[Page | Action]:
        """Return its pages."""
        return [
            Page("/listings", self.all),
            Page("/listings/{listing}", self.one),
            Action("/listings/{listing}/words", self.words),
            Action("/listings/{listing}/paid", self.paid, most_bytes=MOST_UPLOADED),
            Action("/listings/{listing}/{way}", self.complain, most_bytes=MOST_UPLOADED),
        ]

    def all(self, visit: Visit) -> Response:
        """Show every listing, whatever its state."""
        told = self._told(visit)
        shown = [_shown(checked) for checked in told.listings]
        shown.sort(key=lambda each: each.ended)
        return visit.page("listings.html", told=told, shown=shown, evidence=self._evidence(told))

    def one(self, visit: Visit) -> Response:
        """Show all there is about one, and forms for what can be done."""
        checked = _found(self._told(visit), visit)
        return visit.page(
            "listing.html",
            shown=_shown(checked),
            steps=[_step(each) for each in checked.steps],
            ways=[
                (way, tr(_TITLES[stage]))
                for way, stage in _WAYS.items()
                if stage in open_stages(checked.listing)
            ],
            grounds=_grounds(),
        )

    def complain(self, visit: Visit) -> Response:
        """Sign a contest, a dispute or an appeal, its evidence sealed to who decides."""
        stage = _WAYS.get(str(visit.path["way"]))
        if stage is None:
            raise no_such_page()
        evidence = [Evidence.of(file.content) for file in visit.form.uploads("evidence")]
        number = known(DisputeGround.values(), visit.form.number("ground"))
        ground = v1.Dispute(ground=number).ground  # type: ignore[arg-type]  # checked just now
        complaint = Complaint(stage, ground, evidence)
        with self._desk.sending(visit) as desk:
            checked = _look(desk, visit)
            posted = file_dispute(desk, checked, complaint)
        reviewer = v1.Dispute.FromString(posted.pending.statement.payload).reviewer
        done = tr(
            "Taken in. {reviewer} decides it, who has nothing to do with who filed it.",
            reviewer=reviewer,
        )
        return visit.go(_where(visit), notice=outcome(posted, done))

    def words(self, visit: Visit) -> Response:
        """Attach one's own words, replace them, or take them away."""
        text = visit.form.one("text").replace("\r\n", "\n")
        language = TAGS[language_of(visit.request)] if text else ""
        with self._desk.sending(visit) as desk:
            own = _look(desk, visit).listing
            said_now = v1.SubjectWords(text=text, language=language)
            request = make_words(
                desk.store.key, desk.federation, own.listing_id, said_now, desk.now
            )
            posted = desk.client.post(desk.store, request)
        done = (
            tr("Your words go with the listing from now on.")
            if text
            else tr("Your words are taken away.")
        )
        return visit.go(_where(visit), notice=outcome(posted, done))

    def paid(self, visit: Visit) -> Response:
        """Say that a debt in force is paid; of the receipt only the hash is sent."""
        files = visit.form.uploads("receipt")
        if len(files) != 1:
            raise ClientError(tr("Choose the receipt of the payment: one file."))
        paid_at = _day(visit.form.one("paid_on"))
        with self._desk.sending(visit) as desk:
            if paid_at > desk.now:
                raise WalletError(tr("That day lies in the future."))
            own = _look(desk, visit).listing
            request = make_settlement(
                desk.store.key,
                desk.federation,
                own.listing_id,
                files[0].content,
                paid_at,
                desk.now,
            )
            posted = desk.client.post(desk.store, request)
        done = tr(
            "Reported: the debt is paid. Keep the receipt; whoever filed it may ask to see it."
        )
        return visit.go(_where(visit), notice=outcome(posted, done))

    def _told(self, visit: Visit) -> OwnListings:
        with self._desk.sending(visit) as desk:
            return desk.client.own_listings(desk.store)

    def _evidence(self, told: OwnListings) -> list[str]:
        """Keep what does not hold, and return where."""
        if told.sound:
            return []
        with self._desk.open() as desk:
            return [desk.store.keep_evidence(each) for each in told.listings if each.problems]


def _look(desk: WalletDesk, visit: Visit) -> CheckedListing:
    return _found(desk.client.own_listings(desk.store), visit)


def _found(told: OwnListings, visit: Visit) -> CheckedListing:
    for checked in told.listings:
        if checked.listing.listing_id.hex() == visit.path["listing"]:
            return checked
    raise no_such_page()


def _where(visit: Visit) -> str:
    return f"/listings/{visit.path['listing']}"


def _shown(checked: CheckedListing) -> Shown:
    return Shown(checked, tuple(open_stages(checked.listing)))


def _step(step: CheckedStep) -> tuple[datetime, str, str, str, str]:
    """Return when, who, what, what then, and why it does not hold."""
    who = (step.who or tr("you")) if step.statement else "?"
    what = listing_words.statement(step.statement) if step.statement else tr("nobody can read it")
    then = listing_words.state(step.step.state)
    return from_timestamp(step.step.at), who, what, then, step.fault


def _grounds() -> list[tuple[str, str]]:
    return [
        (str(number), said(DisputeGround.Name(number), "DISPUTE_GROUND_"))
        for number in DisputeGround.values()
        if number
    ]


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ClientError(tr("Write the day as year-month-day, such as 2026-10-31.")) from error
