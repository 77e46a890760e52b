"""``concordat-exchange check``: look over an exchange's deployment before it serves."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from concordat import v1
from concordat.federation.anchors import Anchors, load_anchors
from concordat.federation.directory import MemberDirectory
from concordat.rpc.tls import TlsIdentity
from concordat.rpc.tls_check import require_certificate
from concordat.store.engine import StoreError, require_current
from concordat.store.reading import opened_to_read
from concordat.trust.checkpoint import open_checkpoint
from concordat.trust.keys import key_id
from exchange.commands.shared import OUT, ConfigOption, read_settings
from exchange.log.opening import log_signer, named_witnesses
from exchange.log.sequencing import signed
from exchange.log.tile_store import CHECKPOINT, FileTiles
from exchange.members.keeper import load
from exchange.migrations import SCRIPTS
from exchange.settings import ExchangeSettings
from exchange.vault.cipher import Vault
from exchange.vault.fitting import require_marked
from exchange.vault.keyring import KeyringError
from exchange.vault.keyring import load as load_keyring
from exchange.vault.rotation import progress

_SOON = timedelta(days=30)


def check(
    config: ConfigOption,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Check trust bundle, keys, certificate, database, keyring, licence and log, and say what to do about each.

    Exit codes: 0 all well; 1 something is wrong; 2 the settings are wrong.
    """
    settings = read_settings(config)
    checks: list[tuple[str, Callable[[ExchangeSettings], str]]] = [
        ("trust bundle", _trust_bundle),
        ("certificate", _certificate),
        ("database", _database),
        ("storage keys", _storage_keys),
        ("own licence", _licence),
        ("calibration", _calibration),
        ("log", _the_log),
    ]
    rows = [(name, *_outcome(run, settings)) for name, run in checks]
    if as_json:
        typer.echo(
            json.dumps([dict(zip(("check", "ok", "detail"), row, strict=True)) for row in rows])
        )
    else:
        table = Table("check", "", "detail")
        for name, ok, detail in rows:
            table.add_row(name, "[green]ok[/]" if ok else "[red]failed[/]", detail)
        OUT.print(table)
    if not all(ok for _, ok, _ in rows):
        raise typer.Exit(1)


def _outcome(
    run: Callable[[ExchangeSettings], str], settings: ExchangeSettings
) -> tuple[bool, str]:
    try:
        return True, run(settings)
    except Exception as error:  # noqa: BLE001 - whatever is wrong is the finding
        return False, str(error)


def _trust_bundle(settings: ExchangeSettings) -> str:
    anchors = load_anchors(settings.trust_bundle)
    if settings.member_id != anchors.bundle.exchange_id:
        raise ValueError(
            f"the bundle's exchange is {anchors.bundle.exchange_id}; correct member_id"
        )
    return f"{anchors.federation}, {anchors.bundle.root_threshold} of {len(anchors.bundle.root_keys)} roots"


def _certificate(settings: ExchangeSettings) -> str:
    anchors = load_anchors(settings.trust_bundle)
    identity, now = TlsIdentity.load(settings.tls_certificate, settings.tls_key), datetime.now(UTC)
    certificate = require_certificate(identity, anchors, settings.member_id, now)
    left = certificate.not_valid_after_utc - now
    return f"expires in {left.days} days" + ("; renew it soon" if left < _SOON else "")


def _database(settings: ExchangeSettings) -> str:
    with opened_to_read(settings.database) as connection:
        require_current(connection.engine, SCRIPTS)
        return f"{connection.dialect.name}, at this version's schema"


def _storage_keys(settings: ExchangeSettings) -> str:
    """Check that the keyring is there, for its owner alone, and this database's."""
    vault = Vault(load_keyring(settings.storage_keys))
    try:
        with opened_to_read(settings.database) as connection:
            require_marked(connection, vault)
            how_far = progress(connection, vault.keyring.newest)
    except KeyringError:
        raise
    except StoreError:
        return "readable; whose they are shows once the database opens"
    left = (
        f"; {how_far.older} keys are under an older one: run rotate-keys" if how_far.older else ""
    )
    return f"keys of {how_far.subjects} subjects, wrapping key {vault.keyring.newest}{left}"


def _licence(settings: ExchangeSettings) -> str:
    anchors = load_anchors(settings.trust_bundle)
    directory = _stored_directory(settings, anchors)
    member = directory.require(settings.member_id, datetime.now(UTC), v1.Role.ROLE_EXCHANGE)
    own = key_id(settings.signer().public_key)
    if own not in {key_id(key.public_key) for key in member.licence.keys}:
        raise ValueError(
            "the signing key is not in the licence; use the licensed key or renew the licence"
        )
    return f"in force until {member.not_after:%Y-%m-%d}; {len(directory.members())} members known"


def _calibration(settings: ExchangeSettings) -> str:
    """Check that scores can be pooled: a calibration is in use that reads the licensed providers."""
    directory, now = (
        _stored_directory(settings, load_anchors(settings.trust_bundle)),
        datetime.now(UTC),
    )
    providers = [m for m in directory.members() if v1.Role.ROLE_PROVIDER in m.roles]
    if not providers:
        return "none is needed: no provider is licensed"
    opened = directory.calibration(now)
    unread = [
        member.member_id
        for member in providers
        if not opened.compiled.reads(member.member_id, member.licence.score_scale)
    ]
    stale = f"stale since {opened.stale_from:%Y-%m-%d}: have a new one signed; "
    return (
        f"version {opened.version}, {opened.message.report.method}; "
        f"{stale if opened.is_stale(now) else f'until {opened.stale_from:%Y-%m-%d}; '}"
        f"{len(providers) - len(unread)} of {len(providers)} providers are read"
        f"{', not ' + ', '.join(unread) if unread else ''}"
    )


def _the_log(settings: ExchangeSettings) -> str:
    """Check the log's key and witnesses, and that the database leads to what is published."""
    anchors = load_anchors(settings.trust_bundle)
    log_signer(settings.log, anchors)
    named_witnesses(settings.log, anchors)
    with opened_to_read(settings.database) as connection:
        recorded = signed(connection)
    published = FileTiles(settings.log.folder).read(CHECKPOINT)
    note = recorded.note if settings.log.tiles == "database" else published
    if note is None or not note:
        return "still empty"
    checkpoint = open_checkpoint(note, anchors.log, anchors.witnesses)
    if checkpoint.size > recorded.size:
        raise ValueError(
            f"{checkpoint.size} entries are published and the database has {recorded.size}: it was restored "
            "from an old copy; restore one that leads to the published log"
        )
    quorum = anchors.bundle.witness_quorum
    seen = f", cosigned by {len(checkpoint.cosignatures)} of at least {quorum}" if quorum else ""
    return f"{checkpoint.size} entries{seen}"


def _stored_directory(settings: ExchangeSettings, anchors: Anchors) -> MemberDirectory:
    directory = MemberDirectory(anchors)
    with opened_to_read(settings.database) as connection:
        load(connection, directory, datetime.now(UTC))
    return directory
