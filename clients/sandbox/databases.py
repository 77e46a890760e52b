"""A database for each process of a sandbox: a SQLite file, or one of its own on a PostgreSQL server."""

import secrets
from collections.abc import Iterable

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from clients.sandbox.layout import Layout

SQLITE = "sqlite"


class Databases:
    """Names databases, and on a PostgreSQL server makes and drops them."""

    def __init__(self, server: str, layout: Layout, member_ids: Iterable[str]) -> None:
        """``server`` is "sqlite", or the URL of a PostgreSQL database that may make others."""
        self._server = server
        self._layout = layout
        run = secrets.token_hex(4)
        names = (
            {} if self.files else {m: f"sandbox_{run}_{m.replace('-', '_')}" for m in member_ids}
        )
        self._names = names

    @property
    def files(self) -> bool:
        """Whether they are SQLite files."""
        return self._server == SQLITE

    def url(self, member_id: str) -> str:
        """Return what a process's ``database`` setting is to be."""
        if self.files:
            return f"sqlite:///{self._layout.database(member_id).name}"
        return self._url(self._names[member_id]).render_as_string(hide_password=False)

    def create(self) -> None:
        """Make what is not a file."""
        self._run(f'CREATE DATABASE "{name}"' for name in self._names.values())

    def drop(self) -> None:
        """Remove what ``create`` made, whoever is still connected."""
        self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in self._names.values())

    def _url(self, name: str) -> URL:
        return make_url(self._server).set(database=name)

    def _run(self, statements: Iterable[str]) -> None:
        if self.files:
            return
        engine = create_engine(self._server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()
