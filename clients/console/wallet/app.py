"""The wallet's page as a site: its menu, and which part serves what."""

from clients.console.base import Console, Site, build_app
from clients.console.wallet.accesses import AccessPages
from clients.console.wallet.consents import ConsentPages
from clients.console.wallet.contact import ContactPages
from clients.console.wallet.desk import Desk
from clients.console.wallet.erasure import ErasurePages
from clients.console.wallet.granting import GrantPages
from clients.console.wallet.inbox import InboxPages
from clients.console.wallet.listings import ListingPages
from clients.console.wallet.more import MorePages
from clients.console.wallet.notices import NoticePages
from clients.console.wallet.report import ReportPages
from clients.console.wallet.score import ScorePages
from clients.console.wallet.switches import SwitchPages
from clients.language import marked
from clients.sdk.wallet_file import WalletFolder
from concordat.clock import Clock

MENU = (
    ("/", marked("My score")),
    ("/accesses", marked("Who looked")),
    ("/consents", marked("Consents")),
    ("/listings", marked("Listings")),
    ("/inbox", marked("Inbox")),
    ("/contact", marked("Contact")),
    ("/notices", marked("Regulators")),
    ("/switches", marked("Freeze and alert")),
    ("/outcomes", marked("Decisions")),
    ("/report", marked("Report")),
    ("/erasure", marked("Erasure")),
    ("/more", marked("This wallet")),
)
_PARTS = (
    *(ScorePages, AccessPages, GrantPages, ConsentPages, ListingPages),
    *(InboxPages, ContactPages, NoticePages, SwitchPages, ReportPages, ErasurePages, MorePages),
)


def wallet_app(held: WalletFolder, clock: Clock) -> Console:
    """Return the page of a wallet that was opened with its key; raise ``WalletError`` if the key is not bound."""
    held.key()
    desk = Desk(held, clock)
    routes = [route for part in _PARTS for route in part(desk).routes()]
    name, federation = marked("My wallet"), held.anchors.federation
    site = Site("wallet", name, MENU, "clients.console.wallet", clock.now, federation)
    return build_app(routes, site)
