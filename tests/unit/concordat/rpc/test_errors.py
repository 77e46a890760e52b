"""Every reason has its public form, and crosses gRPC as itself."""

from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from concordat.refusal import Refusal
from concordat.rpc.errors import (
    CATALOG,
    DOMAIN,
    RemoteError,
    from_rpc_error,
    name_of,
    to_item,
    to_status,
)
from concordat.v1 import Reason

REASONS = [reason for reason in Reason.values() if reason != Reason.REASON_UNSPECIFIED]
IDS = [Reason.Name(reason) for reason in REASONS]


class FailedCall(grpc.RpcError):
    """A call that failed as its server said."""

    def __init__(self, code: grpc.StatusCode, details: str | None, metadata: Any) -> None:
        super().__init__()
        self._said = (code, details, metadata)

    def code(self) -> grpc.StatusCode:
        return self._said[0]

    def details(self) -> str | None:
        return self._said[1]

    def trailing_metadata(self) -> Any:
        return self._said[2]


def carried(refusal: Refusal, request_id: str = "id-of-request") -> RemoteError:
    status = to_status(refusal, request_id)
    return from_rpc_error(FailedCall(status.code, status.details, status.trailing_metadata))


def test_the_catalog_holds_every_reason_and_no_other() -> None:
    assert set(CATALOG) == set(REASONS)


@pytest.mark.parametrize("reason", REASONS, ids=IDS)
def test_a_reason_crosses_grpc_as_itself(reason: Reason.ValueType) -> None:
    failure = carried(Refusal(reason, "a detail for the log"))
    assert failure.reason == reason
    assert failure.code == CATALOG[reason].code != grpc.StatusCode.OK
    assert failure.request_id == "id-of-request"
    assert failure.message == CATALOG[reason].message
    assert failure.retry_after is None


@pytest.mark.parametrize("reason", REASONS, ids=IDS)
def test_the_detail_for_the_log_is_never_sent(reason: Reason.ValueType) -> None:
    status = to_status(Refusal(reason, "subject 4711"), "id")
    assert "4711" not in status.details
    assert not [value for _, value in status.trailing_metadata if b"4711" in value]
    assert "4711" not in str(to_item(Refusal(reason, "subject 4711")))


@pytest.mark.parametrize("reason", REASONS, ids=IDS)
def test_a_public_message_is_a_sentence_that_fits_the_proto(reason: Reason.ValueType) -> None:
    message = to_item(Refusal(reason)).message
    assert message == CATALOG[reason].message
    assert message.endswith(".")
    assert 10 < len(message) <= 500


def test_an_item_of_a_stream_says_when_to_try_again_as_a_call_does() -> None:
    wait = timedelta(hours=3, milliseconds=250)
    refusal = Refusal(Reason.REASON_CONSENT_TOO_FREQUENT, retry_after=wait)
    item = to_item(refusal)
    assert item.retry_after.ToTimedelta() == carried(refusal).retry_after == wait
    assert not to_item(Refusal(Reason.REASON_CONSENT_REVOKED)).HasField("retry_after")


def test_when_to_try_again_is_carried() -> None:
    for delay in (timedelta(0), timedelta(milliseconds=1500), timedelta(days=90)):
        failure = carried(Refusal(Reason.REASON_QUOTA_EXCEEDED, retry_after=delay))
        assert failure.retry_after == delay
        assert failure.reason == Reason.REASON_QUOTA_EXCEEDED


def test_an_error_reads_as_its_reason_then_what_to_do() -> None:
    shown = str(carried(Refusal(Reason.REASON_CONSENT_REVOKED)))
    assert shown == f"CONSENT_REVOKED: {CATALOG[Reason.REASON_CONSENT_REVOKED].message}"


def test_a_failure_of_the_transport_has_no_reason() -> None:
    for metadata in (None, ()):
        failure = from_rpc_error(FailedCall(grpc.StatusCode.UNAVAILABLE, None, metadata))
        assert failure.reason == Reason.REASON_UNSPECIFIED
        assert str(failure).startswith("UNAVAILABLE")


def from_details(*details: Any, code: str = "PERMISSION_DENIED", text: str = "no") -> RemoteError:
    status = status_pb2.Status(code=code_pb2.Code.Value(code), message=text)
    for detail in details:
        status.details.add().Pack(detail)
    return from_bytes(status.SerializeToString())


def from_bytes(raw: bytes) -> RemoteError:
    metadata = (("grpc-status-details-bin", raw),)
    return from_rpc_error(FailedCall(grpc.StatusCode.PERMISSION_DENIED, "no", metadata))


def test_a_reason_of_a_later_version_or_another_domain_is_tolerated() -> None:
    info = error_details_pb2.ErrorInfo
    for detail in (
        info(reason="SOMETHING_NEW", domain=DOMAIN, metadata={"request_id": "r"}),
        info(reason="CONSENT_REVOKED", domain="example.com"),
        error_details_pb2.BadRequest(),
    ):
        failure = from_details(detail)
        assert failure.reason == Reason.REASON_UNSPECIFIED
        assert failure.code == grpc.StatusCode.PERMISSION_DENIED
        assert failure.message == "no"
    assert from_details(info(reason="NEW", domain=DOMAIN, metadata={"request_id": "r"})).request_id


@pytest.mark.parametrize("code", ["OK", "INTERNAL"])
def test_a_status_that_contradicts_itself_is_a_remote_error_and_no_crash(code: str) -> None:
    assert from_details(code=code).code == grpc.StatusCode.PERMISSION_DENIED
    assert from_details(text="other").message == "no"


def test_status_details_that_are_garbage_are_a_remote_error_and_no_crash() -> None:
    status = status_pb2.Status(code=code_pb2.PERMISSION_DENIED, message="no")
    status.details.append(
        any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff")
    )
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.seconds = 2**62
    for failure in (
        from_bytes(b"\xff\xff"),
        from_bytes(status.SerializeToString()),
        from_details(retry),
    ):
        assert failure.reason == Reason.REASON_UNSPECIFIED
        assert failure.retry_after is None


def test_names_drop_the_prefix() -> None:
    assert name_of(Reason.REASON_QUOTA_EXCEEDED) == "QUOTA_EXCEEDED"
