"""`concordat calibrate drift`: how far providers have moved since the calibration, for the regulator's officer."""

from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict
from rich.table import Table

from clients.cli.console import (
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    read_passphrase,
    words,
)
from clients.cli.moments import moment
from clients.sdk.client import RegulatorClient
from clients.sdk.identity import load_identity
from concordat import v1
from concordat.federation.anchors import load_anchors
from concordat.v1 import DriftLevel

_STYLES = {DriftLevel.DRIFT_LEVEL_WATCH: "yellow", DriftLevel.DRIFT_LEVEL_STALE: "bold red"}
_HIDDEN = "·"


def drift(
    trust_bundle: TrustBundle,
    member: Annotated[
        Path, typer.Option(help="The regulator's folder: signing.key, tls.crt, tls.key.")
    ],
    provider: Annotated[str, typer.Option(help="Only this provider, with its bins.")] = "",
    plot: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw scores and default rates by bin.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far providers' scores, and what becomes of their subjects, have moved since the calibration.

    Aggregates alone: counts are rounded, and small ones are not told (·). Your reading is logged.
    """
    with failing("drift was not read", as_json=as_json):
        anchors = load_anchors(trust_bundle)
        identity = load_identity(member, anchors, read_passphrase(passphrase_file))
        with RegulatorClient(anchors, identity) as client:
            read = client.read_drift(provider)
        if plot is not None:
            from clients.calibration.drift_plot import draw_drift  # noqa: PLC0415 - an optional extra

            draw_drift(read, plot)
    if as_json:
        echo_json(ok=True, **facts_of(read), plot=plot)
        return
    print_drift(read, bins=bool(provider))
    if plot is not None:
        console().print(f"Wrote {plot}")


def print_drift(read: v1.ReadDriftResponse, *, bins: bool) -> None:
    """Print a line a provider; with ``bins`` a line for each of its bins too."""
    if not read.providers:
        console().print("No calibration is in use, or it does not read this provider.")
        return
    table = Table("provider", "level", "scores", "observed / calibrated", show_lines=True)
    for each in read.providers:
        table.add_row(*_row(each), style=_STYLES.get(each.level, ""))
    console().print(table)
    for each in read.providers if bins else ():
        console().print(_bins(each))
    console().print(
        f"Counts are rounded to {read.smallest_cell}; below that they are not told ({_HIDDEN}). "
        f"Fewer than {read.least_subjects} scores or outcomes conclude nothing."
    )


def _row(each: v1.ProviderDrift) -> list[str]:
    return [
        f"{each.provider}\ncalibration {each.calibration_version}",
        "\n".join(
            [level_of(each), *causes_of(each), f"since {moment(each.since)[:10]}"],
        ),
        f"{each.scores}\n{_psi(each)}",
        _outcomes(each.outcomes) if each.HasField("outcomes") else _HIDDEN,
    ]


def _psi(each: v1.ProviderDrift) -> str:
    if not each.HasField("psi_milli"):
        return _HIDDEN
    return f"PSI {each.psi_milli / 1000:.3f}\nby chance {each.psi_noise_milli / 1000:.3f}"


def _outcomes(told: v1.OutcomeDrift) -> str:
    ratio = told.ratio
    value, low, high = (each / 1e6 for each in (ratio.value_ppm, ratio.low_ppm, ratio.high_ppm))
    return (
        f"{value:.2f} ({low:.2f} to {high:.2f})\n"
        f"{told.defaults} of {told.outcomes} credits\n"
        f"bins: p = {told.p_value_ppm / 1e6:.3f}"
    )


def _bins(drift: v1.ProviderDrift) -> Table:
    table = Table(
        "up to",
        "at the fit",
        "scores now",
        "calibrated",
        "outcomes",
        "defaults",
        "deviation",
        title=f"{drift.provider}, calibration {drift.calibration_version}",
    )
    for column in table.columns:
        column.justify = "right"
    for each in drift.bins:
        table.add_row(
            str(each.up_to_score),
            f"{each.baseline_ppm / 1e4:.1f} %",
            _told(each, "scores"),
            f"{each.baseline_default_ppm / 1e4:.1f} %",
            _told(each, "outcomes"),
            _told(each, "defaults"),
            f"{each.deviation_milli / 1000:+.1f}" if each.HasField("deviation_milli") else _HIDDEN,
        )
    return table


def _told(each: v1.DriftBin, field: str) -> str:
    return str(getattr(each, field)) if each.HasField(field) else _HIDDEN  # type: ignore[arg-type]


def level_of(drift: v1.ProviderDrift) -> str:
    """Return a provider's level in words."""
    return words(DriftLevel.Name(drift.level), "DRIFT_LEVEL_")


def causes_of(drift: v1.ProviderDrift) -> list[str]:
    """Return what the level rests on, in words."""
    return [words(v1.DriftCause.Name(cause), "DRIFT_CAUSE_") for cause in drift.causes]


def facts_of(read: v1.ReadDriftResponse) -> dict[str, Any]:
    """Return the JSON; its keys are the proto's, which stay as they are. What is not told is null."""
    return {
        "read_at": moment(read.read_at),
        "smallest_cell": read.smallest_cell,
        "least_subjects": read.least_subjects,
        "providers": [_provider_facts(each) for each in read.providers],
    }


def _provider_facts(drift: v1.ProviderDrift) -> dict[str, Any]:
    told = MessageToDict(
        drift, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for name in ("psi_milli", "psi_noise_milli", "outcomes"):
        told.setdefault(name, None)
    for each in told["bins"]:
        for name in ("scores", "outcomes", "defaults", "deviation_milli"):
            each.setdefault(name, None)
    return {**told, "level": level_of(drift), "causes": causes_of(drift)}
