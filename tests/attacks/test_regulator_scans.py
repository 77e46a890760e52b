"""A regulator that tries to list, scan, rank or export people, by any calls, or to find one by numbers.

It calls every RPC that the method policy lets it call, a new one too, with whatever it can make of what it knows:
its keys, its officers' keys, one person that it has a case about, and all that it was answered. What is asserted
is about bytes: no answer holds a reference, an id or a word of a person whom no approved case names.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import Connection, Select, select

from concordat import v1
from concordat.clock import to_micros, to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.rpc.errors import to_status
from concordat.rpc.policy import POLICY, Port
from concordat.statements import seal
from concordat.trust.envelope import validate
from concordat.trust.errors import StatementMalformedError
from concordat.v1 import CaseScope, Purpose, Role
from exchange.services import MEMBER_SERVICES, PUBLIC_SERVICES
from exchange.supervision.cases.custodians import Custodians
from exchange.supervision.cases.look_up import CaseDesk
from exchange.supervision.cases.servicer import CaseServicer
from exchange.supervision.settings import SupervisionSettings
from exchange.supervision.statistics import counting
from exchange.supervision.statistics.counting import Series
from exchange.supervision.statistics.office import StatisticsOffice
from exchange.supervision.statistics.periods import Period
from exchange.tables import access_entry, consent, listing
from tests.attacks.ports import every_method
from tests.builders import AT, DAY, EXCHANGE, LENDER, REGULATOR, Federation, Subject, signer
from tests.case_builders import OFFICERS, CaseOffice, Custodian, approver_keys
from tests.exchange_builders import ExchangeDesk, memory_engine
from tests.exchange_services import subject_request
from tests.listing_builders import FURNISHER
from tests.listing_desk import ListingDesk
from tests.orders_desk import OrdersDesk

CONTEST = v1.DisputeStage.DISPUTE_STAGE_CONTEST
SMALLEST = SupervisionSettings().smallest_cell
SERVED = {*MEMBER_SERVICES, *PUBLIC_SERVICES}
OPEN_TO_IT = {
    path: row
    for path, row in POLICY.items()
    if path.split("/")[1] in SERVED
    and (Port.PUBLIC in row.ports or not row.roles or Role.ROLE_REGULATOR in row.roles)
}
# Which of the statements that it makes a field is for, mostly.
FITTING = {
    "concordat.v1.LookUpCaseRequest.request": [1],
    "case": [0],
    "order": [2],
    "review": [3],
    "event": [3],
    "request": [4],
}
QUERIES, CUSTODY = v1.SubjectQuery.values()[1:], v1.SubjectQuery.SUBJECT_QUERY_CUSTODY
OPEN_REVIEW = v1.ListingAction.LISTING_ACTION_OPEN_REVIEW
_SECONDS = 0.2


class World(ListingDesk):
    """Three people who are asked for and listed; the regulator knows of one of them, ada."""

    def __init__(self) -> None:
        custodians = [Custodian(number) for number in (1, 2)]
        endpoints = {
            "witnesses": [str(each.vkey) for each in custodians],
            "witness_urls": [each.url for each in custodians],
        }
        super().__init__(ExchangeDesk(Federation(endpoints=endpoints)))
        fed = self.federation
        fed.enrol(REGULATOR, Role.ROLE_REGULATOR, version=3, approvers=approver_keys(fed))
        self._custodians = custodians
        for each in custodians:
            each.open(fed)
        desk = self.desk
        self.case_desk = CaseDesk(
            fed.directory,
            desk.store,
            desk.book,
            Custodians(
                fed.anchors, [(each.vkey, each.url) for each in custodians], client=self._client
            ),
            desk.listings.profiles,
            signer(EXCHANGE),
            desk.clock,
        )
        self.officers = CaseOffice(fed)
        self.servicers: dict[str, Any] = {
            "MemberService": self.members,
            "ReviewService": self.reviews,
            "SupervisionService": self.supervision,
            "OrderService": self.orders,
            "CaseService": CaseServicer(self.case_desk),
            "ConsentService": self.consents,
            "SubjectService": self.subjects,
            "LogService": self.log,
        }
        self.people = [self.subject, fed.subject("bob"), fed.subject("cyn")]
        self.ada = self.subject
        self.begun = fed.at
        self.secrets = {person.ref: self._live(person) for person in self.people}

    def _client(self) -> httpx.AsyncClient:
        mounts = {f"http://{each.host}": each.transport for each in self._custodians}
        return httpx.AsyncClient(mounts=mounts)

    def _live(self, person: Subject) -> set[bytes]:
        """Let a person be asked for, listed and heard; return what nobody may learn of it."""
        self.subject = person
        self.desk.ask(self.desk.grant(person))
        listing_id = self.file().listing_id
        texts = [message.text.encode() for message in self.read_inbox()]
        dispute, _ = self.dispute(listing_id, CONTEST)
        texts += [message.text.encode() for message in self.read_inbox()]
        found = {listing_id, dispute, *texts}
        for column in (
            listing.c.debt,
            listing.c.listing_id,
            consent.c.consent_id,
            access_entry.c.access_id,
        ):
            query = select(column).where(column.table.c.subject_ref == person.ref)
            found |= set(self.desk.store.run(partial(_scalars, query)))
        self.subject = self.people[0] if hasattr(self, "people") else person
        return {each for each in found if each}

    def untold(self, case: bool) -> Iterator[bytes]:
        """Return what no answer may hold; of ada it may once an approved case names her."""
        for person in self.people:
            if person is not self.ada:
                yield person.ref
                yield from self.secrets[person.ref] - self.secrets[self.ada.ref]
            elif not case:
                yield from self.secrets[person.ref]

    def close(self) -> None:
        super().close()
        for each in self._custodians:
            each.store.close()


def _scalars(query: Select[bytes], connection: Connection) -> list[bytes]:
    return list(connection.execute(query).scalars())


class Forger:
    """Makes messages of any type, of what a regulator knows."""

    def __init__(self, world: World, known: set[bytes]) -> None:
        at = world.federation.at
        days = (at - nth * DAY for nth in range(3))
        self._at = at
        self._world = world
        self._known = known
        self._words = [
            *("", REGULATOR, LENDER, FURNISHER, EXCHANGE, world.federation.name, "a"),
            *(day.date().isoformat() for day in days),
            *(f"{at - nth * 31 * DAY:%Y-%m}" for nth in range(2)),
            *("Banking Act Art. 12(3)", "FR/2026/1", "en", "%", "*"),
        ]

    def make(self, kind: type[Message], rnd: Random, depth: int = 0) -> Message:
        """Return a message of a type, filled at random."""
        message = kind()
        if kind.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
            return to_timestamp(self._at + timedelta(days=rnd.choice((-1, 0, 0, 1, 30))))
        groups: Any = kind.DESCRIPTOR.oneofs
        chosen = {group.name: rnd.choice(group.fields).name for group in groups}
        field: Any
        for field in kind.DESCRIPTOR.fields:
            group = field.containing_oneof
            if depth > 3 or (group and chosen[group.name] != field.name):
                continue
            if field.is_repeated:
                values = [self._value(field, rnd, depth) for _ in range(rnd.randrange(3))]
                getattr(message, field.name).extend(values)
            elif field.message_type:
                getattr(message, field.name).CopyFrom(self._value(field, rnd, depth))
            else:
                setattr(message, field.name, self._value(field, rnd, depth))
        return message

    def _value(self, field: Any, rnd: Random, depth: int) -> Any:
        if field.message_type and field.message_type.full_name == "concordat.v1.Envelope":
            kinds = FITTING.get(field.full_name) or FITTING.get(field.name) or range(5)
            return self._signed(rnd, rnd.choice([*kinds, *kinds, *kinds, rnd.randrange(5)]))
        if field.message_type:
            return self.make(GetMessageClass(field.message_type), rnd, depth + 1)
        if field.enum_type:
            return rnd.choice(field.enum_type.values).number
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
                return rnd.choice([*sorted(self._known), rnd.randbytes(16), rnd.randbytes(32), b""])
            case FieldDescriptor.CPPTYPE_STRING:
                return rnd.choice(self._words)
        small = field.cpp_type == FieldDescriptor.CPPTYPE_BOOL
        return rnd.choice((False, True) if small else (0, 1, 2, 16, 100))

    def _signed(self, rnd: Random, kind: int) -> v1.Envelope:
        """Return a statement as the regulator can make one, about whom and what it likes."""
        ref = rnd.choice([*self._of_length(32), rnd.randbytes(32)])
        thing = rnd.choice([*self._of_length(16), rnd.randbytes(16)])
        world, key = self._world, signer(REGULATOR)
        case = world.officers.case(world.ada, OFFICERS[: rnd.randrange(1, 4)], subject_ref=ref)
        match kind:
            case 0:
                return case
            case 1:
                return world.officers.request(case, scope=rnd.randrange(1, 4)).request
            case 2:
                return seal(OrdersDesk(world).order(thing, subject_ref=ref), key)
            case 3:
                ground = v1.DisputeGround.DISPUTE_GROUND_INELIGIBLE
                about: dict[str, Any] = {"subject_ref": ref, "event_id": thing}
                event = world.event(thing, OPEN_REVIEW, REGULATOR, ground=ground, **about)
                return seal(event, key)
        query = rnd.choice([each for each in QUERIES if each != CUSTODY])
        fields: dict[str, Any] = {"subject_ref": ref, "query": query}
        return subject_request(world.federation, world.ada, signed_by=REGULATOR, **fields)

    def _of_length(self, length: int) -> list[bytes]:
        return sorted(each for each in self._known if len(each) == length)


class Regulator(RuleBasedStateMachine):
    """Calls whatever it can, in any order, and remembers what it was answered; one world for all of its lives."""

    world: World
    known: set[bytes]
    case: bool  # whether an approved case names ada
    answered: Counter[str]  # calls that were not refused, so that some are known to be

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[bytes] = []

    def call(self, path: str, request: Message) -> Message | None:
        """Call as the edge lets it; return the answer, or None where it is refused."""
        try:
            validate(request)
        except StatementMalformedError:
            return None
        _, service, name = path.split("/")
        method = getattr(self.world.servicers[service.rpartition(".")[2]], name)
        caller = REGULATOR if Port.MEMBER in POLICY[path].ports else None
        try:
            answer: Message | None = self.world.call(_first(method), request, caller)
        except Refusal as refusal:
            self.answers.append(to_status(refusal, "request-id").details.encode())
            return None
        Regulator.case |= name == "LookUpCase"
        if answer is not None:
            self.answers.append(answer.SerializeToString())
            self.answered[path] += 1
        return answer

    @rule(path=st.sampled_from(sorted(OPEN_TO_IT)), seed=st.integers(0, 2**32))
    def call_anything(self, path: str, seed: int) -> None:
        kind = GetMessageClass(every_method()[path].input_type)
        self.call(path, Forger(self.world, self.known).make(kind, Random(seed)))

    @rule(back=st.integers(0, 40), month=st.booleans())
    def read_statistics(self, back: int, month: bool) -> None:
        at = self.world.federation.at - back * DAY
        period = {"month": f"{at:%Y-%m}"} if month else {"day": at.date().isoformat()}
        read = "/concordat.v1.SupervisionService/ReadStatistics"
        answer = self.call(read, v1.ReadStatisticsRequest(**period))
        # Of fewer than ten of anything no number is told, whatever was read before.
        for told in answer.tables if isinstance(answer, v1.ReadStatisticsResponse) else ():
            for row in told.rows:
                assert all(
                    cell.WhichOneof("told") in {None, "none", "few", "setting"}
                    for cell in row.cells
                ), told

    @rule(scope=st.sampled_from(CaseScope.values()[1:]), approvers=st.integers(0, 3))
    def look_ada_up(self, scope: CaseScope.ValueType, approvers: int) -> None:
        case = self.world.officers.case(self.world.ada, OFFICERS[:approvers] or (REGULATOR,))
        request = self.world.officers.request(case, scope=scope)
        Regulator.case |= approvers >= 2
        if self.call("/concordat.v1.CaseService/LookUpCase", request) is not None:
            assert approvers >= 2
            secrets = self.world.secrets[self.world.ada.ref]
            self.known.update(each for each in secrets if len(each) <= 32)

    @rule(reference=st.sampled_from(("FR/2026/1", "FR/2026/2")))
    def look_for_somebody_else_under_a_case(self, reference: str) -> None:
        for ref in sorted(self.known):
            if len(ref) == 32:
                fields: dict[str, Any] = {"subject_ref": ref, "case_reference": reference}
                case = self.world.officers.case(self.world.ada, **fields)
                self.call("/concordat.v1.CaseService/LookUpCase", self.world.officers.request(case))

    @rule(thing=st.integers(0, 20))
    def order_something_about_ada(self, thing: int) -> None:
        orders = OrdersDesk(self.world)
        ids = sorted(each for each in self.known if len(each) == 16) or [bytes(16)]
        request = orders.request(orders.order(ids[thing % len(ids)]))
        self.call("/concordat.v1.OrderService/SubmitOrder", request)

    @rule()
    def let_a_day_pass(self) -> None:
        if self.world.federation.at < self.world.begun + 40 * DAY:
            self.world.federation.at += 4 * DAY

    @invariant()
    def nobody_is_told_of_whom_no_case_names(self) -> None:
        answers, self.answers = self.answers, []
        for secret in self.world.untold(self.case) if answers else ():
            for answer in answers:
                assert secret not in answer
                assert secret.hex().encode() not in answer


def _first(method: Any) -> Any:
    """Return a method as one that answers once: of a stream its first message."""

    async def answered(request: Message, context: Any) -> Message | None:
        answer = method(request, context)
        if isinstance(answer, AsyncIterator):
            try:
                return await asyncio.wait_for(anext(answer, None), _SECONDS)
            finally:
                await answer.aclose()  # type: ignore[attr-defined]
        told: Message = await answer
        return told

    return answered


def begin(world: World) -> None:
    """Let a regulator begin, that knows of ada and nothing else."""
    Regulator.world, Regulator.known, Regulator.case = world, {world.ada.ref}, False
    Regulator.answered = Counter()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def test_no_sequence_of_calls_tells_a_regulator_of_whom_no_case_names(world: World) -> None:
    begin(world)
    run_state_machine_as_test(
        Regulator,
        settings=settings(
            max_examples=4,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],  # the world remembers, so that a shorter life is another one
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_regulator_above_tries_every_rpc_that_is_open_to_it(world: World) -> None:
    services = {path.split("/")[1].rpartition(".")[2] for path in OPEN_TO_IT}
    assert services == set(world.servicers)  # a new one: say who answers it, so that it is tried
    begin(world)
    regulator = Regulator()
    for seed in range(3):
        for path in sorted(OPEN_TO_IT):
            regulator.call_anything(path, seed)
    regulator.nobody_is_told_of_whom_no_case_names()
    names = {path.rpartition("/")[2] for path in Regulator.answered}
    assert {"ReadDrift", "ReadOversight", "ListMembers", "WatchMembers"} <= names
    # And the search finds what an approved case lets out, so that it would find what none does.
    case, told = world.officers.case(world.ada), b""
    for scope in CaseScope.values()[1:]:
        request = world.officers.request(case, scope=scope)
        answered = world.call(world.servicers["CaseService"].LookUpCase, request, REGULATOR)
        told += answered.SerializeToString()
    assert world.ada.ref in told
    assert any(len(each) == 16 and each in told for each in world.secrets[world.ada.ref])
    assert not any(each in told for each in world.untold(case=True))


# By numbers -------------------------------------------------------------------------------------


def _read(
    office: StatisticsOffice, period: Period, at: datetime, connection: Connection
) -> list[v1.Statistics]:
    return office.read(connection, period, at)


def told_of(world: ListingDesk) -> dict[tuple[int, str], bytes]:
    """Return every table of the world's first day and month, without when it was made."""
    at = world.federation.at
    periods = (Period.day(AT.date().isoformat()), Period.month(f"{AT:%Y-%m}"))
    tables = [
        each
        for period in periods
        for each in world.desk.store.run(
            partial(_read, world.statistics, period, max(at, period.end + DAY))
        )
    ]
    for each in tables:
        each.ClearField("made_at")
    return {(each.table, ""): each.SerializeToString(deterministic=True) for each in tables}


def test_one_person_more_changes_no_byte_of_any_table() -> None:
    few, one_more = World(), World()
    try:
        one_more._live(one_more.federation.subject("dan"))
        assert told_of(few) == told_of(one_more)
    finally:
        few.close()
        one_more.close()


ACTS = st.tuples(
    st.sampled_from((Series.LISTING, Series.PROVIDER_OUTCOME, Series.CASE_ARTICLE)),
    st.sampled_from(("alder-bank", "birch-payments", "Art. 5")),
    st.sampled_from((1, 2, 20, 21, 22, 23, 24, 26, 27, 28, 50)),
    st.integers(0, 40),
)
ENTRIES = st.tuples(
    st.sampled_from((LENDER, "quickcash")),
    st.sampled_from([each for each in Purpose.values() if each]),
    st.sampled_from((0, 30, 31)),
    st.integers(0, 40),
)


def tables_of(connection: Connection, acts: list[Any], entries: list[Any]) -> list[v1.Statistics]:
    """Return all tables of a world in which these were counted and entered."""
    rows = [_entry(*each) for *each, many in entries for _ in range(many)]
    if rows:
        connection.execute(access_entry.insert(), rows)
    counted = [(AT, [(series, key, cell)] * many) for series, key, cell, many in acts]
    counting.count(connection, counted)
    office = StatisticsOffice(SupervisionSettings(), DIRECTORY)
    day, month = Period.day(AT.date().isoformat()), Period.month(f"{AT:%Y-%m}")
    late = AT + 40 * DAY
    return [*office.read(connection, day, late), *office.read(connection, month, late)]


def _entry(lender: str, purpose: int, refusal: int) -> dict[str, object]:
    at = to_micros(AT)
    row: dict[str, object] = {
        "subject_ref": bytes(32),
        "access_id": new_id(),
        "consent_id": bytes(16),
    }
    row |= {"lender": lender, "purpose": purpose, "refusal": refusal, "recorded_at": at}
    row |= {"request_digest": bytes(32), "disclosure": 1, "counted": True, "threshold": 0}
    return row | {"released_at": None if refusal else at}


def numbers(tables: list[v1.Statistics]) -> dict[tuple[object, ...], int]:
    """Return every count that is told, by where it stands."""
    return {
        (
            told.table,
            row.member,
            row.purpose,
            row.reason,
            row.legal_article,
            cell.measure,
        ): cell.count
        for told in tables
        for row in told.rows
        for cell in row.cells
        if cell.WhichOneof("told") == "count"
    }


ENGINE = memory_engine()
DIRECTORY = Federation().directory


@given(
    acts=st.lists(ACTS, max_size=6),
    entries=st.lists(ENTRIES, max_size=4),
    more=st.one_of(ACTS, ENTRIES),
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_what_one_act_more_changes_is_a_whole_cell_or_nothing(
    acts: list[Any], entries: list[Any], more: tuple[Any, ...]
) -> None:
    one = (*more[:3], 1)
    with_more = ([*acts, one], entries) if isinstance(one[0], Series) else (acts, [*entries, one])
    found = []
    for world in ((acts, entries), with_more):
        with ENGINE.connect() as connection:
            found.append(numbers(tables_of(connection, *world)))
            connection.rollback()
    before, after = found
    for count in (*before.values(), *after.values()):
        assert count % SMALLEST == 0
        assert count >= SMALLEST
    for place in before.keys() & after.keys():
        assert (before[place] - after[place]) % SMALLEST == 0
