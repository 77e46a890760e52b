"""Amounts of money as people type them."""

import re

from clients.formats import WHOLE
from clients.sdk.errors import ClientError

_AMOUNT = re.compile(r"(\d{1,13})(?:\.(\d{2}))?")


def minor_units(text: str, currency: str) -> int:
    """Return an amount such as ``1250`` or ``1250.00`` in minor units; raise ``ClientError`` for another form."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or (currency in WHOLE and match[2]):
        raise ClientError(f"{text!r} is no amount of {currency}, such as 1250 or 1250.00")
    if currency in WHOLE:
        return int(match[1])
    return int(match[1]) * 100 + int(match[2] or 0)
