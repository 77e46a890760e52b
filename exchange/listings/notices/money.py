"""An amount of money in writing."""

# ISO 4217: currencies whose minor unit is not a hundredth, by how many digits theirs has.
_UNUSUAL = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DIGITS = {code: digits for digits, codes in _UNUSUAL.items() for code in codes.split()}
_USUAL_DIGITS = 2


def written_amount(currency: str, minor: int) -> str:
    """Return an amount such as ``EUR 1,234.50``, from minor units (not negative), to the last of them."""
    digits = _DIGITS.get(currency, _USUAL_DIGITS)
    whole, part = divmod(minor, 10**digits)
    fraction = f".{part:0{digits}d}" if digits else ""
    return f"{currency} {whole:,}{fraction}"
