"""Scores read in place from the provider's existing database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Engine, bindparam, create_engine, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from concordat.refusal import Refusal
from concordat.store.engine import StoreError
from provider.scores import SUBJECT_REF_BYTES, Found, Score, failed, score_of
from provider.settings import ScoresSettings

COLUMNS = ("subject_ref", "score", "as_of", "model_version", "reasons")

_log = structlog.get_logger("concordat.scores")


class QuerySource:
    """Runs the settings' query, once for all subjects of a batch. Never writes."""

    def __init__(self, settings: ScoresSettings, threads: int = 4) -> None:
        """Prepare the engine and the statement; nothing is connected yet."""
        self._hex = settings.subject_ref_format == "hex"
        self._query = text(settings.query).bindparams(bindparam("subject_refs", expanding=True))
        self._engine = _engine(settings.url, threads)

    def read(self, subject_refs: Sequence[bytes], at: datetime) -> Found:
        """Return what the database holds of these subjects; its failure is every subject's refusal.

        A row with a NULL score is no record. Two rows for one subject are nobody's score.
        """
        try:
            rows = self.rows(subject_refs)
        except Exception as error:  # noqa: BLE001 - foreign drivers raise what they like
            _log.error("score_query_failed", error=type(error).__name__, detail=str(error)[:300])
            refusal = failed(f"the score query failed: {type(error).__name__}")
            return dict.fromkeys(subject_refs, refusal)
        found: dict[bytes, Score | Refusal] = {}
        seen: set[bytes] = set()
        for row in rows:
            ref = self._ref(row.subject_ref)
            if ref in seen:
                found[ref] = failed("the score query returned a subject twice")
            elif row.score is not None:
                found[ref] = _read(row, at)
            seen.add(ref)
        return found

    def rows(self, subject_refs: Sequence[bytes]) -> Sequence[Any]:
        """Run the query; raises ``SQLAlchemyError``, also where a column is missing."""
        keys = [ref.hex() for ref in subject_refs] if self._hex else list(subject_refs)
        with self._engine.connect() as connection:
            result = connection.execute(self._query, {"subject_refs": keys})
            missing = set(COLUMNS) - set(result.keys())
            if missing:
                raise SQLAlchemyError(f"the query returns no column {', '.join(sorted(missing))}")
            return result.all()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _ref(self, value: Any) -> bytes:
        """Return a row's subject; a value that is none matches no subject that was asked for."""
        if self._hex and isinstance(value, str) and len(value) == 2 * SUBJECT_REF_BYTES:
            try:
                return bytes.fromhex(value)
            except ValueError:
                return b""
        return bytes(value) if isinstance(value, bytes | memoryview) else b""


def _read(row: Any, at: datetime) -> Score | Refusal:
    try:
        return score_of(row, at)
    except Refusal as refusal:
        return refusal


def _engine(url: str, threads: int) -> Engine:
    try:
        return _created(url, threads)
    except (ArgumentError, ModuleNotFoundError) as error:
        raise StoreError(f"scores.url cannot be used: {error}") from error


def _created(url: str, threads: int) -> Engine:
    if url.startswith("sqlite"):
        return create_engine(url, connect_args={"check_same_thread": False})
    return create_engine(url, pool_size=threads, pool_pre_ping=True, pool_timeout=5)
