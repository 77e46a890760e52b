"""A wallet's own entries in the log: listed, and where they end remembered, so that none can go missing later."""

from collections.abc import Iterable

from clients.sdk.accesses import AccessList
from clients.sdk.client import WalletClient
from clients.sdk.wallet_file import WalletFolder
from concordat import v1


def list_and_keep(
    client: WalletClient, held: WalletFolder, receipts: Iterable[v1.LogReceipt] = ()
) -> AccessList:
    """Return every entry about the wallet's subject, none missing; whoever calls holds the wallet's lock.

    ``receipts`` must be among them. Raises ``HistoryBrokenError``, and what was kept before then stays as it was.
    """
    listed = client.list_accesses(held.key(), held.kept_history(), receipts)
    held.keep_history(listed.kept)
    return listed
