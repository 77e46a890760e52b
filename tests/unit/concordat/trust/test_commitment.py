"""A commitment opens in one way only."""

import hashlib
from collections.abc import Callable

import pytest

from concordat.trust.commitment import commitment_of, link_commitment, record_commitment
from concordat.trust.errors import StatementMalformedError

A, B = b"\x0a" * 32, b"\x0b" * 32


def test_each_commitment_is_the_hash_that_the_protocol_says() -> None:
    of_record = hashlib.sha256(b"concordat/log-record/v1\n" + A + b"record").digest()
    assert record_commitment(b"record", A) == of_record
    of_link = hashlib.sha256(b"concordat/log-link/v1\n" + A + bytes(7) + b"\x05" + B).digest()
    assert link_commitment(5, B, A) == of_link
    both = hashlib.sha256(b"concordat/log-commitment/v1\n" + of_record + of_link).digest()
    assert commitment_of(of_record, of_link) == both


@pytest.mark.parametrize(
    "make",
    [
        lambda wrong: record_commitment(b"record", wrong),
        lambda wrong: link_commitment(1, A, wrong),
        lambda wrong: link_commitment(1, wrong, A),
        lambda wrong: commitment_of(wrong, A),
        lambda wrong: commitment_of(A, wrong),
    ],
    ids=["record's salt", "link's salt", "entry before", "record", "link"],
)
def test_a_part_that_is_not_32_bytes_long_is_refused(make: Callable[[bytes], bytes]) -> None:
    # Parts stand side by side without their lengths: another cut would give the same hash.
    for wrong in (b"", bytes(31), bytes(33), bytes(64)):
        with pytest.raises(StatementMalformedError):
            make(wrong)
