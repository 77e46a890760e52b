"""The node's own scores."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select

from provider.scores import Score, split_reasons
from provider.store.bulk import Lookup, among
from provider.store.upsert import BulkInsert, Insert
from provider.tables import SCORE


def read(connection: Connection, subject_refs: Sequence[bytes]) -> dict[bytes, Score]:
    """Return the scores of those subjects that have one; at most 16,384 subjects at once."""
    rows = _READ.run(connection, subject_refs)
    return {
        ref: Score(score, as_of, model, split_reasons(reasons))
        for ref, score, as_of, model, reasons in rows
    }


def put(connection: Connection, scores: Mapping[bytes, Score]) -> None:
    """Keep scores; one that is not newer than what stands there changes nothing."""
    rows = [
        (ref, score.score, score.as_of, score.model_version, ";".join(score.reasons))
        for ref, score in scores.items()
    ]
    _PUT.run(connection, rows)


def count(connection: Connection) -> int:
    """Return how many subjects have a score."""
    return connection.execute(select(func.count()).select_from(SCORE)).scalar_one()


_READ = Lookup(
    lambda size: select(
        SCORE.c.subject_ref, SCORE.c.score, SCORE.c.as_of, SCORE.c.model_version, SCORE.c.reasons
    ).where(among(SCORE.c.subject_ref, size))
)


def _keep_newer(insert: Insert) -> Insert:
    new = insert.excluded
    changed = {name: new[name] for name in ("score", "as_of", "model_version", "reasons")}
    return insert.on_conflict_do_update(
        index_elements=["subject_ref"], set_=changed, where=SCORE.c.as_of < new.as_of
    )


_PUT = BulkInsert(SCORE, _keep_newer)
