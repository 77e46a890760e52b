"""Amounts of money as people write them, read strictly, in minor units."""

import re
from decimal import Decimal

MAX_MINOR = 1_000_000_000_000_000  # bound of concordat.v1.Money

_WHOLE = re.compile(r"0|[1-9][0-9]{0,15}")
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,15})(?:\.([0-9]{1,4}))?")
# ISO 4217:2015, table A.1: how many decimals a currency has, where it is not two.
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
_DECIMALS = {
    currency: decimals
    for currencies, decimals in ((_NONE, 0), (_THREE, 3), (_FOUR, 4))
    for currency in currencies.split()
}


def decimals_of(currency: str) -> int:
    """Return how many decimals a currency has."""
    return _DECIMALS.get(currency, 2)


def read_minor(text: str) -> int:
    """Return an amount written in minor units; raise ``ValueError`` where it is none."""
    if not _WHOLE.fullmatch(text) or int(text) > MAX_MINOR:
        raise ValueError("not an amount in minor units")
    return int(text)


def read_amount(text: str, currency: str) -> int:
    """Return the minor units of a decimal amount such as 1234.50; raise ``ValueError`` where it is none.

    One with more decimals than the currency has is refused, never rounded.
    """
    match = _DECIMAL.fullmatch(text)
    decimals = decimals_of(currency)
    if match is None or len(match[1] or "") > decimals:
        raise ValueError(f"not an amount in {currency}")
    minor = int(Decimal(text).scaleb(decimals))
    if minor > MAX_MINOR:
        raise ValueError("too large an amount")
    return minor


def format_amount(minor: int, currency: str) -> str:
    """Return an amount as people write it, with its currency."""
    decimals = decimals_of(currency)
    return f"{Decimal(minor).scaleb(-decimals):,.{decimals}f} {currency}"
