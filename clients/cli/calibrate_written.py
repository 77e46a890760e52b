"""Telling that a calibration was written, and who signs next."""

from pathlib import Path

from google.protobuf.json_format import MessageToDict

from clients.cli.console import console, echo_json
from concordat import v1


def tell_written(out: Path, calibration: v1.Calibration, *, as_json: bool) -> None:
    """Print where it is and what comes next; in JSON with the report."""
    if as_json:
        echo_json(
            ok=True,
            file=out,
            calibration_id=calibration.calibration_id,
            version=calibration.version,
            report=MessageToDict(calibration.report, preserving_proto_field_name=True),
        )
        return
    console().print(
        f"Wrote {out}: version {calibration.version}, signed by the exchange.\n"
        f"Next, at the regulators': concordat calibrate countersign {out} --key ROOT"
    )
