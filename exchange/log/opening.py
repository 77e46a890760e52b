"""Putting the log together from the settings."""

import os
import socket

from concordat.clock import Clock
from concordat.federation.anchors import Anchors
from concordat.settings import SettingsError
from concordat.store.group_commit import GroupCommit
from concordat.trust.keys import Ed25519Signer
from concordat.trust.note import VerifierKey
from exchange.log.book import LogBook, WitnessPolicy
from exchange.log.sequencer import LEASE_SECONDS, Sequencer
from exchange.log.tile_store import DatabaseTiles, FileTiles, TileStore
from exchange.log.witnesses import Witnesses
from exchange.settings import LogSettings


def open_tiles(settings: LogSettings, store: GroupCommit) -> TileStore:
    """Return the store of tiles that the settings choose."""
    return FileTiles(settings.folder) if settings.tiles == "files" else DatabaseTiles(store)


def open_book(
    settings: LogSettings,
    anchors: Anchors,
    store: GroupCommit,
    tiles: TileStore,
    clock: Clock,
    *,
    alone: bool,
) -> LogBook:
    """Return the log book, not started; raise ``SettingsError`` and ``KeyFileError``.

    ``alone`` where no other process can use the database: a lease that a killed one left is then this
    one's own, and need not run out first.
    """
    witnesses = Witnesses(
        named_witnesses(settings, anchors),
        anchors.bundle.witness_quorum,
        settings.witness_timeout_seconds,
    )
    sequencer = Sequencer(
        origin=anchors.bundle.log_origin,
        signer=log_signer(settings, anchors),
        store=store,
        tiles=tiles,
        witnesses=witnesses,
        clock=clock,
        holder="the only process" if alone else f"{socket.gethostname()[:40]}:{os.getpid()}",
        # Longer than a round may take, else two processes would take it from each other for ever.
        lease_seconds=LEASE_SECONDS + settings.witness_timeout_seconds,
    )
    policy = WitnessPolicy(settings.when_unwitnessed == "refuse", settings.unwitnessed_seconds)
    return LogBook(store, sequencer, tiles, policy, batch_seconds=settings.batch_seconds)


def log_signer(settings: LogSettings, anchors: Anchors) -> Ed25519Signer:
    """Load the log's key; raise ``SettingsError`` unless it is the trust bundle's."""
    signer = Ed25519Signer.load(settings.signing_key, None)
    if signer.public_key != anchors.bundle.log_key:
        raise SettingsError(
            f"{settings.signing_key} is not the trust bundle's log key: nobody would accept its checkpoints"
        )
    return signer


def named_witnesses(settings: LogSettings, anchors: Anchors) -> list[tuple[VerifierKey, str]]:
    """Return each witness's key and where it is asked; raise ``SettingsError`` where too few are named."""
    keys = {key.name: key for key in anchors.witnesses}
    unknown = [witness.name for witness in settings.witnesses if witness.name not in keys]
    if unknown:
        raise SettingsError(f"log.witnesses: {unknown[0]} is not a witness of the trust bundle")
    names = [witness.name for witness in settings.witnesses]
    if len(set(names)) < len(names):
        raise SettingsError("log.witnesses names a witness twice: it would be counted twice")
    if len(settings.witnesses) < anchors.bundle.witness_quorum:
        raise SettingsError(
            f"log.witnesses names {len(settings.witnesses)}, the trust bundle's quorum is "
            f"{anchors.bundle.witness_quorum}: say where each of its witnesses is asked"
        )
    return [(keys[witness.name], witness.url) for witness in settings.witnesses]
