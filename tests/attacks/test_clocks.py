"""Clocks that differ: two minutes are tolerated, ten are not, and no end is moved by either.

The minutes stand here as the promise has them, not as the code's constant: were that changed, this fails.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.store.engine import migrate
from concordat.store.group_commit import GroupCommit
from concordat.v1 import Reason, Role
from provider.answering import Desk
from provider.migrations import SCRIPTS
from provider.notices import NoticeBoard
from provider.settings import ConsentSettings
from tests.builders import AT, EXCHANGE, LENDER, PROVIDERS, Granted, signer
from tests.exchange_services import ExchangeServices, reason_of, subject_request
from tests.vault_builders import exchange_engine

SELF = PROVIDERS[0]
PAUSE = v1.ConsentEventKind.CONSENT_EVENT_KIND_PAUSE
MINUTE = timedelta(minutes=1)


def named(reason: Reason.ValueType) -> str:
    """Return a reason without its prefix, "" for none."""
    return Reason.Name(reason).removeprefix("REASON_") if reason else ""


def of_self(view: v1.View) -> str:
    """Return why a view is without the provider's score."""
    (outcome,) = (one for one in view.providers if one.provider == SELF)
    return named(outcome.reason)


class Parties:
    """An exchange and a provider whose clocks stand at ``AT``, as their settings are by default."""

    def __init__(self) -> None:
        self.services = ExchangeServices()
        self.federation = self.services.federation
        self._engine = exchange_engine("sqlite://")
        migrate(self._engine, SCRIPTS)
        self._store = GroupCommit(self._engine)
        self.board = NoticeBoard(SELF, self.federation.anchors, self._store)
        self._provider = Desk(
            member_id=SELF,
            signer=signer(SELF),
            directory=self.federation.directory,
            store=self._store,
            status_max_age=timedelta(seconds=ConsentSettings().status_max_age_seconds),
        )

    def granted(self, **fields: object) -> Granted:
        """Return a consent that is on no record yet."""
        return self.federation.consent(self.federation.subject(), **fields)

    def view(self, granted: Granted, request: v1.Envelope | None = None) -> str:
        """Grant a consent, if it can be, and ask for a view under it; return why that is refused."""
        reason_of(lambda: self.services.grant(granted))
        ask = self.federation.ask(granted, request)
        return reason_of(lambda: self.services.call(self.services.views.RequestView, ask, LENDER))

    def score(
        self,
        granted: Granted,
        request: v1.Envelope | None = None,
        status: v1.Envelope | None = None,
    ) -> str:
        """Ask the provider for a score; return why it refuses."""
        ask = self.federation.score_request(granted, request, status)
        (result,) = self._provider.answer([ask], self.federation.member(EXCHANGE), AT)
        return named(result.refusal.reason)

    def close(self) -> None:
        self._store.close()
        self._engine.dispose()
        self.services.close()


@pytest.fixture
def parties() -> Iterator[Parties]:
    parties = Parties()
    yield parties
    parties.close()


# What another's clock may say --------------------------------------------------------------------


def request_at(parties: Parties, granted: Granted, ahead: timedelta) -> v1.Envelope:
    """Return a request of a lender whose clock is ``ahead``, good for a minute of its time."""
    made, end = to_timestamp(AT + ahead), to_timestamp(AT + ahead + MINUTE)
    return parties.federation.view_request(granted, issued_at=made, expires_at=end)


def view_request_at_the_exchange(parties: Parties, ahead: timedelta) -> str:
    granted = parties.granted()
    return parties.view(granted, request_at(parties, granted, ahead))


def view_request_at_the_provider(parties: Parties, ahead: timedelta) -> str:
    granted = parties.granted()
    return parties.score(granted, request_at(parties, granted, ahead))


def subject_request_at_the_exchange(parties: Parties, ahead: timedelta) -> str:
    person = parties.federation.subject()
    asked = subject_request(parties.federation, person, made=AT + ahead)
    return reason_of(lambda: parties.services.page(person, asked))


def consent_status_at_the_provider(parties: Parties, ahead: timedelta) -> str:
    granted = parties.granted()
    made = to_timestamp(AT + ahead)
    status = parties.federation.consent_status(granted, issued_at=made)
    return parties.score(granted, status=status)


def score_statement_at_the_exchange(parties: Parties, ahead: timedelta) -> str:
    desk, granted = parties.services.desk, parties.services.desk.grant()
    made = to_timestamp(AT + ahead)

    async def answer(message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        (one,) = message.requests
        statement = parties.federation.score_statement(SELF, one.view_request, issued_at=made)
        return [v1.ScoreResult(statement=statement)]

    desk.links.answers[SELF] = answer
    request = parties.federation.view_request(granted)
    view = desk.verify(granted, request, desk.ask(granted, request)).view
    return of_self(view)


def consent_start_as_it_is_granted(parties: Parties, ahead: timedelta) -> str:
    granted = parties.granted(valid_from=to_timestamp(AT + ahead))
    return reason_of(lambda: parties.services.grant(granted))


def consent_start_at_the_exchange(parties: Parties, ahead: timedelta) -> str:
    return parties.view(parties.granted(valid_from=to_timestamp(AT + ahead)))


def consent_start_at_the_provider(parties: Parties, ahead: timedelta) -> str:
    return parties.score(parties.granted(valid_from=to_timestamp(AT + ahead)))


def bound_from(parties: Parties, ahead: timedelta) -> Granted:
    person = parties.federation.subject(not_before=to_timestamp(AT + ahead))
    return parties.federation.consent(person)


def binding_start_as_a_consent_is_granted(parties: Parties, ahead: timedelta) -> str:
    return reason_of(lambda: parties.services.grant(bound_from(parties, ahead)))


def binding_start_at_the_exchange(parties: Parties, ahead: timedelta) -> str:
    return parties.view(bound_from(parties, ahead))


def binding_start_at_the_provider(parties: Parties, ahead: timedelta) -> str:
    return parties.score(bound_from(parties, ahead))


def consent_event_at_the_exchange(parties: Parties, ahead: timedelta) -> str:
    granted, decided = parties.services.desk.grant(), to_timestamp(AT + ahead)
    event = parties.federation.consent_event(granted, PAUSE, decided_at=decided)
    return reason_of(lambda: parties.services.tell(event, granted.person))


def consent_event_at_the_provider(parties: Parties, ahead: timedelta) -> str:
    granted, decided = parties.granted(), to_timestamp(AT + ahead)
    notice = v1.NotifyConsentEventRequest(
        event=parties.federation.consent_event(granted, PAUSE, decided_at=decided),
        consent=granted.envelope,
        binding=granted.person.binding,
    )
    return reason_of(lambda: parties.board.take(notice, AT))


def licence_start(parties: Parties, ahead: timedelta) -> str:
    parties.federation.enrol(
        LENDER, Role.ROLE_LENDER, version=2, not_before=to_timestamp(AT + ahead)
    )
    return parties.score(parties.granted())


Try = Callable[[Parties, timedelta], str]

# What happens at one moment is refused where it lies ten minutes to either side of it.
MOMENTS: dict[Try, str] = {
    view_request_at_the_exchange: "STATEMENT_NOT_FRESH",
    view_request_at_the_provider: "STATEMENT_NOT_FRESH",
    subject_request_at_the_exchange: "STATEMENT_NOT_FRESH",
    consent_status_at_the_provider: "CONSENT_STATUS_STALE",
    score_statement_at_the_exchange: "PROVIDER_ANSWER_INVALID",
}
# What holds from a moment on is refused only before it. An event may be delivered late: a wallet repeats
# one until everybody heard of it.
STARTS: dict[Try, str] = {
    consent_start_as_it_is_granted: "CONSENT_EXPIRED",
    consent_start_at_the_exchange: "CONSENT_EXPIRED",
    consent_start_at_the_provider: "CONSENT_EXPIRED",
    binding_start_as_a_consent_is_granted: "BINDING_INVALID",
    binding_start_at_the_exchange: "BINDING_INVALID",
    binding_start_at_the_provider: "BINDING_INVALID",
    consent_event_at_the_exchange: "STATEMENT_NOT_FRESH",
    consent_event_at_the_provider: "STATEMENT_NOT_FRESH",
    licence_start: "LICENCE_NOT_IN_FORCE",
}


@pytest.mark.parametrize("minutes", [-10, -2, 2, 10])
@pytest.mark.parametrize("case", [*MOMENTS, *STARTS], ids=lambda case: case.__name__)
def test_two_minutes_are_tolerated_and_ten_refused(
    parties: Parties, case: Try, minutes: int
) -> None:
    refused = {-10: MOMENTS.get(case, ""), 10: MOMENTS.get(case) or STARTS.get(case, "")}
    assert case(parties, timedelta(minutes=minutes)) == refused.get(minutes, "")


# What no clock moves -----------------------------------------------------------------------------


def consent_end_as_it_is_granted(parties: Parties, left: timedelta) -> str:
    granted = parties.granted(valid_until=to_timestamp(AT + left))
    return reason_of(lambda: parties.services.grant(granted))


def consent_end_at_the_exchange(parties: Parties, left: timedelta) -> str:
    return parties.view(parties.granted(valid_until=to_timestamp(AT + left)))


def consent_end_at_the_provider(parties: Parties, left: timedelta) -> str:
    return parties.score(parties.granted(valid_until=to_timestamp(AT + left)))


def bound_until(parties: Parties, left: timedelta) -> Granted:
    person = parties.federation.subject(not_after=to_timestamp(AT + left))
    return parties.federation.consent(person)


def binding_end_as_a_consent_is_granted(parties: Parties, left: timedelta) -> str:
    return reason_of(lambda: parties.services.grant(bound_until(parties, left)))


def binding_end_at_the_exchange(parties: Parties, left: timedelta) -> str:
    return parties.view(bound_until(parties, left))


def binding_end_at_the_provider(parties: Parties, left: timedelta) -> str:
    return parties.score(bound_until(parties, left))


def lenders_licence_end_at_the_provider(parties: Parties, left: timedelta) -> str:
    end = to_timestamp(AT + left)
    parties.federation.enrol(LENDER, Role.ROLE_LENDER, version=2, not_after=end)
    return parties.score(parties.granted())


def callers_licence_end_in_the_directory(parties: Parties, left: timedelta) -> str:
    end = to_timestamp(AT + left)
    parties.federation.enrol(LENDER, Role.ROLE_LENDER, version=2, not_after=end)
    directory = parties.federation.directory
    return reason_of(lambda: directory.require(LENDER, AT, Role.ROLE_LENDER))


def providers_licence_end_at_the_exchange(parties: Parties, left: timedelta) -> str:
    end = to_timestamp(AT + left)
    parties.federation.enrol(SELF, Role.ROLE_PROVIDER, version=2, not_after=end)
    desk = parties.services.desk
    granted = desk.grant()
    request = parties.federation.view_request(granted)
    return of_self(desk.verify(granted, request, desk.ask(granted, request)).view)


ENDS: dict[Try, str] = {
    consent_end_as_it_is_granted: "CONSENT_EXPIRED",
    consent_end_at_the_exchange: "CONSENT_EXPIRED",
    consent_end_at_the_provider: "CONSENT_EXPIRED",
    binding_end_as_a_consent_is_granted: "BINDING_INVALID",
    binding_end_at_the_exchange: "BINDING_INVALID",
    binding_end_at_the_provider: "BINDING_INVALID",
    lenders_licence_end_at_the_provider: "LICENCE_NOT_IN_FORCE",
    callers_licence_end_in_the_directory: "LICENCE_NOT_IN_FORCE",
    providers_licence_end_at_the_exchange: "LICENCE_NOT_IN_FORCE",
}


@pytest.mark.parametrize("case", ENDS, ids=lambda case: case.__name__)
def test_an_end_is_exact(parties: Parties, case: Try) -> None:
    assert case(parties, timedelta(microseconds=1)) == ""


@pytest.mark.parametrize("case", ENDS, ids=lambda case: case.__name__)
def test_an_end_that_has_come_is_final(parties: Parties, case: Try) -> None:
    assert case(parties, timedelta()) == ENDS[case]
