"""The references of filings, as this node knows them."""

from collections.abc import Sequence

from concordat.store.reading import opened_to_read
from provider.listings.intake import BATCH
from provider.settings import ProviderSettings
from provider.store import listings
from provider.store.listings import Key


def references_of(settings: ProviderSettings, keys: Sequence[Key]) -> dict[Key, str]:
    """Return the reference of each filing that is on record here."""
    found: dict[Key, str] = {}
    with opened_to_read(settings.database) as connection:
        for start in range(0, len(keys), BATCH):
            rows = listings.by_keys(connection, keys[start : start + BATCH])
            found.update({key: row.reference for key, row in rows.items()})
    return found
