"""A refusal carries its reason; what cannot be trusted becomes one."""

from datetime import timedelta

import pytest

from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.errors import KeyFileError, SignatureInvalidError, StatementMalformedError
from concordat.v1 import Reason


def test_a_refusal_reads_as_reason_and_detail() -> None:
    assert str(Refusal(Reason.REASON_CONSENT_REVOKED)) == "REASON_CONSENT_REVOKED"
    refusal = Refusal(Reason.REASON_QUOTA_EXCEEDED, "9 of 8", retry_after=timedelta(hours=1))
    assert str(refusal) == "REASON_QUOTA_EXCEEDED: 9 of 8"
    assert (refusal.reason, refusal.detail) == (Reason.REASON_QUOTA_EXCEEDED, "9 of 8")
    assert refusal.retry_after == timedelta(hours=1)


def test_a_reason_that_is_none_cannot_be_given() -> None:
    with pytest.raises(ValueError, match="4711"):
        Refusal(4711)  # type: ignore[arg-type]  # what is tried


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StatementMalformedError("bent"), Reason.REASON_STATEMENT_MALFORMED),
        (SignatureInvalidError("forged"), Reason.REASON_SIGNATURE_INVALID),
    ],
)
def test_what_cannot_be_trusted_is_refused_for_its_reason(
    error: Exception, reason: Reason.ValueType
) -> None:
    with pytest.raises(Refusal) as refused, refusing_untrusted():
        raise error
    assert refused.value.reason == reason
    assert refused.value.detail == str(error)
    assert refused.value.__cause__ is error


@pytest.mark.parametrize("error", [KeyFileError("ours"), ValueError("ours")])
def test_an_error_of_ours_is_not_dressed_as_the_callers(error: Exception) -> None:
    with pytest.raises(type(error)), refusing_untrusted():
        raise error
