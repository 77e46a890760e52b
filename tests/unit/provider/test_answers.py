"""What the desk answers to an exchange that may lie, err, or repeat itself."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.directory import open_licence
from concordat.refusal import Refusal
from concordat.statements import digest_of
from concordat.store.group_commit import GroupCommit
from concordat.verify.request import open_score_statement, open_view_request
from provider.scores import Found, Score
from provider.store import clock_mark
from provider.store.journal import Outcome
from provider.tables import ACCESS
from tests.bent_requests import BENT, MINUTE, Bent
from tests.builders import AT, EXCHANGE, LENDER, PROVIDERS, Federation, scale
from tests.unit.provider.conftest import MAX_AGE, SELF, Bench, make_bench, reasons

PAUSE = v1.ConsentEventKind.CONSENT_EVENT_KIND_PAUSE
RESUME = v1.ConsentEventKind.CONSENT_EVENT_KIND_RESUME
REVOKE = v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE


def test_a_lawful_request_gets_a_statement_that_verifies(bench: Bench) -> None:
    federation = bench.federation
    person = federation.subject()
    bench.put(person, 712)
    request = federation.score_request(federation.consent(person))
    [result] = bench.answer(request)
    opened = open_view_request(
        request.view_request, federation.member(LENDER), federation.anchors, federation.at
    )
    statement = open_score_statement(
        result.statement, federation.member(SELF), opened, federation.anchors, federation.at
    ).message
    assert (statement.score, list(statement.reasons)) == (712, ["BK01", "BK02"])
    assert statement.model_version == "model-1"


def test_every_statement_of_a_batch_verifies_alone_and_in_order(bench: Bench) -> None:
    federation = bench.federation
    people = [federation.subject(f"p{n}") for n in range(9)]
    for n, person in enumerate(people[:8]):
        bench.put(person, 400 + n)
    asks = [federation.score_request(federation.consent(person)) for person in people]
    for n, (ask, result) in enumerate(zip(asks, bench.answer(*asks), strict=True)):
        opened = open_view_request(
            ask.view_request, federation.member(LENDER), federation.anchors, federation.at
        )
        statement = open_score_statement(
            result.statement, federation.member(SELF), opened, federation.anchors, federation.at
        ).message
        if n < 8:
            assert statement.score == 400 + n
        else:
            assert statement.absence == v1.Absence.ABSENCE_NO_RECORD


@pytest.mark.parametrize("bent", BENT, ids=lambda bent: bent.name)
def test_the_provider_refuses_by_itself(bench: Bench, bent: Bent) -> None:
    federation = bench.federation
    person = federation.subject()
    bench.put(person)
    good = federation.score_request(federation.consent(federation.subject("bob")))
    results = bench.answer(bent.bend(federation, federation.consent(person)), good)
    refused, answered = reasons(results)
    assert refused == bent.by_provider
    if refused != "MEMBER_SUSPENDED":
        assert answered == "", "one bad item refuses no other"


def test_a_revocation_known_only_here_refuses_though_the_exchange_says_active(
    bench: Bench,
) -> None:
    granted = bench.federation.consent(bench.federation.subject())
    bench.notify(granted, REVOKE)
    assert reasons(bench.answer(bench.federation.score_request(granted))) == ["CONSENT_REVOKED"]


def test_a_pause_holds_until_resumed_and_an_old_resumption_is_no_use(bench: Bench) -> None:
    federation = bench.federation
    granted = federation.periodic(federation.subject(), uses=5)
    assert bench.notify(granted, PAUSE, 2) == 2
    assert bench.notify(granted, RESUME, 1) == 2
    assert reasons(bench.answer(federation.score_request(granted))) == ["CONSENT_PAUSED"]
    assert bench.notify(granted, RESUME, 3) == 3
    assert reasons(bench.answer(federation.score_request(granted))) == [""]


def test_a_binding_older_than_one_seen_here_is_refused(bench: Bench) -> None:
    federation = bench.federation
    newer = federation.consent(federation.subject(version=2))
    status = federation.consent_status(newer, binding_version=2)
    assert reasons(bench.answer(federation.score_request(newer, status=status))) == [""]
    older = federation.consent(federation.subject(version=1))
    assert reasons(bench.answer(federation.score_request(older))) == ["BINDING_INVALID"]


# Uses -------------------------------------------------------------------------------------------


def test_uses_are_counted_here_whatever_the_exchange_says(bench: Bench) -> None:
    federation = bench.federation
    granted = federation.consent(federation.subject())
    assert reasons(bench.answer(federation.score_request(granted))) == [""]
    assert reasons(bench.answer(federation.score_request(granted))) == ["CONSENT_EXHAUSTED"]


def test_a_repeat_is_answered_again_and_counted_once(bench: Bench) -> None:
    granted = bench.federation.consent(bench.federation.subject())
    ask = bench.federation.score_request(granted)
    for _ in range(3):
        assert reasons(bench.answer(ask)) == [""]
    assert len(bench.journal()) == 1


def test_64_copies_in_one_batch_count_once(bench: Bench) -> None:
    federation = bench.federation
    granted = federation.periodic(federation.subject(), uses=2, max_uses=2)
    ask = federation.score_request(granted)
    assert reasons(bench.answer(*[ask] * 64)) == [""] * 64
    one_more, too_many = (federation.score_request(granted) for _ in range(2))
    assert reasons(bench.answer(one_more, too_many)) == ["", "CONSENT_EXHAUSTED"]


def at_once(bench: Bench, asks: Sequence[v1.ScoreRequest]) -> list[str]:
    """Have a node's several threads answer as many calls at the same time."""
    threads = 8
    start = Barrier(threads)

    def call(ask: v1.ScoreRequest) -> list[str]:
        return reasons(bench.answer(ask))

    with ThreadPoolExecutor(threads, initializer=start.wait) as pool:
        return [reason for answered in pool.map(call, asks) for reason in answered]


def test_64_copies_in_as_many_calls_at_once_count_once(bench: Bench) -> None:
    federation = bench.federation
    granted = federation.consent(federation.subject())
    assert at_once(bench, [federation.score_request(granted)] * 64) == [""] * 64
    assert len(bench.journal()) == 1
    assert reasons(bench.answer(federation.score_request(granted))) == ["CONSENT_EXHAUSTED"]


def test_64_requests_in_as_many_calls_at_once_use_no_more_than_max_uses(bench: Bench) -> None:
    federation = bench.federation
    granted = federation.periodic(federation.subject(), uses=100, max_uses=7)
    answered = at_once(bench, [federation.score_request(granted) for _ in range(64)])
    assert sorted(answered) == [""] * 7 + ["CONSENT_EXHAUSTED"] * 57
    assert sum(outcome == Outcome.NO_RECORD for outcome, _, _ in bench.journal()) == 7


def test_the_same_id_with_other_bytes_is_refused(bench: Bench) -> None:
    federation = bench.federation
    granted = federation.periodic(federation.subject(), uses=5)
    first, second = (
        federation.view_request(granted, request_id=b"1" * 16, expires_at=to_timestamp(AT + end))
        for end in (MINUTE, 2 * MINUTE)
    )
    results = bench.answer(
        federation.score_request(granted, first), federation.score_request(granted, second)
    )
    assert reasons(results) == ["", "REPLAYED_WITH_OTHER_BYTES"]
    assert reasons(bench.answer(federation.score_request(granted, second))) == [
        "REPLAYED_WITH_OTHER_BYTES"
    ]


def test_frequency_counts_in_a_sliding_window(federation: Federation, store: GroupCommit) -> None:
    start = federation.at
    granted = federation.periodic(federation.subject(), uses=2)
    bench = make_bench(federation, store)

    def ask(hours: int) -> list[str]:
        federation.at = start + timedelta(hours=hours)
        return reasons(bench.answer(federation.score_request(granted)))

    assert ask(0) == [""]
    assert ask(20) == [""]
    assert ask(23) == ["CONSENT_TOO_FREQUENT"]
    assert ask(24) == [""], "the first is no longer in the window"
    assert ask(43) == ["CONSENT_TOO_FREQUENT"]


def test_an_account_review_is_asked_at_most_quarterly(bench: Bench) -> None:
    federation = bench.federation
    granted = federation.consent(
        federation.subject(),
        purpose=v1.Purpose.PURPOSE_ACCOUNT_REVIEW,
        mode=v1.ConsentMode.CONSENT_MODE_PERIODIC,
        frequency=v1.Frequency(uses=1, period=v1.Period.PERIOD_QUARTER),
        max_uses=4,
    )
    assert reasons(bench.answer(federation.score_request(granted))) == [""]
    assert reasons(bench.answer(federation.score_request(granted))) == ["CONSENT_TOO_FREQUENT"]


def test_a_refused_attempt_is_no_use(bench: Bench) -> None:
    federation = bench.federation
    granted = federation.consent(federation.subject())
    stale = federation.consent_status(granted, issued_at=to_timestamp(AT - MAX_AGE))
    request = federation.view_request(granted)
    refused = bench.answer(federation.score_request(granted, request, stale))
    assert reasons(refused) == ["CONSENT_STATUS_STALE"]
    assert reasons(bench.answer(federation.score_request(granted, request))) == [""]
    assert [outcome for outcome, _, _ in bench.journal()] == [Outcome.NO_RECORD]


# The journal ------------------------------------------------------------------------------------


def test_refused_attempts_are_on_record_and_a_forgery_accuses_nobody(bench: Bench) -> None:
    federation = bench.federation
    granted = federation.consent(federation.subject(), providers=[PROVIDERS[1]])
    forged = federation.view_request(granted, signed_by=EXCHANGE)
    bench.answer(federation.score_request(granted), federation.score_request(granted, forged))
    assert sorted(bench.journal(), key=str) == sorted(
        [
            (Outcome.REFUSED, v1.Reason.REASON_PROVIDER_NOT_NAMED, LENDER),
            (Outcome.REFUSED, v1.Reason.REASON_SIGNATURE_INVALID, None),
        ],
        key=str,
    )


def test_a_failing_journal_releases_nothing(bench: Bench, engine: Engine) -> None:
    federation = bench.federation
    person = federation.subject()
    bench.put(person)
    good = federation.score_request(federation.consent(person))
    bad = federation.score_request(
        federation.consent(federation.subject("bob"), providers=[PROVIDERS[1]])
    )

    def fail(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("INSERT INTO access"):
            raise OperationalError(statement, None, OSError("disk full"))

    event.listen(engine, "before_cursor_execute", fail)
    assert reasons(bench.answer(good, bad)) == ["SCORE_STORE_FAILED", "PROVIDER_NOT_NAMED"]
    event.remove(engine, "before_cursor_execute", fail)
    assert bench.journal() == []
    assert reasons(bench.answer(good)) == [""]


# Own licence and own scores ---------------------------------------------------------------------


def test_a_score_outside_the_licensed_scale_is_not_stated(bench: Bench) -> None:
    federation = bench.federation
    asks = []
    for score in (299, 300, 850, 851):
        person = federation.subject(f"scored-{score}")
        bench.put(person, score)
        asks.append(federation.score_request(federation.consent(person)))
    out = "SCORE_OUT_OF_SCALE"
    assert reasons(bench.answer(*asks)) == [out, "", "", out]


def test_a_new_licence_with_another_scale_holds_at_once(bench: Bench) -> None:
    federation = bench.federation
    person = federation.subject()
    bench.put(person, 700)
    federation.enrol(SELF, v1.Role.ROLE_PROVIDER, version=2, score_scale=scale(0, 100))
    ask = federation.score_request(federation.consent(person))
    assert reasons(bench.answer(ask)) == ["SCORE_OUT_OF_SCALE"]


def test_a_suspended_provider_answers_nobody(bench: Bench) -> None:
    federation = bench.federation
    federation.suspend(SELF)
    with pytest.raises(Refusal, match="MEMBER_SUSPENDED"):
        bench.answer(federation.score_request(federation.consent(federation.subject())))


def test_a_key_that_is_not_in_the_licence_signs_nothing(bench: Bench) -> None:
    federation = bench.federation
    keys = open_licence(
        federation.licence("other", v1.Role.ROLE_PROVIDER), federation.anchors, federation.at
    ).licence.keys
    federation.enrol(SELF, v1.Role.ROLE_PROVIDER, version=2, keys=keys)
    with pytest.raises(Refusal, match="LICENCE_NOT_IN_FORCE"):
        bench.answer(federation.score_request(federation.consent(federation.subject())))


class Outside:
    """A score source that answers as a test says."""

    def __init__(self, answer: Score | Refusal) -> None:
        self.answer = answer
        self.reads = 0

    def read(self, subject_refs: Sequence[bytes], at: datetime) -> Found:
        self.reads += 1
        return dict.fromkeys(subject_refs, self.answer)


def test_a_score_from_outside_with_an_unlicensed_reason_is_not_stated(
    federation: Federation, store: GroupCommit
) -> None:
    bench = make_bench(federation, store, Outside(Score(700, 0, "m", ("ZZ99",))))
    ask = federation.score_request(federation.consent(federation.subject()))
    assert reasons(bench.answer(ask)) == ["SCORE_STORE_FAILED"]


def test_scores_from_outside_are_read_once_a_batch_and_only_for_checked_requests(
    federation: Federation, store: GroupCommit
) -> None:
    source = Outside(Score(700, 0, "m", ()))
    bench = make_bench(federation, store, source)
    asks = [
        federation.score_request(federation.consent(federation.subject(f"n{n}"))) for n in range(5)
    ]
    assert reasons(bench.answer(*asks)) == [""] * 5
    assert source.reads == 1
    refused = federation.consent(federation.subject(), providers=[PROVIDERS[1]])
    bench.answer(federation.score_request(refused))
    assert source.reads == 1


def test_the_time_is_on_record_and_never_goes_back(bench: Bench) -> None:
    federation = bench.federation
    ask = federation.score_request(federation.consent(federation.subject()))
    bench.answer(ask)
    bench.answer(ask, at=federation.at + 2 * MINUTE)
    bench.store.run(lambda c: clock_mark.advance(c, federation.at - MINUTE))
    assert bench.store.run(clock_mark.read) == federation.at + 2 * MINUTE


def test_the_journal_has_a_digest_for_each_release(bench: Bench) -> None:
    ask = bench.federation.score_request(bench.federation.consent(bench.federation.subject()))
    [result] = bench.answer(ask)
    [digest] = bench.store.run(lambda c: list(c.execute(ACCESS.select()).mappings().all()))
    assert digest["statement_digest"] == digest_of(result.statement)
