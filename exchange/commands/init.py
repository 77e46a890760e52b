"""``concordat-exchange init``: create the database and take in the first licences and calibration."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.message import DecodeError

from concordat import v1
from concordat.federation.anchors import load_anchors
from concordat.federation.directory import MemberDirectory
from concordat.refusal import Refusal
from concordat.store.engine import migrate, open_engine
from concordat.store.exclusive import only_process
from concordat.v1 import Reason
from exchange.commands.shared import OUT, ConfigOption, advising, read_settings
from exchange.database import open_database
from exchange.members.keeper import keep_calibration, keep_licence, load
from exchange.migrations import SCRIPTS
from exchange.vault.fitting import adopt, ready_keyring, require_fitting


def init(
    config: ConfigOption,
    licences: Annotated[
        list[Path] | None,
        typer.Option("--licence", help="A signed licence file to take in; repeat for more."),
    ] = None,
    calibrations: Annotated[
        list[Path] | None,
        typer.Option(
            "--calibration", help="A signed calibration file to take in; repeat for more."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Create or migrate the database and its keyring, and take in licences and calibrations.

    Repeating changes nothing. A keyring is made for a new database, never for one that has its own.

    Exit codes: 0 done; 1 the trust bundle, the keyring or the database cannot be opened, or a licence or a
    calibration does not verify (then none is taken in); 2 the settings are wrong.
    """
    settings = read_settings(config, as_json=as_json)
    with advising(as_json=as_json), only_process(settings.database):
        anchors = load_anchors(settings.trust_bundle)
        now = datetime.now(UTC)
        directory = MemberDirectory(anchors)
        engine = open_engine(settings.database)
        try:
            keyring = ready_keyring(engine, settings.storage_keys)
        finally:
            engine.dispose()
        engine = open_database(settings.database, keyring, settings.storage_keys)
        try:
            migrate(engine, SCRIPTS)
            with engine.begin() as connection:
                adopt(connection)
            require_fitting(engine, settings.storage_keys)
            with engine.begin() as connection:
                load(connection, directory, now)
                for path in licences or ():
                    envelope = _read(path)
                    directory.add_licence(envelope, now)
                    licence = v1.Licence.FromString(envelope.payload)
                    keep_licence(connection, licence, envelope, now)
                for path in calibrations or ():
                    envelope = _read(path)
                    keep_calibration(connection, directory.open_calibration(envelope, now), now)
        finally:
            engine.dispose()
    member_id, count = settings.member_id, len(directory.members())
    if as_json:
        typer.echo(json.dumps({"ok": True, "member_id": member_id, "members": count}))
    else:
        OUT.print(f"{member_id}: ready with {count} members", highlight=False)


def _read(path: Path) -> v1.Envelope:
    try:
        return v1.Envelope.FromString(path.read_bytes())
    except DecodeError as error:
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, f"{path} is no envelope") from error
