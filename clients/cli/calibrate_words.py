"""Measured quantities as people read them."""

from concordat import v1

_PPM = 1_000_000


def number(estimate: v1.Estimate, digits: int = 3) -> str:
    """Return an estimate with its 95 % interval, such as `0.773 (0.765 to 0.781)`."""
    value, low, high = (
        ppm / _PPM for ppm in (estimate.value_ppm, estimate.low_ppm, estimate.high_ppm)
    )
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def short(measures: v1.Measures, name: str, digits: int = 3) -> str:
    """Return one measure without its interval; a dash where it is not told."""
    estimate = _told(measures, name)
    return f"{estimate.value_ppm / _PPM:.{digits}f}" if estimate else "-"


def full(measures: v1.Measures, name: str, digits: int = 3) -> str:
    """Return one measure with its interval; a dash where it is not told."""
    estimate = _told(measures, name)
    return number(estimate, digits) if estimate else "-"


def _told(measures: v1.Measures, name: str) -> v1.Estimate | None:
    return next((value for field, value in measures.ListFields() if field.name == name), None)


def share(ppm: int, digits: int = 1) -> str:
    """Return parts per million in per cent."""
    return f"{ppm / 10_000:.{digits}f} %"


def rate(measures: v1.Measures) -> str:
    """Return the share that defaulted."""
    if not measures.subjects:
        return "-"
    return share(round(measures.defaults / measures.subjects * _PPM))


def signed_points(milli: int) -> str:
    """Return thousandths of points with a sign."""
    return f"{milli / 1000:+z.1f}"


def floor_of(measures: v1.Measures) -> str:
    """Return the sampling floor of the calibration error; a dash where nothing was measured."""
    return f"{measures.calibration_floor_ppm / _PPM:.4f}" if measures.subjects else "-"
