"""Keys that took over are told of at once, in order and for ever; who enrolled for the first time is not."""

import threading
import time
from functools import partial
from unittest.mock import Mock

from concordat import v1
from concordat.clock import Clock
from concordat.rpc.admission import CURRENT_CALL, Call
from registrar.rebindings import Rebindings, rebindings
from registrar.servicer import RegistrarServicer
from tests.builders import AT, signer
from tests.unit.registrar.conftest import Office


def versions(news: list[v1.Rebinding]) -> list[int]:
    return [v1.SubjectBinding.FromString(each.binding.payload).version for each in news]


def all_of(office: Office, after: int = 0) -> list[v1.Rebinding]:
    return list(office.desk.store.run(partial(rebindings, after=after)))


def follower(office: Office, heartbeat_seconds: float) -> Rebindings:
    return Rebindings(office.desk.store, Clock(source=lambda: AT), heartbeat_seconds)


def test_a_first_binding_is_told_to_nobody(office: Office) -> None:
    office.bind(office.code())
    office.bind(office.code("ZZ99999999"), number="ZZ99999999")
    assert all_of(office) == []


def test_later_ones_are_told_in_order_and_after_a_cursor(office: Office) -> None:
    for number in range(4):
        office.bind(office.code(), wallet=signer(f"phone {number}"))
    news = all_of(office)
    assert [each.sequence for each in news] == [1, 2, 3]
    assert versions(news) == [2, 3, 4]
    assert all_of(office, after=2) == news[2:]


def test_a_repeated_request_is_no_news(office: Office) -> None:
    office.bind(office.code())
    code = office.code()
    office.bind(code, wallet=signer("new phone"))
    office.bind(code, wallet=signer("new phone"))
    assert len(all_of(office)) == 1


def test_who_follows_hears_within_a_moment_and_not_at_the_next_heartbeat(office: Office) -> None:
    office.bind(office.code())
    follow = follower(office, 60)
    stream = follow.follow(0)
    assert list(next(stream).bindings) == []
    heard: list[float] = []

    def listen() -> None:
        next(stream)
        heard.append(time.monotonic())

    thread = threading.Thread(target=listen)
    thread.start()
    office.bind(office.code(), wallet=signer("new phone"))
    made = time.monotonic()
    follow.made()
    thread.join(5)
    assert heard[0] - made < 0.5


def test_who_follows_is_woken_by_a_key_that_took_over_and_not_by_a_first_one(
    office: Office,
) -> None:
    followed, context = Mock(spec=Rebindings), Mock()
    servicer = RegistrarServicer(office.desk, lambda: None, followed, lambda *_: None)
    CURRENT_CALL.set(Call("BindSubject", "request-id", AT, None, 5.0))
    servicer.BindSubject(office.request(office.code()), context)
    assert followed.made.call_count == 0
    answer = servicer.BindSubject(office.request(office.code(), wallet=signer("phone")), context)
    assert followed.made.call_count == 1
    assert len(answer.earlier) == 1


def test_a_stream_that_is_silent_beats_and_ends_when_stopped(office: Office) -> None:
    follow = follower(office, 0.01)
    stream = follow.follow(0)
    for _ in range(3):
        assert list(next(stream).bindings) == []
    follow.stop()
    assert list(stream) == []
