"""The process on its two ports: who gets in, what it remembers, what it never writes down."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from clients.pki import CertificateAuthority
from concordat import v1
from concordat.rpc.errors import from_rpc_error, name_of
from concordat.rpc.tls import TlsIdentity
from concordat.trust.keys import Ed25519Signer
from concordat.v1 import IdentitySuite, Role, Standing
from concordat.v1.registrar_service_pb2_grpc import RegistrarServiceStub
from concordat.verify.consent import open_binding
from registrar.possession import possession_bytes
from tests.builders import scale
from tests.unit.registrar.house import House, Process, eventually

NUMBER = "QX-7431 9920"
EVALUATORS = {Role.ROLE_PROVIDER, Role.ROLE_FURNISHER, Role.ROLE_COURT}
OTHERS = set(Role.values()) - EVALUATORS - {Role.ROLE_UNSPECIFIED}
EVALUATE = v1.EvaluateIdentitiesRequest(
    suite=IdentitySuite.IDENTITY_SUITE_KEYED_HASH, inputs=[NUMBER.encode()]
)


def id_of(role: Role.ValueType) -> str:
    return "the-" + Role.Name(role).removeprefix("ROLE_").lower()


def enrol_every_role(house: House) -> None:
    terms: dict[Role.ValueType, dict[str, Any]] = {
        Role.ROLE_PROVIDER: {"score_scale": scale()},
        Role.ROLE_LENDER: {"purposes": [v1.Purpose.PURPOSE_CREDIT_APPLICATION]},
    }
    for role in EVALUATORS | OTHERS:
        house.enrol(id_of(role), role, **terms.get(role, {}))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("registrar"), daily_quota=1000)
    assert house.run("init").returncode == 0
    enrol_every_role(house)
    yield house
    house.close()


@pytest.fixture(scope="module")
def process(house: House) -> Iterator[Process]:
    process = house.serve()
    last = id_of(Role.ROLE_COURT)
    eventually(lambda: outcome(house, process, last) == "ok")
    yield process
    process.popen.terminate()
    process.popen.wait(15)


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def called(stub: RegistrarServiceStub, seconds: float | None = 5) -> str:
    """Return "ok", or the reason (or code) for which an evaluation was refused."""
    try:
        stub.EvaluateIdentities(EVALUATE, timeout=seconds)
    except grpc.RpcError as error:
        remote = from_rpc_error(error)
        return name_of(remote.reason) if remote.reason else remote.code.name
    return "ok"


def outcome(
    house: House, process: Process, member_id: str, identity: TlsIdentity | None = None
) -> str:
    channel, stub = house.member_stub(process, member_id, identity)
    with channel:
        return called(stub)


def bound(
    house: House, process: Process, code: str, wallet: Ed25519Signer, number: str = NUMBER
) -> v1.Envelope:
    request = v1.BindSubjectRequest(
        identity_number=number,
        enrolment_code=code,
        public_key=wallet.public_key,
        possession_sig=wallet.sign(possession_bytes("test.concordat", number, code)),
    )
    channel, stub = house.public_stub(process)
    with channel:
        return stub.BindSubject(request, timeout=5).binding


@pytest.mark.parametrize("role", sorted(EVALUATORS), ids=Role.Name)
def test_who_has_customers_to_name_is_answered(
    house: House, process: Process, role: Role.ValueType
) -> None:
    assert outcome(house, process, id_of(role)) == "ok"


@pytest.mark.parametrize("role", sorted(OTHERS), ids=Role.Name)
def test_no_other_role_is(house: House, process: Process, role: Role.ValueType) -> None:
    assert outcome(house, process, id_of(role)) == "ROLE_NOT_ALLOWED"


def test_an_unlicensed_member_is_refused(house: House, process: Process) -> None:
    stranger = house.pki.issue_certificate("stranger")
    assert outcome(house, process, "stranger", stranger) == "MEMBER_UNLICENSED"


def test_a_certificate_of_another_authority_does_not_connect(
    house: House, process: Process
) -> None:
    foreign = CertificateAuthority.create("test.concordat", datetime.now(UTC), 9)
    identity = house.pki.issue_certificate(id_of(Role.ROLE_PROVIDER), authority=foreign)
    assert outcome(house, process, "anyone", identity) == "UNAVAILABLE"


def test_an_expired_certificate_does_not_connect(house: House, process: Process) -> None:
    ended = datetime.now(UTC) - timedelta(minutes=1)
    identity = house.pki.issue_certificate(id_of(Role.ROLE_PROVIDER), not_after=ended)
    assert outcome(house, process, "anyone", identity) == "UNAVAILABLE"


def test_a_call_without_a_deadline_is_refused(
    house: House, process: Process, closing: ExitStack
) -> None:
    channel, stub = house.member_stub(process, id_of(Role.ROLE_PROVIDER))
    closing.enter_context(channel)
    assert called(stub, seconds=None) == "DEADLINE_MISSING"


def test_each_method_is_on_its_own_port(house: House, process: Process, closing: ExitStack) -> None:
    channel, public = house.public_stub(process)
    closing.enter_context(channel)
    assert called(public) == "METHOD_NOT_SERVED"
    channel, members = house.member_stub(process, id_of(Role.ROLE_PROVIDER))
    closing.enter_context(channel)
    request = v1.BindSubjectRequest(
        identity_number="AAAA", enrolment_code="x", public_key=bytes(32), possession_sig=bytes(64)
    )
    with pytest.raises(grpc.RpcError) as refused:
        members.BindSubject(request, timeout=5)
    assert name_of(from_rpc_error(refused.value).reason) == "METHOD_NOT_SERVED"


def test_more_than_a_thousand_identities_break_a_bound(
    house: House, process: Process, closing: ExitStack
) -> None:
    channel, stub = house.member_stub(process, id_of(Role.ROLE_PROVIDER))
    closing.enter_context(channel)
    many = v1.EvaluateIdentitiesRequest(suite=EVALUATE.suite, inputs=[b"AAAA"] * 1001)
    with pytest.raises(grpc.RpcError) as refused:
        stub.EvaluateIdentities(many, timeout=5)
    assert name_of(from_rpc_error(refused.value).reason) == "MESSAGE_INVALID"


def test_a_code_issued_while_it_serves_binds_a_key_to_the_providers_reference(
    house: House, process: Process, closing: ExitStack
) -> None:
    issued = house.run("issue-code", "--identity", "qx74319920")
    assert issued.returncode == 0, issued.stderr
    envelope = bound(house, process, issued.stdout.split()[0], Ed25519Signer.generate())
    binding = open_binding(envelope, house.pki.anchors, datetime.now(UTC)).message
    channel, stub = house.member_stub(process, id_of(Role.ROLE_PROVIDER))
    closing.enter_context(channel)
    assert [binding.subject_ref] == stub.EvaluateIdentities(EVALUATE, timeout=5).outputs


@pytest.mark.slow
def test_only_one_process_uses_the_database(house: House, process: Process) -> None:
    for command in ("serve", "init"):
        second = house.run(command)
        assert second.returncode == 1
        assert "another process" in second.stderr
    found = house.run("check")
    assert found.returncode == 0, found.stdout
    assert "in use by a running registrar" in found.stdout


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_what_one_run_learned_the_next_one_knows(tmp_path: Path) -> None:
    house = House(tmp_path, daily_quota=5)
    assert house.run("init").returncode == 0
    house.enrol("a-bank", Role.ROLE_FURNISHER)
    house.enrol("b-bank", Role.ROLE_FURNISHER)
    first = house.serve()
    eventually(lambda: outcome(house, first, "b-bank") == "ok")
    channel, stub = house.member_stub(first, "a-bank")
    with channel:
        assert called(stub) == "ok"
        suspension = house.pki.status("a-bank", Standing.STANDING_SUSPENDED, "art. 41")
        house.exchange.tell(statuses=[suspension])
        eventually(lambda: called(stub) == "MEMBER_SUSPENDED", seconds=1)  # on an open connection
    eventually(lambda: outcome(house, first, "b-bank") == "QUOTA_EXCEEDED")
    code = house.run("issue-code", "--identity", NUMBER).stdout.split()[0]
    wallet = Ed25519Signer.generate()
    binding = bound(house, first, code, wallet)
    assert first.stop() == 0
    house.exchange.news.clear()

    second = house.serve()
    assert bound(house, second, code, wallet) == binding
    with pytest.raises(grpc.RpcError) as refused:
        bound(house, second, code, Ed25519Signer.generate())
    assert name_of(from_rpc_error(refused.value).reason) == "ENROLMENT_CODE_INVALID"
    assert outcome(house, second, "a-bank") == "MEMBER_SUSPENDED"
    eventually(lambda: outcome(house, second, "b-bank") == "QUOTA_EXCEEDED")
    assert second.stop() == 0

    house.close()
    third = house.serve()  # it hears no exchange, so it cannot know who was suspended meanwhile
    assert outcome(house, third, "b-bank") == "DIRECTORY_STALE"
    assert bound(house, third, code, wallet) == binding
    assert third.stop() == 0

    written = "".join(first.log + second.log + third.log).encode()
    assert b"ENROLMENT_CODE_INVALID" in written
    written += b"".join(path.read_bytes() for path in tmp_path.glob("registrar.db*"))
    for secret in (NUMBER, "QX74319920", "74319920", code, code.replace("-", "")):
        assert secret.encode() not in written
