"""Restoring a backup: everything that can be known is checked before anything is written.

Whose backup it is, whether the file is whole, whether its log's entries give its checkpoint, and whether
they lead to the newest checkpoint that anybody can still show: the witnesses first of all. An exchange
that went on from an older log would sign a second history of the same log.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from alembic.script import ScriptDirectory

from concordat.clock import from_micros
from concordat.federation.anchors import Anchors
from concordat.trust.errors import TrustError
from exchange.backup.checking import checked
from exchange.backup.errors import BackupDamagedError, BackupError, Known
from exchange.backup.filling import Filled, Plan, fill
from exchange.backup.format import End, Header, read_header
from exchange.backup.judging import require_continued
from exchange.backup.known import (
    Heard,
    ask_witnesses,
    enough,
    known_from_file,
    known_from_note,
)
from exchange.backup.openable import keyring_at
from exchange.backup.snapshot import Tell, silent
from exchange.backup.target import Left, place_for, require_room
from exchange.log.opening import named_witnesses
from exchange.log.tile_store import CHECKPOINT, FileTiles, TileStoreError
from exchange.migrations import SCRIPTS
from exchange.settings import ExchangeSettings

WITNESS_SECONDS = 10.0  # a restore waits longer than a view does


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done, and on whose word the log is the newest: how many witnesses were heard, who was not."""

    header: Header
    end: End
    filled: Filled
    known: list[Known]
    witnesses: int
    silent: dict[str, str]
    unreadable: str | None
    moved_to: Path | None


@dataclass(frozen=True, slots=True)
class Request:
    """What an operator asks for: the file, checkpoints kept elsewhere, whether to replace what is there."""

    file: Path
    checkpoints: Sequence[Path] = ()
    replace: bool = False


def restore(
    settings: ExchangeSettings,
    anchors: Anchors,
    request: Request,
    now: datetime,
    tell: Tell = silent,
    *,
    seconds: float = WITNESS_SECONDS,
) -> Restored:
    """Restore a backup; the caller holds the database for this process alone.

    Raises ``LogNotContinuedError`` where the log is not the newest known, ``BackupError`` for whatever else
    speaks against it, ``StoreError`` where the database can't be opened. Nothing is changed then.
    """
    left = require_room(settings.database, replace=request.replace)
    _require_erasures_logged(left)
    keyring = keyring_at(settings.storage_keys)
    header = read_header(request.file)
    require_ours(header, anchors)
    ours = _own(header, anchors, request.file.name)
    heard = ask_witnesses(named_witnesses(settings.log, anchors), anchors.log, seconds)
    heard = heard.without_forgetful(ours.checkpoint if ours else None)
    known = [
        *heard.known.values(),
        *(known_from_file(path, anchors) for path in request.checkpoints),
        *_published(settings, anchors),
    ]
    left = _shown_by(left, anchors, known)
    tally, end = checked(request.file, [header.size, *(each.size for each in known)], tell)
    tally.require(header.size, header.root, header.entries)
    require_continued("the backup", ours, tally.size, tally.roots.__getitem__, known)
    _require_heard(settings, anchors, heard, request.checkpoints)
    plan = Plan(request.file, end, header, _newest(header, ours, known), left.clock_mark, keyring)
    with place_for(settings.database, now, replace=request.replace) as place:
        filled = fill(place.engine, plan, settings.log, tell)
    return Restored(
        header,
        end,
        filled,
        known,
        len(heard.known),
        heard.silent,
        left.unreadable,
        place.moved_to,
    )


def _require_erasures_logged(left: Left) -> None:
    """Raise ``BackupError`` where people were erased of which no checkpoint tells yet: nothing else would."""
    if left.erasures:
        raise BackupError(
            f"the database that is replaced has erased people {left.erasures} times since its last "
            "checkpoint, and a backup may bring them back: start the exchange on it once more, so that the "
            "erasures are logged, and take a newer backup. If it can't start, move its files away by hand: "
            "then what the backup has of these people has to be erased again"
        )


def require_ours(header: Header, anchors: Anchors) -> None:
    """Raise ``BackupError`` unless this program, with this trust bundle, can take the backup up."""
    if (header.federation, header.origin) != (anchors.federation, anchors.log.name):
        raise BackupError(
            f"the backup is of {header.federation} with the log {header.origin}, and the trust bundle of "
            f"{anchors.federation} with {anchors.log.name}: restore with the settings it was made with"
        )
    newest = ScriptDirectory(str(SCRIPTS)).get_current_head()
    if header.schema != newest:
        raise BackupError(
            f"the backup is at schema {header.schema}, and this version's is {newest}: restore it with "
            "the version that made it, then run init of this version, which brings it up to date"
        )


def _own(header: Header, anchors: Anchors, name: str) -> Known | None:
    if not header.checkpoint:
        return None
    try:
        known = known_from_note(header.checkpoint, anchors, name)
    except TrustError as error:
        raise BackupError(f"the backup's checkpoint is not this federation's: {error}") from error
    if (known.size, known.root) != (header.size, header.root):
        raise BackupDamagedError(f"{name} was altered: its checkpoint is not that of its header")
    return replace(known, at=header.made_at)


def _published(settings: ExchangeSettings, anchors: Anchors) -> list[Known]:
    """Return what the log's files still show; raise ``BackupError`` where it is not this log's."""
    if settings.log.tiles != "files":
        return []
    folder = settings.log.folder
    try:
        note = FileTiles(folder).read(CHECKPOINT)
        if note is None:
            return []
        known = known_from_note(note, anchors, f"the published log in {folder.name}")
    except TileStoreError as error:
        raise BackupError(f"{folder}: {error}") from error
    except TrustError as error:
        raise BackupError(
            f"the checkpoint in {folder} is damaged, or another log's ({error}): move the folder away first"
        ) from error
    published = datetime.fromtimestamp((folder / CHECKPOINT).stat().st_mtime, UTC)
    return [replace(known, at=published)]


def _shown_by(left: Left, anchors: Anchors, known: list[Known]) -> Left:
    """Add what the database that is replaced shows to ``known``; return it, unreadable if that is nothing."""
    if left.checkpoint:
        try:
            shown = known_from_note(left.checkpoint, anchors, "the database that is replaced")
        except TrustError as error:
            return replace(left, unreadable=f"its checkpoint does not verify: {error}")
        known.append(replace(shown, at=from_micros(left.latest_time)))
    return left


def _require_heard(
    settings: ExchangeSettings, anchors: Anchors, heard: Heard, checkpoints: Sequence[Path]
) -> None:
    needed = enough(len(settings.log.witnesses), anchors.bundle.witness_quorum)
    if len(heard.known) >= needed or checkpoints:
        return
    why = "; ".join(f"{name}: {reason}" for name, reason in heard.silent.items())
    raise BackupError(
        f"{len(heard.known)} of at least {needed} witnesses could be heard ({why}): with fewer, a newer "
        "checkpoint may be missed. Try again when they are back, or give the newest checkpoint that you "
        "or anybody else has kept: --checkpoint FILE"
    )


def _newest(header: Header, ours: Known | None, known: Sequence[Known]) -> Known | None:
    """Return the newest checkpoint where that is newer than the backup's: the last batch was published."""
    newest = max(known, key=lambda each: each.size, default=ours)
    return newest if newest is not None and newest.size > header.size else None
