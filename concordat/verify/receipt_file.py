"""Receipts of the log in a file, as a provider hands one out: a first line, then the serialised message."""

from google.protobuf.message import DecodeError

from concordat import v1
from concordat.trust.envelope import refuse_unknown_fields, validate
from concordat.trust.errors import StatementMalformedError

MAGIC = b"concordat-log-receipt-v1\n"
SUFFIX = ".receipt"
MAX_BYTES = 64 * 1024


def dump_receipt(receipt: v1.LogReceipt) -> bytes:
    """Return the file form."""
    return MAGIC + receipt.SerializeToString(deterministic=True)


def parse_receipt(raw: bytes) -> v1.LogReceipt:
    """Read the file form, strictly. What comes back is *not* verified: see ``open_receipt``.

    Raises ``StatementMalformedError`` for another first line, more than 64 KiB, a broken bound or an
    unknown field.
    """
    if not raw.startswith(MAGIC) or len(raw) > MAX_BYTES:
        raise StatementMalformedError(
            f"the file is no receipt: it does not begin with the line {MAGIC.decode().strip()!r}"
        )
    receipt = v1.LogReceipt()
    try:
        receipt.ParseFromString(raw[len(MAGIC) :])
    except DecodeError as error:
        raise StatementMalformedError("the file is no receipt: its bytes do not parse") from error
    refuse_unknown_fields(receipt)
    validate(receipt)
    return receipt
