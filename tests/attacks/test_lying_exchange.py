"""An exchange that lies: a real provider's desk, over its real store, refuses it alone."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from concordat import v1
from concordat.clock import to_timestamp
from concordat.statements import seal
from concordat.store.engine import migrate
from concordat.store.group_commit import GroupCommit
from concordat.v1 import Reason
from provider.answering import Desk
from provider.migrations import SCRIPTS
from provider.notices import NoticeBoard
from tests.builders import AT, DAY, EXCHANGE, LENDER, PROVIDERS, Federation, Granted, signer
from tests.vault_builders import exchange_engine

SELF, ANOTHER, _ = PROVIDERS
REVOKE = v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE
PAUSE = v1.ConsentEventKind.CONSENT_EVENT_KIND_PAUSE
RESUME = v1.ConsentEventKind.CONSENT_EVENT_KIND_RESUME


class Node:
    """A provider without ports."""

    def __init__(self, engine: Engine) -> None:
        self.federation = Federation()
        self.store = GroupCommit(engine)
        self.board = NoticeBoard(SELF, self.federation.anchors, self.store)
        self.desk = Desk(
            member_id=SELF,
            signer=signer(SELF),
            directory=self.federation.directory,
            store=self.store,
            status_max_age=timedelta(minutes=3),
        )

    def grant(self, **fields: Any) -> Granted:
        return self.federation.consent(self.federation.subject(), **fields)

    def tell(
        self, granted: Granted, kind: v1.ConsentEventKind.ValueType, sequence: int = 1
    ) -> None:
        """Have the subject tell the provider itself, with no exchange between them."""
        self.board.take(
            v1.NotifyConsentEventRequest(
                event=self.federation.consent_event(granted, kind, sequence),
                consent=granted.envelope,
                binding=granted.person.binding,
            ),
            AT,
        )

    def ask(self, *asks: v1.ScoreRequest, at: Any = AT) -> list[str]:
        """Return what each request gets: a reason, or "stated"."""
        exchange = self.federation.member(EXCHANGE)
        return [
            "stated"
            if result.HasField("statement")
            else Reason.Name(result.refusal.reason).removeprefix("REASON_")
            for result in self.desk.answer(asks, exchange, at)
        ]


@pytest.fixture
def node() -> Iterator[Node]:
    engine = exchange_engine("sqlite://")
    migrate(engine, SCRIPTS)
    node = Node(engine)
    yield node
    node.store.close()
    engine.dispose()


def test_an_honest_exchange_is_answered(node: Node) -> None:
    assert node.ask(node.federation.score_request(node.grant())) == ["stated"]


def test_a_revoked_consent_called_active_is_refused_by_the_provider_alone(node: Node) -> None:
    granted = node.grant()
    node.tell(granted, REVOKE)
    status = node.federation.consent_status(granted)  # freshly signed: ACTIVE
    ask = node.federation.score_request(granted, status=status)
    assert node.ask(ask) == ["CONSENT_REVOKED"]
    later = node.federation.consent_status(granted, issued_at=to_timestamp(AT + DAY))
    request = node.federation.view_request(
        granted,
        issued_at=to_timestamp(AT + DAY),
        expires_at=to_timestamp(AT + DAY + timedelta(minutes=1)),
    )
    ask = node.federation.score_request(granted, request, later)
    assert node.ask(ask, at=AT + DAY) == ["CONSENT_REVOKED"]


def test_a_resumption_older_than_the_pause_opens_nothing(node: Node) -> None:
    granted = node.grant()
    node.tell(granted, PAUSE, 3)
    node.tell(granted, RESUME, 2)
    assert node.ask(node.federation.score_request(granted)) == ["CONSENT_PAUSED"]


def test_nothing_revives_a_revoked_consent(node: Node) -> None:
    granted = node.grant()
    node.tell(granted, REVOKE, 1)
    node.tell(granted, RESUME, 2)
    assert node.ask(node.federation.score_request(granted)) == ["CONSENT_REVOKED"]


def test_a_staple_of_another_consent_is_refused(node: Node) -> None:
    granted, other = node.grant(), node.grant()
    status = node.federation.consent_status(other)
    ask = node.federation.score_request(granted, status=status)
    assert node.ask(ask) == ["CONSENT_STATUS_STALE"]


def test_a_staple_from_yesterday_is_refused(node: Node) -> None:
    granted = node.grant()
    status = node.federation.consent_status(granted, issued_at=to_timestamp(AT - DAY))
    ask = node.federation.score_request(granted, status=status)
    assert node.ask(ask) == ["CONSENT_STATUS_STALE"]


def test_a_staple_signed_by_another_member_is_refused(node: Node) -> None:
    granted = node.grant()
    status = node.federation.consent_status(granted, signed_by=LENDER)
    ask = node.federation.score_request(granted, status=status)
    assert node.ask(ask) == ["SIGNATURE_INVALID"]


def test_a_staple_that_admits_the_truth_is_believed(node: Node) -> None:
    granted = node.grant()
    state = v1.ConsentState.CONSENT_STATE_REVOKED
    status = node.federation.consent_status(granted, state=state)
    ask = node.federation.score_request(granted, status=status)
    assert node.ask(ask) == ["CONSENT_REVOKED"]


def test_a_provider_that_the_consent_does_not_name_refuses(node: Node) -> None:
    granted = node.grant(providers=[ANOTHER])
    assert node.ask(node.federation.score_request(granted)) == ["PROVIDER_NOT_NAMED"]


@pytest.mark.parametrize("forger", [EXCHANGE, ANOTHER, "stranger"])
def test_a_forged_request_is_refused(node: Node, forger: str) -> None:
    granted = node.grant()
    request = node.federation.view_request(granted, signed_by=forger)
    ask = node.federation.score_request(granted, request)
    assert node.ask(ask) == ["SIGNATURE_INVALID"]


def test_an_exchange_that_asks_in_its_own_name_is_refused(node: Node) -> None:
    granted = node.grant(recipient=EXCHANGE)
    ask = node.federation.score_request(granted)
    assert node.ask(ask) == ["ROLE_NOT_ALLOWED"]


def test_a_forged_consent_is_refused(node: Node) -> None:
    granted = node.grant()
    forged = seal(granted.consent, signer(EXCHANGE))
    ask = node.federation.score_request(Granted(granted.person, granted.consent, forged))
    assert node.ask(ask) == ["SIGNATURE_INVALID"]


def test_a_binding_of_the_exchanges_own_making_is_refused(node: Node) -> None:
    granted = node.grant()
    binding = v1.SubjectBinding.FromString(granted.person.binding.payload)
    ask = node.federation.score_request(granted)
    ask.binding.CopyFrom(seal(binding, signer(EXCHANGE)))
    assert node.ask(ask) == ["SIGNATURE_INVALID"]


def test_a_consent_for_another_lender_serves_no_other(node: Node) -> None:
    node.federation.enrol("other-lender", v1.Role.ROLE_LENDER)
    granted = node.grant()
    request = node.federation.view_request(granted, lender="other-lender")
    ask = node.federation.score_request(granted, request)
    assert node.ask(ask) == ["CONSENT_WRONG_RECIPIENT"]


@pytest.mark.parametrize(
    "bent",
    [
        {"purpose": v1.Purpose.PURPOSE_GUARANTOR_CHECK},
        {"disclosure": v1.Disclosure(kind=v1.DisclosureKind.DISCLOSURE_KIND_BAND)},
        {"subject_ref": b"\x07" * 32},
        {"consent_digest": b"\x07" * 32},
    ],
)
def test_a_request_beyond_its_consent_is_refused(node: Node, bent: dict[str, Any]) -> None:
    granted = node.grant()
    request = node.federation.view_request(granted, **bent)
    assert node.ask(node.federation.score_request(granted, request)) == ["CONSENT_MISMATCH"]


def test_yesterdays_request_with_a_fresh_staple_is_refused(node: Node) -> None:
    granted = node.grant()
    request = node.federation.view_request(
        granted,
        issued_at=to_timestamp(AT - DAY),
        expires_at=to_timestamp(AT - DAY + timedelta(minutes=1)),
    )
    ask = node.federation.score_request(granted, request)
    assert node.ask(ask) == ["STATEMENT_NOT_FRESH"]


def test_a_request_replayed_many_times_is_one_use(node: Node) -> None:
    granted = node.federation.periodic(node.federation.subject(), uses=2, max_uses=2)
    first = node.federation.score_request(granted)
    assert node.ask(*[first] * 20) == ["stated"] * 20
    assert [node.ask(first) for _ in range(20)] == [["stated"]] * 20
    assert node.ask(node.federation.score_request(granted)) == ["stated"]  # the second use
    assert node.ask(node.federation.score_request(granted)) == ["CONSENT_EXHAUSTED"]
    assert node.ask(first) == ["stated"]


def test_uses_hidden_by_the_exchange_are_counted_by_the_provider(node: Node) -> None:
    granted = node.grant()
    forgetful = node.federation.consent_status(granted, uses=0)
    assert node.ask(node.federation.score_request(granted, status=forgetful)) == ["stated"]
    again = node.federation.score_request(granted, status=forgetful)
    assert node.ask(again) == ["CONSENT_EXHAUSTED"]


def test_a_use_too_soon_is_refused_whatever_the_staple_says(node: Node) -> None:
    granted = node.federation.periodic(node.federation.subject(), uses=1)
    asks = [node.federation.score_request(granted) for _ in range(2)]
    assert node.ask(*asks) == ["stated", "CONSENT_TOO_FREQUENT"]


def test_one_lie_in_a_batch_spoils_no_honest_request(node: Node) -> None:
    fed = node.federation
    honest = [fed.score_request(fed.consent(fed.subject(f"person-{n}"))) for n in range(3)]
    granted = node.grant()
    lie = fed.score_request(granted, fed.view_request(granted, signed_by=EXCHANGE))
    assert node.ask(honest[0], lie, *honest[1:]) == [
        "stated",
        "SIGNATURE_INVALID",
        "stated",
        "stated",
    ]
