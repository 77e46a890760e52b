"""A person's own entries are shown to that person alone, and looking leaves no trace."""

import asyncio
import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from sqlalchemy import func, select

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.rpc.errors import RemoteError, from_rpc_error, name_of
from concordat.rpc.policy import Port
from concordat.statements import cosign, seal
from concordat.trust.tiles import tile_at
from concordat.v1 import Reason
from concordat.v1.log_service_pb2_grpc import LogServiceStub, add_LogServiceServicer_to_server
from concordat.verify.history import HistoryBrokenError
from exchange.consents import table as consents
from exchange.log import sequencing, table
from tests.attacks.ports import AioPort, Neighbourhood
from tests.builders import DAY, Federation, Pki, Subject, signer
from tests.history_builders import HistoryHouse, Told, drafts, follow, own_request

MINUTE = timedelta(minutes=1)


class Served:
    """A house behind a real public port."""

    def __init__(self) -> None:
        pki = Pki()
        federation = Federation(at=datetime.now(UTC), tls_ca_pem=pki.ca_pem)
        self.house = HistoryHouse(federation)
        near = Neighbourhood(federation, pki, self.house.desk.clock, AioPort)
        self.port = near.listen(Port.PUBLIC)
        add_LogServiceServicer_to_server(self.house.servicer, self.port.server)
        self.port.start()
        self.channel = near.channel(self.port, None)
        self.stub = LogServiceStub(self.channel)

    @property
    def federation(self) -> Federation:
        return self.house.federation

    def ask(self, request: v1.Envelope, binding: v1.Envelope, after: int = 0) -> Told:
        message = v1.ListAccessesRequest(request=request, binding=binding, after=after)
        return Told(request, self.stub.ListAccesses(message, timeout=5))

    def own(self, person: Subject, **fields: Any) -> Told:
        return self.ask(own_request(self.federation, person, **fields), person.binding)

    def refusal(self, request: v1.Envelope, binding: v1.Envelope, after: int = 0) -> str:
        """Return the reason for which the exchange does not answer."""
        with pytest.raises(grpc.RpcError) as failure:
            self.ask(request, binding, after)
        error: RemoteError = from_rpc_error(failure.value)
        return name_of(error.reason)

    def close(self) -> None:
        self.channel.close()
        self.port.__exit__()
        self.house.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    served = Served()
    for person in (served.house.ada, served.house.bob):
        served.house.act(person)
    yield served
    served.close()


@pytest.fixture
def house() -> Iterator[HistoryHouse]:
    house = HistoryHouse()
    yield house
    house.close()


# Who is answered --------------------------------------------------------------------------------


def test_a_person_is_shown_its_own_entries_over_the_public_port(served: Served) -> None:
    for person in (served.house.ada, served.house.bob):
        chain = follow(served.federation, person, [served.own(person)])
        chain.require_complete()
        records = [entry.record for entry in chain.entries]
        assert len(records) == 5
        assert {record.subject_ref for record in records if record} == {person.ref}


def test_nobody_is_shown_the_entries_of_another(served: Served) -> None:
    fed, ada, bob = served.federation, served.house.ada, served.house.bob
    of_bob = own_request(fed, dataclasses.replace(ada, ref=bob.ref))  # Ada signs for Bob
    assert served.refusal(of_bob, ada.binding) == "BINDING_INVALID"
    assert served.refusal(of_bob, bob.binding) == "SIGNATURE_INVALID"
    bobs = own_request(fed, bob)
    assert served.refusal(bobs, ada.binding) == "SIGNATURE_INVALID"
    forged = fed.subject("ada", subject_ref=bob.ref).binding
    forged.CopyFrom(seal(v1.SubjectBinding.FromString(forged.payload), signer("mallory")))
    assert served.refusal(of_bob, forged) == "SIGNATURE_INVALID"


def test_an_answer_to_another_is_of_no_use_to_who_is_shown_it(served: Served) -> None:
    bobs = served.own(served.house.bob)
    request = own_request(served.federation, served.house.ada)
    with pytest.raises(HistoryBrokenError):
        follow(served.federation, served.house.ada, [Told(request, bobs.answer)])


@pytest.mark.parametrize(
    ("minutes", "life", "reason"),
    [
        (-10, 1, "STATEMENT_NOT_FRESH"),
        (10, 1, "STATEMENT_NOT_FRESH"),
        (0, 6, "STATEMENT_MALFORMED"),
    ],
    ids=["an old one", "one of the future", "one that lives too long"],
)
def test_a_request_that_is_not_fresh_is_refused(
    served: Served, minutes: int, life: int, reason: str
) -> None:
    fed, ada = served.federation, served.house.ada
    made = fed.at + minutes * MINUTE
    asked = v1.SubjectRequest.FromString(own_request(fed, ada).payload)
    asked.issued_at.CopyFrom(to_timestamp(made))
    asked.expires_at.CopyFrom(to_timestamp(made + life * MINUTE))
    template = own_request(fed, ada)
    envelope = v1.Envelope(payload=asked.SerializeToString(), payload_type=template.payload_type)
    cosign(envelope, ada.signer)
    assert served.refusal(envelope, ada.binding) == reason


def test_a_request_for_something_else_is_refused(served: Served) -> None:
    fed, ada = served.federation, served.house.ada
    other = own_request(fed, ada, query=v1.SubjectQuery.SUBJECT_QUERY_CONSENTS)
    assert served.refusal(other, ada.binding) == "STATEMENT_MALFORMED"
    elsewhere = own_request(fed, ada, federation="other.concordat")
    assert served.refusal(elsewhere, ada.binding) == "WRONG_FEDERATION"
    granted = fed.consent(ada)
    assert served.refusal(granted.envelope, ada.binding) == "STATEMENT_MALFORMED"
    assert served.refusal(v1.Envelope(), ada.binding) != ""


def test_a_binding_that_has_run_out_is_refused(served: Served) -> None:
    fed = served.federation
    old = fed.subject("ada", not_after=to_timestamp(fed.at - DAY))
    assert served.refusal(own_request(fed, old), old.binding) == "BINDING_INVALID"


def test_a_place_in_the_chain_is_a_number_that_the_database_can_hold(served: Served) -> None:
    fed, ada = served.federation, served.house.ada
    request = own_request(fed, ada)
    for after in (2**63, 2**64 - 1):
        assert served.refusal(request, ada.binding, after) == "MESSAGE_INVALID"
    assert list(served.ask(request, ada.binding, 2**63 - 1).answer.entries) == []


def test_a_key_that_was_replaced_sees_nothing_any_more(house: HistoryHouse) -> None:
    house.act()
    assert house.ask().answer.entries
    renewed = house.federation.subject("ada", version=2)
    house.desk.grant(renewed)
    house.settle()
    with pytest.raises(Refusal) as refused:
        house.ask()
    assert refused.value.reason == Reason.REASON_BINDING_INVALID
    assert len(house.ask(renewed).answer.entries) == 6


# What looking does ------------------------------------------------------------------------------


def test_looking_adds_no_access_uses_no_consent_and_enters_nothing(house: HistoryHouse) -> None:
    granted, _ = house.act()
    heard = list(house.desk.links.sent)

    def everything() -> tuple[object, ...]:
        def read(connection: Any) -> tuple[object, ...]:
            openings = select(func.count()).select_from(table.log_opening)
            return (
                connection.execute(openings).scalar_one(),
                table.anything_waits(connection),
                sequencing.signed(connection),
                consents.binding_versions(connection, [house.ada.ref]),
            )

        return (house.desk.entries(), house.desk.uses(granted), *house.desk.store.run(read))

    before = everything()
    first, second = house.ask(), house.ask()
    assert everything() == before
    assert house.desk.links.sent == heard  # no provider is told, so that no score can change
    assert list(first.answer.entries) == list(second.answer.entries)
    assert first.answer.checkpoint == second.answer.checkpoint


def test_many_may_look_at_once(house: HistoryHouse) -> None:
    house.act()
    house.act(house.bob)

    async def look() -> list[Told]:
        people = [house.ada, house.bob] * 8
        return await asyncio.gather(*(asyncio.to_thread(house.ask, person) for person in people))

    for told, person in zip(asyncio.run(look()), [house.ada, house.bob] * 8, strict=True):
        assert len(house.read(told, person=person).entries) == 5


# What is shown ------------------------------------------------------------------------------------


def test_refused_attempts_are_shown_with_their_reason(house: HistoryHouse) -> None:
    fed = house.federation
    granted = house.desk.grant(house.ada)
    asks: dict[Reason.ValueType, Any] = {
        Reason.REASON_CONSENT_UNKNOWN: fed.consent(house.ada),
        Reason.REASON_CONSENT_EXPIRED: fed.consent(
            house.ada,
            valid_from=to_timestamp(fed.at - 2 * DAY),
            valid_until=to_timestamp(fed.at - DAY),
        ),
        Reason.REASON_SIGNATURE_INVALID: dataclasses.replace(
            granted, envelope=seal(granted.consent, signer("mallory"))
        ),
    }
    for reason, consent in asks.items():
        refused = house.desk.ask(consent)
        assert isinstance(refused, Refusal)
        assert refused.reason == reason
    house.settle()
    chain = house.read(house.ask())
    records = [entry.record for entry in chain.entries[1:]]
    assert [record.refusal.reason for record in records if record] == list(asks)
    unverified = records[-1]
    assert unverified is not None
    assert (
        unverified.refusal.consent_id == b""
    )  # what did not verify is not put on anybody's account
    assert unverified.refusal.lender == granted.consent.recipient


def test_what_is_not_in_a_checkpoint_yet_is_not_shown_and_not_counted(house: HistoryHouse) -> None:
    house.act()
    house.desk.book.stop()
    more = drafts(house.federation, house.ada, 2)
    house.desk.store.run(lambda connection: table.enqueue(connection, more))
    assert len(house.read(house.ask()).entries) == 5
    lease = house.desk.store.run(
        lambda connection: sequencing.take_lease(connection, "other", 60, house.federation.at)
    )
    assert lease is not None
    house.desk.store.run(lambda c: sequencing.assign(c, lease, house.federation.at))
    told = house.ask()  # they have an index, and no checkpoint
    assert told.history.length == 5
    assert len(house.read(told).entries) == 5


def test_an_exchange_whose_log_is_empty_does_not_vouch_for_it(house: HistoryHouse) -> None:
    with pytest.raises(Refusal) as refused:
        house.ask()
    assert refused.value.reason == Reason.REASON_LOG_UNAVAILABLE


def test_a_damaged_tile_is_the_exchanges_fault_and_is_not_signed_for(house: HistoryHouse) -> None:
    house.act()
    told = house.ask()
    size = told.history.log_size
    tile = tile_at(0, 0, size)
    sound = house.desk.tiles.read(tile.path)
    assert sound is not None
    house.desk.tiles.write({tile: sound[:-1] + bytes([sound[-1] ^ 1])})
    with pytest.raises(Refusal) as refused:
        house.ask()
    assert refused.value.reason == Reason.REASON_LOG_UNAVAILABLE
    house.desk.tiles.write({tile: sound})
    assert house.read(house.ask()).entries
