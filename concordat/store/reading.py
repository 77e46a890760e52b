"""Looking into a database beside the process that runs on it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import SQLAlchemyError

from concordat.store.engine import StoreError, open_engine
from concordat.store.exclusive import sqlite_file


@contextmanager
def opened_to_read(url: str) -> Iterator[Connection]:
    """Open the database to read, beside a running process; raise ``StoreError`` if that can't be.

    SQLite is opened read-only, so that it can neither write nor move the write-ahead log, and a file
    that is not there is not made.
    """
    file = sqlite_file(url)
    if file is not None and not file.is_file():
        raise StoreError(f"there is no database {file.name}: run init first")
    engine = (
        open_engine(url)
        if file is None
        else create_engine(f"sqlite:///file:{file}?mode=ro&uri=true")
    )
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise StoreError(f"the database does not answer: {type(error).__name__}") from error
    finally:
        engine.dispose()
