"""My consents, each a card in plain language, to pause, resume, revoke, and to hand to its lender."""

from dataclasses import dataclass

from starlette.responses import Response

from clients.cli.console import said
from clients.console.base import Action, Page, Visit
from clients.console.base.downloads import attachment
from clients.console.base.failures import no_such_page
from clients.console.wallet.desk import Desk
from clients.language import marked, tr
from clients.sdk.consent_record import ConsentRecord
from clients.sdk.notice import render_notice
from clients.sdk.own_consents import change_and_tell
from clients.sdk.permission_file import dump_permission
from clients.sdk.views import Permission
from clients.sdk.wallet import HeldConsent
from concordat import v1
from concordat.v1 import ConsentEventKind as Kind
from concordat.v1 import ConsentState as State

_CHANGES = {
    "pause": Kind.CONSENT_EVENT_KIND_PAUSE,
    "resume": Kind.CONSENT_EVENT_KIND_RESUME,
    "revoke": Kind.CONSENT_EVENT_KIND_REVOKE,
}
_DONE = {
    "pause": marked(
        "Paused, and everybody has been told: nothing is released under it until you resume it."
    ),
    "resume": marked("Resumed, and everybody has been told."),
    "revoke": marked("Revoked for ever, and everybody has been told."),
}
# What is said where a consent's state does not allow a change: here to be translated.
NOT_NOW = (
    marked("the consent is revoked, for ever; grant a new one"),
    marked("the consent is not paused, so there is nothing to resume"),
)
_LIVE = {State.CONSENT_STATE_ACTIVE, State.CONSENT_STATE_PAUSED}


@dataclass(frozen=True, slots=True)
class Card:
    """A consent as it is shown."""

    terms: v1.Consent
    state: str
    uses: int | None  # None where the exchange does not know it
    changes: tuple[str, ...]  # what can be done to it from this wallet
    here: bool  # whether this wallet gave it
    live: bool = False

    @property
    def consent_id(self) -> str:
        """In hex."""
        return self.terms.consent_id.hex()

    @property
    def purpose(self) -> str:
        """What it is for."""
        return said(v1.Purpose.Name(self.terms.purpose), "PURPOSE_")

    @property
    def shares(self) -> str:
        """What goes out under it."""
        return ", ".join(
            said(v1.DataCategory.Name(each), "DATA_CATEGORY_")
            for each in self.terms.data_categories
        )

    @property
    def score(self) -> str:
        """How much of the score goes out."""
        if v1.DataCategory.DATA_CATEGORY_SCORE not in self.terms.data_categories:
            return tr("nothing")
        told = self.terms.disclosure
        if told.kind == v1.DisclosureKind.DISCLOSURE_KIND_THRESHOLD:
            return tr("only whether it reaches {threshold} points", threshold=told.threshold)
        if told.kind == v1.DisclosureKind.DISCLOSURE_KIND_BAND:
            return tr("its band, A to E, alone")
        return tr("all of it, with what each provider says")


class ConsentPages:
    """Shows what the exchange has on record, beside what this wallet gave."""

    def __init__(self, desk: Desk) -> None:
        """Sign with ``desk``'s key."""
        self._desk = desk

    def routes(self) -> list[Page | Action]:
        """Return its pages."""
        return [
            Page("/consents", self.all),
            Page("/consents/{consent}", self.one),
            Page("/consents/{consent}/permission", self.permission),
            Action("/consents/{consent}/{change}", self.change),
        ]

    def all(self, visit: Visit) -> Response:
        """Show every consent, those in force first."""
        cards = self._cards()
        cards.sort(key=lambda card: (not card.live, -card.terms.valid_from.seconds))
        return visit.page("consents.html", cards=cards)

    def one(self, visit: Visit) -> Response:
        """Show a consent with the very words that were agreed to."""
        card = self._found(visit)
        notice = render_notice(card.terms)
        return visit.page("consent.html", card=card, notice=notice)

    def permission(self, visit: Visit) -> Response:
        """Hand out what the lender needs: the signed consent, and the binding of the key."""
        record = self._record(visit)
        held = self._desk.held
        content = dump_permission(Permission(record.envelope, held.key().binding))
        return attachment(content, f"consent-{record.consent_id.hex()[:8]}.consent")

    def change(self, visit: Visit) -> Response:
        """Pause, resume or revoke it: signed here, told to the exchange and to each provider."""
        change = str(visit.path["change"])
        if change not in _CHANGES:
            raise no_such_page()
        record = self._record(visit)
        with self._desk.open() as desk:
            report = change_and_tell(
                self._desk.held, desk.client, record, _CHANGES[change], desk.now
            )
        where = f"/consents/{record.consent_id.hex()}"
        if report.complete:
            return visit.go(where, notice=tr(_DONE[change]))
        parties = (report.exchange, *report.providers)
        for told in parties:
            if not told.acknowledged:
                visit.session.notices.append(f"{told.party}: {told.problem}")
        notice = tr(
            "You have signed it, but not everybody could be told. Choose it again to tell the rest."
        )
        return visit.go(where, notice=notice)

    def _cards(self) -> list[Card]:
        own = {record.consent_id: record for record in self._desk.held.consents()}
        with self._desk.open() as desk:
            known = desk.client.list_consents(desk.store.key)
        cards = [_card(each, own.pop(each.terms.consent_id, None)) for each in known]
        return [*cards, *(_not_granted(record) for record in own.values())]

    def _found(self, visit: Visit) -> Card:
        wanted = visit.path["consent"]
        found = [card for card in self._cards() if card.consent_id == wanted]
        if not found:
            raise no_such_page()
        return found[0]

    def _record(self, visit: Visit) -> ConsentRecord:
        wanted = visit.path["consent"]
        for record in self._desk.held.consents():
            if record.consent_id.hex() == wanted:
                return record
        raise no_such_page()


def _card(told: HeldConsent, record: ConsentRecord | None) -> Card:
    changes: tuple[str, ...] = ()
    if record is not None and told.state == State.CONSENT_STATE_ACTIVE:
        changes = ("pause", "revoke")
    elif record is not None and told.state == State.CONSENT_STATE_PAUSED:
        changes = ("resume", "revoke")
    elif record is not None and told.state == State.CONSENT_STATE_REVOKED:
        changes = ("revoke",)
    state = said(State.Name(told.state), "CONSENT_STATE_")
    return Card(told.terms, state, told.uses, changes, record is not None, told.state in _LIVE)


def _not_granted(record: ConsentRecord) -> Card:
    return Card(record.terms, tr("not on record at the exchange"), None, ("revoke",), here=True)
