"""A person asks for its own score: all of it, logged first, and at nobody's expense."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, select

from concordat import v1
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.rpc.errors import name_of
from concordat.statements import digest_of, seal
from concordat.v1 import CalibrationStanding, LogEntryKind, Reason
from concordat.v1 import ProviderOutcomeKind as Kind
from concordat.verify.own_view import VerifiedOwnView, verify_own_view
from concordat.verify.receipt import open_receipt
from exchange.housekeeping import tidy
from exchange.limits.settings import LimitSettings
from exchange.subjects import own_looks
from exchange.tables import access_entry, lender_use, log_opening, own_look, score_count
from exchange.views import provider_link
from tests.builders import DAY, EXCHANGE, PROVIDERS, Federation, Subject, signer
from tests.exchange_builders import ExchangeDesk, stall_own
from tests.exchange_services import ExchangeServices, reason_of
from tests.own_view_builders import own_request, own_statement

ONE, TWO, THREE = PROVIDERS


class Own(ExchangeServices):
    """An exchange, and a person who looks."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(ExchangeDesk(limits=LimitSettings(own_views_per_day=3), **settings))
        self.person = self.federation.subject()

    def request(
        self, request: v1.Envelope | None = None, person: Subject | None = None
    ) -> v1.RequestOwnViewRequest:
        person = person or self.person
        return v1.RequestOwnViewRequest(
            request=request or own_request(self.federation, person), binding=person.binding
        )

    def look(self, asked: v1.RequestOwnViewRequest | None = None) -> v1.RequestOwnViewResponse:
        return self.call(self.subjects.RequestOwnView, asked or self.request())

    def verified(
        self, asked: v1.RequestOwnViewRequest, answer: v1.RequestOwnViewResponse
    ) -> VerifiedOwnView:
        """Verify an answer offline, with the licences and the calibration that it names."""
        directory = self.federation.directory
        view = v1.OwnView.FromString(answer.view.payload)
        licences = {m.licence_digest: m.licence_envelope for m in directory.members()}
        calibration = directory.calibration_by_digest(view.calibration_digest)
        assert calibration is not None
        bundle = v1.OwnViewBundle(
            view=answer.view,
            request=asked.request,
            binding=asked.binding,
            statements=answer.statements,
            licences=[licences[digest] for digest in view.licence_digests],
            calibration=calibration.envelope,
            intent=answer.intent,
            release=answer.release,
        )
        return verify_own_view(bundle, self.federation.anchors)

    def rows(self, table: Table) -> list[Any]:
        return self.desk.store.run(lambda c: list(c.execute(select(table))))

    def kinds(self) -> list[int]:
        """Return the kinds of the entries in the person's chain."""
        of_person = [row for row in self.rows(log_opening) if row.subject_ref == self.person.ref]
        entries = [v1.LogEntry.FromString(row.entry) for row in of_person]
        return [entry.kind for entry in entries]


@pytest.fixture
def own() -> Iterator[Own]:
    own = Own()
    yield own
    own.close()


LOOK, VIEW = LogEntryKind.LOG_ENTRY_KIND_OWN_LOOK, LogEntryKind.LOG_ENTRY_KIND_OWN_VIEW


def test_a_person_gets_the_whole_score_and_can_check_it_offline(own: Own) -> None:
    asked = own.request()
    verified = own.verified(asked, own.look(asked))
    assert verified.score is not None
    assert [part.provider for part in verified.score.contributions] == list(PROVIDERS)
    assert set(verified.statements) == set(PROVIDERS)
    assert verified.score.default_ppm > 0


def test_the_look_is_in_the_log_before_a_provider_hears_of_it_and_the_view_before_it_goes_out(
    own: Own,
) -> None:
    asked = own.request()
    answer = own.look(asked)
    assert own.kinds() == [LOOK, VIEW]
    for _, message in own.desk.links.own_sent:
        logged = open_receipt(message.intent, own.federation.anchors)
        assert logged.record.own_look.request_digest == digest_of(asked.request)
        assert (message.request, message.binding) == (asked.request, asked.binding)
    released = open_receipt(answer.release, own.federation.anchors).record.own_view
    assert released.view_digest == digest_of(answer.view)


def test_nobody_is_asked_while_the_log_is_not_in_order(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_at: object) -> None:
        raise Refusal(Reason.REASON_LOG_UNAVAILABLE)

    monkeypatch.setattr(own.desk.book, "require_open", closed)
    assert reason_of(own.look) == "LOG_UNAVAILABLE"
    assert own.desk.links.own_sent == []


def test_nobody_is_asked_where_the_entry_does_not_get_into_a_checkpoint(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_keys: object, _seconds: float) -> list[Refusal]:
        return [Refusal(Reason.REASON_LOG_UNAVAILABLE)]

    monkeypatch.setattr(own.desk.book, "receipts", never)
    assert reason_of(own.look) == "LOG_UNAVAILABLE"
    assert own.desk.links.own_sent == []


def test_nobody_is_asked_and_nothing_counts_where_no_calibration_is_in_use() -> None:
    own = Own(federation=Federation(calibrated=False))
    try:
        assert reason_of(own.look) == "NO_CALIBRATION"
        assert own.desk.links.own_sent == own.rows(own_look) == own.kinds() == []
    finally:
        own.close()


def test_whose_scores_have_drifted_is_said_to_the_person_too() -> None:
    own = Own()
    try:
        desk = replace(own.desk.own_views, stale=lambda _version: frozenset({TWO}))
        asked = own.request()
        answer = own.call(lambda ask, _: desk.answer(ask, own.federation.at, 5.0), asked)
        stale = CalibrationStanding.CALIBRATION_STANDING_STALE
        view = own.verified(asked, answer).view
        assert [each.provider for each in view.providers if each.calibration == stale] == [TWO]
    finally:
        own.close()


def test_a_freeze_hides_no_score_from_who_placed_it(own: Own) -> None:
    change = v1.FlagChange(
        federation=own.federation.name,
        subject_ref=own.person.ref,
        kind=v1.FlagKind.FLAG_KIND_FREEZE,
        placed=True,
        sequence=1,
    )
    change.decided_at.FromDatetime(own.federation.at)
    freeze = v1.ChangeFlagRequest(
        change=seal(change, own.person.signer), binding=own.person.binding
    )
    assert own.call(own.subjects.ChangeFlag, freeze).flags.frozen
    asked = own.request()
    assert own.verified(asked, own.look(asked)).score is not None


def test_the_same_request_again_is_answered_under_the_same_look(own: Own) -> None:
    asked = own.request()
    views = [v1.OwnView.FromString(own.look(asked).view.payload) for _ in range(5)]
    assert len({view.receipt.access_id for view in views}) == 1
    assert len(own.rows(own_look)) == 1
    assert own.kinds() == [LOOK, *[VIEW] * 5]


def test_another_request_under_a_used_id_is_refused(own: Own) -> None:
    request_id = new_id()
    one = own_request(own.federation, own.person, request_id=request_id)
    other = own_request(own.federation, own.person, request_id=request_id, providers=[ONE])
    own.look(own.request(one))
    assert reason_of(lambda: own.look(own.request(other))) == "REPLAYED_WITH_OTHER_BYTES"


def test_a_persons_looks_are_limited_by_the_day_and_nobody_elses_by_them(own: Own) -> None:
    for _ in range(3):
        own.look()
    with pytest.raises(Refusal) as refused:
        own.look()
    assert name_of(refused.value.reason) == "QUOTA_EXCEEDED"
    assert refused.value.retry_after == DAY
    bob = own.federation.subject("bob")
    own.look(own.request(person=bob))
    own.federation.at += DAY
    own.look()


def test_looks_are_forgotten_when_they_count_no_more(own: Own) -> None:
    own.look()
    own.desk.store.run(lambda c: tidy(c, own.federation.at + DAY))
    assert len(own.rows(own_look)) == 1
    own.desk.store.run(lambda c: tidy(c, own.federation.at + 3 * DAY))
    assert own.rows(own_look) == []


def forged(own: Own) -> v1.RequestOwnViewRequest:
    return own.request(own_request(own.federation, own.person, signed_by="mallory"))


def of_another_person(own: Own) -> v1.RequestOwnViewRequest:
    bob = own.federation.subject("bob")
    return own.request(own_request(own.federation, bob, subject_ref=own.person.ref), bob)


def with_a_binding_of_the_exchanges_own_making(own: Own) -> v1.RequestOwnViewRequest:
    binding = v1.SubjectBinding.FromString(own.person.binding.payload)
    return v1.RequestOwnViewRequest(
        request=own.request().request, binding=seal(binding, signer(EXCHANGE))
    )


def stale(own: Own) -> v1.RequestOwnViewRequest:
    made = own.federation.at - timedelta(hours=1)
    return own.request(own_request(own.federation, own.person, made=made))


FORGED: dict[Callable[[Own], v1.RequestOwnViewRequest], str] = {
    forged: "SIGNATURE_INVALID",
    of_another_person: "BINDING_INVALID",
    with_a_binding_of_the_exchanges_own_making: "SIGNATURE_INVALID",
    stale: "STATEMENT_NOT_FRESH",
}


@pytest.mark.parametrize("make", FORGED, ids=lambda make: make.__name__)
def test_nobody_looks_in_anothers_name(
    own: Own, make: Callable[[Own], v1.RequestOwnViewRequest]
) -> None:
    assert reason_of(lambda: own.look(make(own))) == FORGED[make]
    assert own.desk.links.own_sent == []
    assert own.rows(own_look) == []


def test_a_key_that_was_replaced_sees_nothing(own: Own) -> None:
    own.look(own.request(person=own.federation.subject(version=2)))
    assert reason_of(own.look) == "BINDING_INVALID"


def outcomes(own: Own, **kinds: Any) -> dict[str, str]:
    asked = own.request()
    view = own.verified(asked, own.look(asked)).view
    return {o.provider: Kind.Name(o.kind).rpartition("KIND_")[2] for o in view.providers}


def test_who_stalls_lies_or_refuses_is_missing_and_the_others_are_not(own: Own) -> None:
    async def anothers(message: v1.RequestOwnScoresRequest) -> v1.ScoreResult:
        statement = own_statement(own.federation, TWO, message.request, signed_by=THREE)
        return v1.ScoreResult(statement=statement)

    links = own.desk.links
    links.own_answers = {ONE: stall_own, TWO: anothers}
    assert outcomes(own) == {ONE: "TIMED_OUT", TWO: "INVALID", THREE: "SCORED"}


def test_a_provider_without_a_licence_is_not_asked(own: Own) -> None:
    own.federation.suspend(TWO)
    assert outcomes(own) == {ONE: "SCORED", TWO: "NOT_LICENSED", THREE: "SCORED"}
    assert TWO not in {provider for provider, _ in own.desk.links.own_sent}


def test_people_who_look_keep_no_lender_from_its_answer(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_link, "MAX_OWN_CALLS", 0)
    assert set(outcomes(own).values()) == {"UNREACHABLE"}
    granted = own.desk.grant(own.person)
    assert isinstance(own.desk.ask(granted), v1.RequestViewResponse)


def test_own_looks_feed_no_score_no_limit_no_signal_and_no_count(own: Own) -> None:
    """R27: no retaliation."""

    def lent() -> v1.View:
        answer = own.desk.ask(own.desk.grant(own.person))
        assert isinstance(answer, v1.RequestViewResponse)
        return v1.View.FromString(answer.view.payload)

    before = lent()
    counted = [own.rows(table) for table in (lender_use, access_entry, score_count)]
    for _ in range(3):
        own.look()
    assert [own.rows(table) for table in (lender_use, access_entry, score_count)] == counted
    assert lent().complete == before.complete


def test_nothing_of_a_score_is_kept(own: Own) -> None:
    own.look()
    (row,) = own.rows(own_look)
    assert set(row._mapping) == {
        *("subject_ref", "request_id", "request_digest", "look_id", "recorded_at", "answers")
    }


def test_two_requests_at_once_are_two_looks(own: Own) -> None:
    async def both() -> list[v1.RequestOwnViewResponse]:
        own.let_in()
        asks = [own.subjects.RequestOwnView(own.request(), None) for _ in range(2)]  # type: ignore[arg-type]
        return await asyncio.gather(*asks)

    answers = asyncio.run(both())
    looks = {v1.OwnView.FromString(answer.view.payload).receipt.access_id for answer in answers}
    assert len(looks) == len(own.rows(own_look)) == 2


def test_a_day_of_looks_is_twenty_four_hours() -> None:
    assert own_looks.DAY == DAY
    assert LimitSettings().own_views_per_day == 10
