"""A provider's desk over a real database in a temporary folder, and the federation around it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from concordat import v1
from concordat.store.engine import migrate, open_engine
from concordat.store.group_commit import GroupCommit
from provider.answering import Desk
from provider.migrations import SCRIPTS
from provider.notices import NoticeBoard
from provider.scores import Score, ScoreSource
from provider.store import scores
from provider.tables import ACCESS
from tests.bent_requests import STATUS_MAX_AGE
from tests.builders import EXCHANGE, PROVIDERS, Federation, Granted, Subject, signer

SELF = PROVIDERS[0]
MAX_AGE = STATUS_MAX_AGE


@pytest.fixture
def federation() -> Federation:
    return Federation()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path}/provider.db")
    migrate(engine, SCRIPTS)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> Iterator[GroupCommit]:
    store = GroupCommit(engine)
    yield store
    store.close()


@dataclass
class Bench:
    """A desk, its store, and what a test wants to know of them."""

    federation: Federation
    store: GroupCommit
    desk: Desk
    board: NoticeBoard

    def answer(self, *asks: v1.ScoreRequest, at: datetime | None = None) -> list[v1.ScoreResult]:
        exchange = self.federation.member(EXCHANGE)
        return self.desk.answer(asks, exchange, at or self.federation.at)

    def put(self, person: Subject, score: int = 700) -> None:
        row = Score(score, 1_700_000_000_000_000, "model-1", ("BK01", "BK02"))
        self.store.run(lambda c: scores.put(c, {person.ref: row}))

    def journal(self) -> list[tuple[int, int, str | None]]:
        columns = select(ACCESS.c.outcome, ACCESS.c.reason, ACCESS.c.lender).order_by(ACCESS.c.at)
        return self.store.run(lambda c: [(o, r, n) for o, r, n in c.execute(columns)])

    def notify(
        self,
        granted: Granted,
        kind: v1.ConsentEventKind.ValueType,
        sequence: int = 1,
    ) -> int:
        notice = v1.NotifyConsentEventRequest(
            event=self.federation.consent_event(granted, kind, sequence),
            consent=granted.envelope,
            binding=granted.person.binding,
        )
        return self.board.take(notice, self.federation.at)


def make_bench(
    federation: Federation, store: GroupCommit, source: ScoreSource | None = None
) -> Bench:
    desk = Desk(
        member_id=SELF,
        signer=signer(SELF),
        directory=federation.directory,
        store=store,
        source=source,
        status_max_age=MAX_AGE,
    )
    return Bench(federation, store, desk, NoticeBoard(SELF, federation.anchors, store))


@pytest.fixture
def bench(federation: Federation, store: GroupCommit) -> Bench:
    return make_bench(federation, store)


def reasons(results: Sequence[v1.ScoreResult]) -> list[str]:
    """Return each result's refusal without its prefix, or "" for a statement."""
    return [
        v1.Reason.Name(r.refusal.reason).removeprefix("REASON_") if r.HasField("refusal") else ""
        for r in results
    ]
