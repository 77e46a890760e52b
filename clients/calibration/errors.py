"""What can be wrong with what a calibration is made of."""

from clients.sdk.errors import ClientError


class CalibrationError(ClientError):
    """A calibration cannot be made, read or signed; the text says why and what to do."""


class SampleInvalid(CalibrationError):  # noqa: N818 - read as a finding
    """A sample cannot be fitted to; the text names the line or column and what to do."""


class PlotsMissing(CalibrationError):  # noqa: N818 - read as a finding
    """Pictures were asked for and matplotlib is not installed."""
