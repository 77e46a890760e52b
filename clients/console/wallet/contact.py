"""Where my notices go besides the inbox: shown as I signed it, said anew, taken away."""

from starlette.responses import Response

from clients.cli.wallet_contact import change_contact, contact_in_words
from clients.cli.wallet_flags import look
from clients.console.base import Action, Page, Visit
from clients.console.base.catalogs import LANGUAGES, TAGS, language_of
from clients.console.base.failures import unreadable
from clients.console.wallet.desk import Desk, outcome
from clients.language import tr
from clients.sdk.errors import ClientError
from concordat.trust.errors import StatementMalformedError

_NAMES = {TAGS[code]: name for code, name in LANGUAGES.items()}


class ContactPages:
    """Shows the contact that is on record, which must bear my signature, and changes it."""

    def __init__(self, desk: Desk) -> None:
        """Sign with ``desk``'s key."""
        self._desk = desk

    def routes(self) -> list[Page | Action]:
        """Return its pages."""
        return [Page("/contact", self.show), Action("/contact", self.change)]

    def show(self, visit: Visit) -> Response:
        """Show where notices go, and in which language."""
        with self._desk.sending(visit) as desk:
            told = desk.client.own_listings(desk.store)
        language = TAGS[language_of(visit.request)]
        return visit.page(
            "contact.html",
            faults=told.faults,
            contact=told.contact if told.contact is not None and told.contact.email else None,
            language_name=_NAMES.get(told.contact.language, told.contact.language)
            if told.contact is not None
            else "",
            languages_of_notices=[(TAGS[code], name) for code, name in LANGUAGES.items()],
            own_language=told.contact.language if told.contact is not None else language,
        )

    def change(self, visit: Visit) -> Response:
        """Say where they go, or that it is the inbox alone; signed here, and kept until it is taken."""
        email, language = visit.form.one("email"), visit.form.one("notices", TAGS["en"])
        if language not in TAGS.values():
            raise unreadable()
        if not email and visit.form.one("none") != "yes":
            raise ClientError(tr("Write an e-mail address, or choose the inbox alone."))
        try:
            with self._desk.open() as desk:
                posted = change_contact(desk, look(desk), email, language)
        except StatementMalformedError as error:
            raise ClientError(tr("That is no e-mail address. Nothing was changed.")) from error
        done = contact_in_words(email)
        return visit.go("/contact", notice=done if posted is None else outcome(posted, done))
