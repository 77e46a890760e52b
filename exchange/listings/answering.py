"""The listings that an answer shows: found in memory, confirmed by the database where there are any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.listings import told
from exchange.listings.told import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from concordat.store.group_commit import GroupCommit
    from exchange.listings.book import ListingBook
    from exchange.listings.profile import Profiles


class Lookout:
    """Finds what is shown of subjects."""

    def __init__(self, book: ListingBook, store: GroupCommit, profiles: Profiles) -> None:
        """Look in ``book``; confirm in ``store``."""
        self.book = book
        self._store = store
        self._profiles = profiles

    async def shown(self, refs: Sequence[bytes], at: datetime) -> dict[int, Shown]:
        """Return what is shown of each subject, by its place among ``refs``; nothing where there is nothing.

        The database is asked only where the memory has something to show, so that a subject who was never
        listed and one whose listings are not shown are told apart by nothing. Raises ``Refusal`` where the
        memory is not current.
        """
        if not refs:
            return {}
        self.book.require_current()
        found = self.book.shown(refs, at)
        if not found:
            return {}
        return await self._store.arun(
            lambda connection: told.confirm(connection, self._profiles, found, at)
        )
