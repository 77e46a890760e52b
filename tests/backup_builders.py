"""An exchange's database, tiles and settings in a folder, to be backed up, lost and restored.

    house = House(tmp_path, migrated)            # an empty database at the newest schema
    house.fill(); house.grow(300)
    kept = house.backup("monday.backup")
    house.grow(5)
    house.restore(kept, replace=True)            # raises LogNotContinuedError

Witnesses are whatever ``witnesses`` serves: ``witness(note)`` answers with a note that it cosigned.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from concordat.federation.anchors import Anchors, save_bundle
from concordat.store.group_commit import GroupCommit
from concordat.trust.checkpoint import add_signatures, cosign_checkpoint
from concordat.trust.note import SignedNote
from exchange.backup.raw import read_rows
from exchange.backup.restoring import Request, Restored, restore
from exchange.backup.snapshot import Made, make_backup
from exchange.log.tile_store import CHECKPOINT, DatabaseTiles, FileTiles, TileStore
from exchange.log.witnesses import Witnesses
from exchange.settings import ExchangeSettings, LogSettings, WitnessSettings
from exchange.tables import metadata
from tests.builders import AT, Federation, signer
from tests.log_builders import Answer, serve
from tests.sequencer_builders import Audited, LogSide, audit
from tests.vault_builders import exchange_engine
from tests.witness_servers import key_of

OAK, ELM, ASH = (f"{name}.example/w" for name in ("oak", "elm", "ash"))
WEEK = timedelta(days=7)
Table = list[tuple[Any, ...]]


def cosigned_by(note: bytes, *names: str) -> bytes:
    """Return a note with the cosignatures of these witnesses, made when ``AT`` was."""
    text = SignedNote.parse(note).text
    at = int(AT.timestamp())
    return add_signatures(note, [cosign_checkpoint(text, name, signer(name), at) for name in names])


@contextmanager
def witness(note: bytes | None) -> Iterator[str]:
    """Serve a note as the latest that a witness cosigned, 404 for None; yield the prefix."""

    def answer(path: str) -> Answer:
        assert path.startswith("checkpoint/")
        return (404, {}, b"") if note is None else (200, {}, note)

    with serve(answer) as url:
        yield url


def anchors_with(names: Sequence[str], quorum: int) -> Anchors:
    keys = [str(key_of(name)) for name in names]
    return Federation(endpoints={"witnesses": keys, "witness_quorum": quorum}).anchors


@dataclass
class House:
    """A database in use, and the settings of the exchange that it is."""

    folder: Path
    url: str
    tiles: str = "files"
    witnesses: dict[str, str] = field(default_factory=dict)  # where each is asked, by name
    quorum: int = 0

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Serve it, so to speak: one connection that writes."""
        self.engine: Engine = exchange_engine(self.url)
        self.store = GroupCommit(self.engine)
        self.log = LogSide(self.store, self.tiles_of(self.store))
        self.sequencer = self.log.sequencer()

    def close(self) -> None:
        self.store.close()
        self.engine.dispose()

    def tiles_of(self, store: GroupCommit) -> TileStore:
        return DatabaseTiles(store) if self.tiles == "database" else FileTiles(self.folder / "log")

    @property
    def anchors(self) -> Anchors:
        return anchors_with(list(self.witnesses), self.quorum)

    @property
    def settings(self) -> ExchangeSettings:
        log = LogSettings(
            signing_key=self.folder / "log.key",
            listen="127.0.0.1:0",
            tiles="database" if self.tiles == "database" else "files",
            folder=self.folder / "log",
            witnesses=[WitnessSettings(name=n, url=u) for n, u in self.witnesses.items()],
        )
        return ExchangeSettings.model_construct(database=self.url, log=log)

    def fill(self) -> None:
        """Put a row of each kind of value into tables that the log does not write."""
        with self.engine.begin() as connection:
            insert = connection.exec_driver_sql
            insert("INSERT INTO clock_mark (id, at) VALUES (1, 1780000000000000)")
            insert(
                "INSERT INTO lender_limit (lender, level, since, until, signals) VALUES "
                "('čapek \"&\" sons', 1, 9007199254740993, NULL, '{\"no_match\": 7}')"
            )
            row = (bytes(range(32)), True, False, 3, b"\n" * 32, b"")
            if connection.dialect.name == "sqlite":
                marks = ", ".join("?" * len(row))
            else:
                marks = ", ".join(["%s"] * len(row))
            insert(
                "INSERT INTO subject_flag (subject_ref, frozen, fraud_alert, sequence, digest, "
                f"envelope) VALUES ({marks})",
                row,
            )

    def grow(self, count: int, *, witnesses: Witnesses | None = None) -> None:
        """Enter and sequence that many acts."""
        if witnesses is not None:
            self.sequencer.step_down()
            self.sequencer = self.log.sequencer(witnesses=witnesses)
        self.log.grow(count, self.sequencer)

    def note(self) -> bytes:
        """Return what is published."""
        note = self.log.tiles.read(CHECKPOINT)
        assert note is not None
        return note

    def audit(self) -> Audited:
        return audit(self.log.tiles)

    def backup(self, name: str = "kept.backup", **fields: Any) -> Path:
        self.made: Made = make_backup(
            self.url, fields.pop("anchors", self.anchors), self.folder / name, AT - WEEK, **fields
        )
        return self.folder / name

    def restore(
        self, file: Path, *checkpoints: Path, replace: bool = False, seconds: float = 5.0
    ) -> Restored:
        """Stop, restore, and go on with what is there then, whether that worked or not."""
        self.close()
        try:
            request = Request(file, checkpoints, replace)
            return restore(self.settings, self.anchors, request, AT, seconds=seconds)
        finally:
            self.open()

    def contents(self) -> dict[str, Table]:
        """Return every table's rows, in an order of their own; of the log's state what is no lease."""
        with self.engine.connect() as connection:
            tables = {
                table.name: sorted(map(tuple, read_rows(connection, table)), key=repr)
                for table in metadata.sorted_tables
            }
        leases = [[c.name for c in metadata.tables["log_state"].columns].index(n) for n in LEASE]
        tables["log_state"] = [
            tuple(value for n, value in enumerate(row) if n not in leases)
            for row in tables["log_state"]
        ]
        return tables

    def configure(self, **log: str) -> Path:
        """Write what the commands read: settings, trust bundle."""
        save_bundle(self.anchors.bundle, self.folder / "bundle.json")
        lines = [
            f"{name} = {json.dumps(value)}"
            for name, value in {
                "member_id": self.anchors.bundle.exchange_id,
                "trust_bundle": "bundle.json",
                "tls_certificate": "tls.crt",
                "tls_key": "tls.key",
                "signing_key": "signing.key",
                "member_listen": "127.0.0.1:0",
                "public_listen": "127.0.0.1:0",
                "database": self.url,
            }.items()
        ]
        lines += ["[log]", 'signing_key = "log.key"', 'listen = "127.0.0.1:0"']
        lines += [f"{name} = {json.dumps(value)}" for name, value in log.items()]
        for name, url in self.witnesses.items():
            lines += ["[[log.witnesses]]", f'name = "{name}"', f'url = "{url}"']
        path = self.folder / "exchange.toml"
        path.write_text("\n".join(lines), "utf-8")
        return path


LEASE = ("holder", "epoch", "lease_until")
