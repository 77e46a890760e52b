"""The exchange goes on with the registrar's new keys where it was, however often the stream ends."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from concordat import v1
from concordat.clock import Clock, to_timestamp
from concordat.rpc.tls import TlsIdentity, member_port
from concordat.store.group_commit import GroupCommit
from concordat.v1.registrar_service_pb2_grpc import (
    RegistrarServiceServicer,
    add_RegistrarServiceServicer_to_server,
)
from exchange.consents import table as consents
from exchange.subjects import binding_watch, bindings_table
from exchange.subjects.binding_watch import BindingWatch
from tests.builders import EXCHANGE, REGISTRAR, Federation, Pki, signer
from tests.exchange_builders import memory_engine


class StandIn(RegistrarServiceServicer):
    """Streams one new binding a call, after what the caller has, and then breaks off."""

    def __init__(self) -> None:
        self.news: list[v1.Rebinding] = []
        self.asked: list[int] = []

    def WatchBindings(  # noqa: N802 - named as the rpc
        self, request: v1.WatchBindingsRequest, context: grpc.ServicerContext
    ) -> Iterator[v1.WatchBindingsResponse]:
        self.asked.append(request.after)
        rest = [each for each in self.news if each.sequence > request.after]
        sent_at = to_timestamp(datetime.now(UTC))
        yield v1.WatchBindingsResponse(sent_at=sent_at)
        yield v1.WatchBindingsResponse(bindings=rest[:1], sent_at=sent_at)
        context.abort(grpc.StatusCode.UNAVAILABLE, "it dies now")


class CutOff:
    """A stream whose first news comes in the moment in which its reader is cancelled."""

    def __init__(self) -> None:
        self.reader: asyncio.Task[None] | None = None
        self.read_once = False

    def __call__(self, *_: object, **__: object) -> "CutOff":
        return self

    @property
    def WatchBindings(self) -> "CutOff":  # noqa: N802 - named as the rpc
        return self

    async def read(self) -> v1.WatchBindingsResponse:
        if self.read_once:
            await asyncio.Event().wait()
        self.read_once = True
        assert self.reader is not None
        asyncio.get_running_loop().call_soon(self.reader.cancel)
        return v1.WatchBindingsResponse(sent_at=to_timestamp(datetime.now(UTC)))

    def cancel(self) -> None:
        """End nothing."""


class House:
    """A registrar on loopback, and an exchange's database."""

    def __init__(self) -> None:
        pki, now = Pki(), datetime.now(UTC)
        plain = Federation(now, tls_ca_pem=pki.ca_pem)
        stand_in: Any = StandIn()  # type: ignore[abstract] # it stands in for a part
        self.stand_in: StandIn = stand_in
        self.server = grpc.server(ThreadPoolExecutor(4))
        add_RegistrarServiceServicer_to_server(stand_in, self.server)
        credentials = member_port(TlsIdentity(*pki.issue(REGISTRAR)), plain.anchors)
        port = self.server.add_secure_port("127.0.0.1:0", credentials)
        self.server.start()
        self.federation = Federation(
            now,
            tls_ca_pem=pki.ca_pem,
            endpoints={"registrar_endpoint": f"127.0.0.1:{port}"},
        )
        self.store = GroupCommit(memory_engine())
        identity = TlsIdentity(*pki.issue(EXCHANGE))
        self.watch = BindingWatch(self.federation.anchors, identity, self.store, Clock())

    def tells_of(self, *names: str) -> None:
        """Have the registrar tell of a second key of each of these people."""
        for sequence, name in enumerate(names, 1):
            key = signer(f"new {name}").public_key
            binding = self.federation.subject(name, version=2, public_key=key).binding
            self.stand_in.news.append(v1.Rebinding(sequence=sequence, binding=binding))

    def cursor(self) -> int:
        return self.store.run(bindings_table.cursor)

    async def follow_until(self, sequence: int) -> None:
        task = asyncio.create_task(self.watch.follow())
        async with asyncio.timeout(20):
            while self.cursor() < sequence:  # noqa: ASYNC110 - the database's
                await asyncio.sleep(0.01)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(binding_watch, "RECONNECT_SECONDS", 0.01)
    house = House()
    yield house
    house.server.stop(None).wait()
    house.store.close()


def test_a_stream_that_breaks_off_is_gone_on_with_and_none_is_missed(house: House) -> None:
    house.tells_of("ada", "bob", "eve")
    asyncio.run(house.follow_until(3))
    assert house.stand_in.asked[:3] == [0, 1, 2]
    refs = [house.federation.subject(name).ref for name in ("ada", "bob", "eve")]
    versions = house.store.run(lambda c: consents.binding_versions(c, refs))
    assert versions == dict.fromkeys(refs, 2)


def test_an_exchange_that_was_away_begins_where_it_was(house: House) -> None:
    house.tells_of("ada", "bob")
    asyncio.run(house.follow_until(2))
    house.stand_in.asked.clear()
    house.stand_in.news.clear()
    house.tells_of("ada", "bob", "eve")
    asyncio.run(house.follow_until(3))
    assert house.stand_in.asked[0] == 2


def test_an_exchange_that_stops_as_news_comes_in_does_stop(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = CutOff()
    monkeypatch.setattr(binding_watch, "RegistrarServiceStub", stream)

    async def stop_as_it_reads() -> None:
        stream.reader = task = asyncio.create_task(house.watch.follow())
        await asyncio.wait({task}, timeout=3)
        assert stream.read_once
        assert task.cancelled()

    asyncio.run(stop_as_it_reads())
